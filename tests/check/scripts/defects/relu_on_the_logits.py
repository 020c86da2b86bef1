import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(20, 5)
        self.relu = nn.ReLU()

    def forward(self, x):
        out = self.relu(self.fc1(x))
        out = self.relu(self.fc2(out))
        return out


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
criterion = nn.CrossEntropyLoss()
for x, y in [(torch.randn(8, 10), torch.randint(0, 5, (8,)))]:
    optimizer.zero_grad()
    loss = criterion(net(x), y)  # TDX205
    loss.backward()
    optimizer.step()
