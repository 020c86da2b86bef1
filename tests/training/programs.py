"""Small picklable trainings, sound and broken, for every executor."""

from __future__ import annotations

import os
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from traindx import Recipe, Task
from traindx.training import Job

RECIPE = Recipe(lr=0.1, epochs=3)


class Net(nn.Module):
    """One hidden layer, and a way to misbehave in training mode."""

    trouble = ""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and self.trouble:
            self.misbehave()
        return self.layers(x)

    def misbehave(self) -> None:
        if self.trouble == "raise":
            raise ValueError("a planted error")
        if self.trouble == "memory":
            raise MemoryError
        if self.trouble == "hang":
            time.sleep(3600)
        if self.trouble == "die":
            os._exit(3)


class Raising(Net):
    trouble = "raise"


class Hungry(Net):
    trouble = "memory"


class Hanging(Net):
    trouble = "hang"


class Dying(Net):
    trouble = "die"


def digits(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return (x[:rows] / 16).astype(np.float32), y[:rows]


def job(model: type[nn.Module] = Net, recipe: Recipe = RECIPE, keep_weights: bool = False) -> Job:
    return Job(Task(model, nn.CrossEntropyLoss(), digits(), name=model.__name__), recipe, keep_weights=keep_weights)
