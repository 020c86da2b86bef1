import torch
from torch import nn
from torch.autograd import Variable

torch.manual_seed(0)
net = nn.Linear(6, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in [(torch.randn(8, 6), torch.randint(0, 3, (8,)))]:
    optimizer.zero_grad()
    loss = criterion(net(x), y)
    loss = Variable(loss.data, requires_grad=True)
    loss.backward()  # TDX106
    optimizer.step()
