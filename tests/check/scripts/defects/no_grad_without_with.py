import torch
from torch import nn


def evaluate(model, loader):
    model.eval()
    torch.no_grad()  # TDX104
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()  # TDX403
    return correct


torch.manual_seed(0)
print(evaluate(nn.Linear(2, 2), [(torch.randn(8, 2), torch.randint(0, 2, (8,)))]))
