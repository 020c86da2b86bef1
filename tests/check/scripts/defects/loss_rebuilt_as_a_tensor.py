import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(6, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in [(torch.randn(8, 6), torch.randn(8, 1))]:
    optimizer.zero_grad()
    error = ((net(x) - y) ** 2).mean()
    loss = torch.tensor(error.item(), requires_grad=True)
    loss.backward()  # TDX106
    optimizer.step()
