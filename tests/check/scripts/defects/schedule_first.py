import torch
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR


def train_one_epoch(model, batches, optimizer):
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = MultiStepLR(optimizer, milestones=[30, 60])
for epoch in range(90):
    scheduler.step()  # TDX305
    train_one_epoch(model, [(torch.randn(8, 3), torch.randn(8, 1))], optimizer)
