"""A user's training in the words of the script: functions and numbers that it has itself under these names."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import Linear, Module
from torch.nn.functional import cross_entropy, relu

import traindx as tdx
from traindx.records import Recipe

EPOCHS = 2.0


def rate(x: Tensor) -> Tensor:
    """(N, F) -> (N, F)."""
    return relu(x) / EPOCHS


class Net(Module):
    """Two layers, and a function between them."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first, self.last = Linear(4, 8), Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4) -> (N, classes)."""
        out: Tensor = self.last(rate(self.first(x)))
        return out


def make_model(classes: int = 2) -> Net:
    """As the documentation has it."""
    return Net(classes)


def train(outputs: Tensor, targets: Tensor) -> Tensor:
    """The loss of the training."""
    return cross_entropy(outputs, targets)


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """In per cent."""
    return 100 * float((outputs.argmax(1) == targets).float().mean())


def _rows() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int)


def by_name() -> tuple[tdx.Task, Recipe]:
    """All of them."""
    return tdx.Task(make_model, train, _rows(), kind="classification", metric=accuracy), Recipe(epochs=2, device="cpu")


def by_lambda() -> tuple[tdx.Task, Recipe]:
    """The factory is called in a lambda."""
    return tdx.Task(lambda: make_model(classes=3), train, _rows(), kind="classification"), Recipe(epochs=2, device="cpu")
