import torch
from torch import nn
from torch.cuda.amp import GradScaler, autocast


def train(model, loader, optimizer, scaler, criterion, device, clip):
    model.train()
    for x, y in loader:
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        optimizer.zero_grad()
        with autocast():
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()


torch.manual_seed(0)
device = "cuda"
model = nn.Linear(32, 4).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
train(model, [(torch.randn(8, 32), torch.randint(0, 4, (8,)))], optimizer, GradScaler(), nn.CrossEntropyLoss(), device, 1.0)
