import torch
import torch.nn.functional as F
from torch import nn


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)

    def fit(self, loader, epochs):
        self.model.train()
        for _ in range(epochs):
            for x, y in loader:
                self.step(x, y)

    def step(self, x, y):
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()  # TDX101
        return loss.item()


torch.manual_seed(0)
batches = [(torch.randn(8, 4), torch.randint(0, 2, (8,))) for _ in range(10)]
Trainer(nn.Linear(4, 2), 1e-3).fit(batches, 3)
