import torch
from torch import nn, optim

torch.manual_seed(0)
model = nn.Linear(5, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
for epoch in range(5):
    for x, y in [(torch.randn(8, 5), torch.randint(0, 2, (8,)))]:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.zero_grad()  # TDX105
        optimizer.step()
