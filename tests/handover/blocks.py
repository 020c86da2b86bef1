"""What a program imports from a file of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SHARE = 0.5
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int, activation: str = "sigmoid") -> None:
        super().__init__()
        self.linear, self.activation = nn.Linear(width, width), ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, width)."""
        return x + SHARE * self.activation(self.linear(x)) / math.sqrt(2)


class Normal(nn.Module):
    """A network whose weights are all drawn by one rule."""

    def drawn(self, scale: float) -> Normal:
        """Itself, with fresh weights."""
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=scale)
        return self
