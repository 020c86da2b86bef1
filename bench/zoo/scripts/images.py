"""Scripts on images."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import data
from zoo.scripts.base import Draw, Training, initialized, script, settings

# -- patches of photographs --------------------------------------------------------------------------------------------------------------


class Autoencoder(nn.Module):
    """Squeezes a patch through a narrow code."""

    def __init__(self, widths: tuple[int, ...], act: type[nn.Module], last: type[nn.Module] | None) -> None:
        super().__init__()
        there = [64, *widths]
        back = there[::-1]
        self.encoder = nn.Sequential(*(m for a, b in itertools.pairwise(there) for m in (nn.Linear(a, b), act())))
        steps = [m for a, b in itertools.pairwise(back) for m in (nn.Linear(a, b), act())]
        self.decoder = nn.Sequential(*steps[:-1], *([last()] if last else []))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64) -> (N, 64)."""
        return self.decoder(self.encoder(x))


@cache
def photographs() -> np.ndarray:
    """Patches without their mean, in units of their common spread."""
    x = data.patches(8, 9)
    x = x - x.mean(1, keepdims=True)
    return (x / x.std()).astype(np.float32)


@script("patch-autoencoder")
def patch_autoencoder(
    draw: Draw,
    *,
    rows: int = 2000,
    grey: bool = False,
    widths: tuple[int, ...] = (48, 16),
    act: type[nn.Module] = nn.Tanh,
    last: type[nn.Module] | None = None,
    std: float | None = None,
    frozen: bool = False,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """A patch from itself."""
    x = photographs()
    (x, _), (u, _) = draw.rows(x, x, rows)
    y, v = (x * 40 + 128, u * 40 + 128) if grey else (x, u)

    def model() -> nn.Module:
        net = Autoencoder(widths, act, last)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)
        if frozen:
            net.encoder.requires_grad_(False)
        return net

    mine = {"optimizer": "adam", "lr": draw.near(8e-3), "batch_size": 64, "epochs": 35, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


# -- attributes of clothes ---------------------------------------------------------------------------------------------------------------

# Worn on the upper body, long, with sleeves, on the feet, open, carried in the hand: one row a label of Fashion-MNIST.
ATTRIBUTES = np.array(
    [
        [1, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 1, 0],
        [0, 0, 0, 1, 1, 0],
        [1, 0, 1, 0, 1, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 1, 0, 1, 0, 0],
    ],
    dtype=np.float32,
)


@cache
def clothes() -> tuple[np.ndarray, np.ndarray]:
    """(N, 1, 14, 14) pixels around zero and (N, 6) attributes."""
    x, y = data.mnist("fashion-mnist", 12_000)
    small = x.reshape(-1, 1, 14, 2, 14, 2).mean((3, 5))
    return ((small - 0.286) / 0.33).astype(np.float32)[5000:], ATTRIBUTES[y][5000:]


class StridedNet(nn.Module):
    """Two convolutions with stride, no pooling."""

    def __init__(self, channels: int, outputs: int, act: Callable[[Tensor], Tensor], last: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.head = nn.Linear(2 * channels * 16, outputs)
        self.act, self.last = act, last

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 14, 14) -> (N, outputs)."""
        x = self.head(self.act(self.conv2(self.act(self.conv1(x)))).flatten(1))
        return torch.sigmoid(x) if self.last == "sigmoid" else F.softmax(x, 1) if self.last == "softmax" else x


@script("fashion-attributes")
def fashion_attributes(
    draw: Draw,
    *,
    rows: int = 2500,
    bytes_: bool = False,
    channels: int = 12,
    act: Callable[[Tensor], Tensor] = F.relu,
    last: str = "",
    std: float | None = None,
    bias: float | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Six attributes of a piece of clothing."""
    (x, y), (u, v) = draw.rows(*clothes(), rows)
    if bytes_:
        x, u = (x * 0.33 + 0.286) * 255, (u * 0.33 + 0.286) * 255
    channels = draw.units(channels)

    def model() -> nn.Module:
        net = StridedNet(channels, 6, act, last)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        elif bias is not None:
            initialized(net, lambda w: w, bias)
        return net

    mine = {"optimizer": "adam", "lr": draw.near(5e-3), "batch_size": 32, "epochs": 9, "schedule": "cosine"}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=6, multilabel=True)


# -- animals and vehicles ----------------------------------------------------------------------------------------------------------------


