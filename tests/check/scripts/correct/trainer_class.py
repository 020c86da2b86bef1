import copy
import random

import numpy as np
import torch
from torch import nn


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class Trainer:
    def __init__(self, model, train_loader, val_loader, lr=1e-3):
        self.model, self.train_loader, self.val_loader = model, train_loader, val_loader
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer)
        self.best_loss, self.best_state = float("inf"), None

    def fit(self, epochs):
        for _ in range(epochs):
            self.train_epoch()
            val_loss = self.validate()
            self.scheduler.step(val_loss)
            if val_loss < self.best_loss:
                self.best_loss, self.best_state = val_loss, copy.deepcopy(self.model.state_dict())

    def train_epoch(self):
        self.model.train()
        for x, y in self.train_loader:
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.criterion(self.model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        return sum(self.criterion(self.model(x), y).item() for x, y in self.val_loader) / len(self.val_loader)


set_seed(42)
batches = [(torch.randn(8, 4), torch.randint(0, 2, (8,))) for _ in range(10)]
Trainer(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)), batches[:8], batches[8:]).fit(3)
