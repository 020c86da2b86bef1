import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(30, width), nn.ReLU(), nn.Linear(width, 1))
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.layers(x)).squeeze(1)


torch.manual_seed(0)
model = Classifier(16)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters())
for x, y in [(torch.randn(8, 30), torch.rand(8).round())]:
    optimizer.zero_grad()
    loss = criterion(model(x), y)  # TDX201
    loss.backward()
    optimizer.step()
