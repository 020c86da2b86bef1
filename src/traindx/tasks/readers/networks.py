"""The networks that data alone are given: what a sensible engineer would write first. Picklable factories."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from traindx.records import Recipe

# Updates that a first training gets, at least and at most, in whole epochs.
LEAST_UPDATES, MOST_EPOCHS = 3000, 60


class Rescale(nn.Module):
    """x * std + mean with fixed numbers: lets a network of unit scale predict in the target's units."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x * self.std + self.mean


class Standardize(nn.Module):
    """(x - mean) / std by channel, with fixed numbers."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W)."""
        return (x - self.mean) / self.std


@dataclass(frozen=True)
class Perceptron:
    """Two hidden layers of 128 rectified units; for regression the output is in the target's units."""

    inputs: int
    outputs: int
    mean: float = 0.0
    std: float = 1.0
    width: int = 128

    def __call__(self) -> nn.Module:
        """A fresh network."""
        layers = [
            nn.Flatten(),
            nn.Linear(self.inputs, self.width),
            nn.ReLU(),
            nn.Linear(self.width, self.width),
            nn.ReLU(),
            nn.Linear(self.width, self.outputs),
        ]
        return nn.Sequential(*layers, *([Rescale(self.mean, self.std)] if (self.mean, self.std) != (0.0, 1.0) else []))


@dataclass(frozen=True)
class SmallCNN:
    """Three convolutions with batch normalization and pooling, over inputs that are standardised by channel."""

    channels: int
    height: int
    width: int
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self) -> nn.Module:
        """A fresh network."""
        shape = (1, self.channels, 1, 1)
        layers: list[nn.Module] = [Standardize(torch.tensor(self.mean).reshape(shape), torch.tensor(self.std).reshape(shape))]
        before = self.channels
        for after in (16, 32, 64):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
            before = after
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * before, self.classes))


def default_recipe(rows: int, images: bool = False) -> Recipe:
    """AdamW at 1e-3 with a cosine schedule, for about LEAST_UPDATES updates."""
    batch_size = 128 if rows > 10_000 else 64 if rows > 1000 else 32
    updates = LEAST_UPDATES // 4 if images else LEAST_UPDATES
    epochs = min(MOST_EPOCHS, max(3, math.ceil(updates * batch_size / rows)))
    return Recipe(optimizer="adamw", lr=1e-3, batch_size=batch_size, epochs=epochs, schedule="cosine", weight_decay=0.01)
