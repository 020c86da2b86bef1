import torch
from torch import nn


class Towers(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.towers = []
        for n_in, n_out in zip(sizes, sizes[1:], strict=False):
            self.towers.append(nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU()))  # TDX302

    def forward(self, x):
        for tower in self.towers:
            x = tower(x)
        return torch.sigmoid(x)
