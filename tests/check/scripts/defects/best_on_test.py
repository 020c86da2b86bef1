import copy

import torch
from torch import nn


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).float().mean().item() for x, y in loader) / len(loader)


torch.manual_seed(0)
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
train_loader = test_loader = [(torch.randn(8, 2), torch.randint(0, 2, (8,)))]
best_acc, best_state = 0.0, None
for _ in range(10):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    test_acc = accuracy(model, test_loader)
    if test_acc > best_acc:  # TDX405
        best_acc = test_acc
        best_state = copy.deepcopy(model.state_dict())