@cache
def animals_and_vehicles() -> tuple[np.ndarray, np.ndarray]:
    """(8000, 3, 16, 16) pixels, and whether it is a vehicle."""
    x, y = data.cifar(8000)
    small = x.reshape(-1, 3, 16, 2, 16, 2).mean((3, 5))
    return ((small - 0.47) / 0.25).astype(np.float32), np.isin(y, (0, 1, 8, 9)).astype(np.int64)


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int, norm: bool, skip: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm1, self.norm2 = (nn.GroupNorm(4, channels) if norm else nn.Identity() for _ in range(2))
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, C, S, S)."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(x + y if self.skip else y)


class VehicleNet(nn.Module):
    """A stem, residual blocks and an average over places."""

    def __init__(self, channels: int, blocks: int, norm: bool, skip: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 4, stride=4 if blocks > 3 else 2, padding=1)
        self.blocks = nn.Sequential(*(Block(channels, norm, skip) for _ in range(blocks)))
        self.head = nn.Linear(channels * 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 16, 16) -> (N, 2)."""
        x = self.blocks(F.relu(self.stem(x)))
        return self.head(F.adaptive_avg_pool2d(x, 2).flatten(1))


@script("vehicles-residual")
def vehicles_residual(
    draw: Draw,
    *,
    rows: int = 2000,
    channels: int = 12,
    blocks: int = 1,
    norm: bool = True,
    skip: bool = True,
    bias: float | None = None,
    reduction: str = "mean",
    **recipe: Any,
) -> Training:
    """An animal or a vehicle."""
    (x, y), (u, v) = draw.rows(*animals_and_vehicles(), rows)

    def model() -> nn.Module:
        net = VehicleNet(channels, blocks, norm, skip)
        return net if bias is None else initialized(net, lambda w: w, bias, last=False)

    loss = nn.CrossEntropyLoss(reduction=reduction)
    mine = {"optimizer": "sgd", "lr": draw.near(0.03), "momentum": 0.9, "batch_size": 64, "epochs": 8, "schedule": "cosine"}
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=2)


# -- how far a digit is turned -----------------------------------------------------------------------------------------------------------


@cache
def turned_digits() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 14, 14) pixels of sevens, threes, fours and fives, and by how many degrees they are turned: from -60 to 60."""
    from scipy.ndimage import rotate

    x, y = data.mnist("mnist", 13_000)
    chosen = np.isin(y, (3, 4, 5, 7)).nonzero()[0][:5000]
    small = x[chosen].reshape(-1, 14, 2, 14, 2).mean((2, 4))
    angles = np.random.default_rng(1).uniform(-60, 60, len(small)).astype(np.float32)
    turned = [rotate(image, angle, reshape=False, order=1) for image, angle in zip(small, angles, strict=True)]
    return np.stack(turned).astype(np.float32)[:, None], angles


class AngleNet(nn.Module):
    """A small convolutional network for one number."""

    def __init__(self, channels: int, act: Callable[[Tensor], Tensor], drop: float, last: str) -> None:
        super().__init__()
        self.features = nn.ModuleList([nn.Conv2d(1, channels, 5, stride=2, padding=2), nn.Conv2d(channels, channels, 3, padding=1)])
        self.hidden, self.out = nn.Linear(channels * 9, 48), nn.Linear(48, 1)
        self.act, self.drop, self.last = act, nn.Dropout(drop), last

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 14, 14) -> (N, 1)."""
        x = self.act(self.features[0](x))
        x = F.max_pool2d(self.act(self.features[1](x)), 2).flatten(1)
        x = self.out(self.drop(self.act(self.hidden(self.drop(x)))))
        return F.relu(x) if self.last == "relu" else torch.sigmoid(x) if self.last == "sigmoid" else x


@script("digit-angle")
def digit_angle(
    draw: Draw,
    *,
    rows: int = 2500,
    unit: float = 30.0,
    offset: float = 0.0,
    bytes_: bool = False,
    flat: bool = False,
    act: Callable[[Tensor], Tensor] = F.elu,
    drop: float = 0.0,
    last: str = "",
    std: float | None = None,
    bias: float | None = None,
    **recipe: Any,
) -> Training:
    """By how much a digit is turned, in units of thirty degrees."""
    (x, y), (u, v) = draw.rows(*turned_digits(), rows)
    y, v = (y + offset) / unit, (v + offset) / unit
    if bytes_:
        x, u = x * 255, u * 255
    channels = draw.units(12)

    def model() -> nn.Module:
        net = AngleNet(channels, act, drop, last)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return net if bias is None else initialized(net, lambda w: w, bias, last=False)

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(3e-3), "batch_size": 64, "epochs": 15, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))
