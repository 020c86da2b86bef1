import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2))

    def forward(self, x):
        return self.layers(x)


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
train_batches = [(torch.randn(8, 20), torch.randint(0, 2, (8,)))]
test_batches = [(torch.randn(8, 20), torch.randint(0, 2, (8,)))]
for _ in range(5):
    for x, y in train_batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
correct = 0
with torch.no_grad():
    for x, y in test_batches:
        correct += (net(x).argmax(1) == y).sum().item()  # TDX401
