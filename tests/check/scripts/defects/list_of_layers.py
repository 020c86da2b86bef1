import torch
from torch import nn


class Deep(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.layers = [nn.Linear(16, 16) for _ in range(depth)]  # TDX302
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)
