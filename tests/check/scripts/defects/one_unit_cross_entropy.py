import torch
from torch import nn


class Binary(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 20)
        self.out = nn.Linear(20, 1)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.out(x)


torch.manual_seed(0)
model = Binary()
optimizer = torch.optim.Adam(model.parameters())
for x, y in [(torch.randn(8, 10), torch.zeros(8, dtype=torch.long))]:
    loss = nn.functional.cross_entropy(model(x), y)  # TDX204
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
