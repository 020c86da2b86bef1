import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
for x, y in [(torch.randn(8, 4), torch.randint(0, 2, (8,)))]:
    optimizer.zero_grad()
    loss = -loss_fn(model(x), y)
    loss.backward()  # TDX111
    optimizer.step()
