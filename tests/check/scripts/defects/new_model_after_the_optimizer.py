import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(3, width)

    def forward(self, x):
        return self.layer(x).sum(1)


def train(model, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


torch.manual_seed(0)
model = Net(8)
optimizer = optim.Adam(model.parameters())
model = Net(16)  # TDX301
train(model, optimizer, [(torch.randn(8, 3), torch.randn(8))])
