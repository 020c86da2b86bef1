import torch
import torch.nn.functional as F
from torch import nn


class AttentionPool(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, 16), nn.Tanh(), nn.Linear(16, 1), nn.Softmax(dim=1))
        self.query = nn.Linear(width, 1)
        self.head = nn.Linear(2 * width, 2)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.activations = [nn.ReLU(), nn.GELU()]

    def forward(self, x):
        for block, activation in zip(self.blocks, self.activations, strict=True):
            x = activation(block(x))
        weights = F.softmax(self.query(x), dim=1)
        pooled = torch.cat([(self.score(x) * x).sum(1), (weights * x).sum(1)], 1)
        pooled = F.dropout(pooled, 0.2, self.training)
        return self.head(pooled)


torch.manual_seed(0)
model = AttentionPool(8)
optimizer = torch.optim.Adam(model.parameters())
for x, y in [(torch.randn(4, 10, 8), torch.randint(0, 2, (4,)))]:
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
