import torch
from torch import nn, optim

torch.manual_seed(0)
num_epochs = 20
model = nn.Linear(3, 1)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=num_epochs)
batches = [(torch.randn(8, 3), torch.randn(8, 1)) for _ in range(50)]
for _ in range(num_epochs):
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        scheduler.step()  # TDX306
