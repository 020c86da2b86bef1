import torch
from torch import nn


def train(model, loader, optimizer):
    running_loss = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        running_loss += loss * x.size(0)  # TDX107
    return running_loss


torch.manual_seed(0)
model = nn.Linear(2, 2)
train(model, [(torch.randn(8, 2), torch.randint(0, 2, (8,)))], torch.optim.SGD(model.parameters(), lr=0.1))
