"""Trainings with a fault, as users write them, for scripts that are run alone."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import traindx as tdx

WIDTH = 32


class Sigmoids(nn.Module):
    """A deep network of sigmoids as functions."""

    def __init__(self, inputs: int = 64, width: int = WIDTH, outputs: int = 10) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)])
        self.output = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        for layer in self.layers:
            x = torch.sigmoid(layer(x))
        return self.output(x)


class Pictures(nn.Module):
    """A small convolutional network."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Sigmoid(), nn.Conv2d(8, 8, 3, stride=2), nn.Sigmoid(), nn.Flatten())
        self.head = nn.Linear(72, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, 8, 8) -> (n, 10)."""
        return self.head(self.body(x))


class Words(nn.Module):
    """Means of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.output = nn.Embedding(40, 16), nn.Linear(16, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, length) -> (n, 2)."""
        return self.output(self.embedding(tokens).mean(1))


def digits(rows: int = 900) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return (x[:rows] / 16).astype(np.float32), y[:rows]


def plain_table() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = load_diabetes(return_X_y=True)
    task = tdx.Task(lambda: nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1)), nn.MSELoss(), (x.astype(np.float32), y[:, None]))
    return task, tdx.Recipe(lr=1e-3, momentum=0.9, epochs=30)


def sigmoids() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits(1400)
    return tdx.Task(Sigmoids, nn.CrossEntropyLoss(), (x[:1100], y[:1100]), test=(x[1100:], y[1100:])), tdx.Recipe(lr=0.1, epochs=20)


def pictures() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits()
    return tdx.Task(Pictures, F.cross_entropy, (x.reshape(-1, 1, 8, 8), y)), tdx.Recipe(optimizer="adam", lr=1e-3, epochs=8)


def labels() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits()
    many = np.stack([y % 2, y > 4, y % 3 == 0], axis=1).astype(np.float32)
    return tdx.Task(lambda: nn.Linear(64, 3), nn.BCEWithLogitsLoss(), (x, many)), tdx.Recipe(lr=1e-4, epochs=10)


def words() -> tuple[tdx.Task, tdx.Recipe]:
    draws = np.random.default_rng(0)
    tokens = draws.integers(0, 40, (600, 12))
    tokens[np.arange(600) % 2 == 0, :3] = draws.integers(0, 5, (300, 3))
    return tdx.Task(Words, nn.CrossEntropyLoss(), (tokens, 1 - np.arange(600) % 2)), tdx.Recipe(optimizer="adam", lr=1e-5, epochs=20)


def rare() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits(1700)
    kept = (y != 3) | (np.arange(len(y)) % 12 == 0)
    task = tdx.Task(lambda: nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10)), nn.CrossEntropyLoss(), (x[kept], y[kept]))
    return task, tdx.Recipe(lr=0.05, epochs=12)
