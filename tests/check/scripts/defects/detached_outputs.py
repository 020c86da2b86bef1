import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(6, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in [(torch.randn(8, 6), torch.randint(0, 3, (8,)))]:
    optimizer.zero_grad()
    outputs = model(x).detach()
    loss = criterion(outputs, y)
    loss.requires_grad_()
    loss.backward()  # TDX106
    optimizer.step()
