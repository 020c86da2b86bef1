import torch
from torch import nn

torch.manual_seed(0)
epochs = 10
loader = [(torch.randn(8, 3), torch.randn(8, 1)) for _ in range(50)]
model = nn.Linear(3, 1)
optimizer = torch.optim.AdamW(model.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, steps_per_epoch=len(loader), epochs=epochs)
for _ in range(epochs):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    scheduler.step()  # TDX306
