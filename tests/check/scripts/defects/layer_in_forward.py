from torch import nn


class Projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(10, 32)

    def forward(self, x):
        h = self.encoder(x).relu()
        projection = nn.Linear(h.size(1), 8)  # TDX303
        return projection(h)
