"""Scripts on clouds of points, drawn by scikit-learn's generators."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.scripts.base import Draw, Training, initialized, script, settings

# -- inside a sphere or outside ----------------------------------------------------------------------------------------------------------


@cache
def spheres(noise: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """(8000, 10) normal numbers, and whether their squares sum up to more than usual (Hastie et al.), a few labels wrong."""
    from sklearn.datasets import make_hastie_10_2

    x, y = make_hastie_10_2(8000, random_state=0)
    hit = np.random.default_rng(6).random(len(y)) < noise
    return x.astype(np.float32), ((y > 0) ^ hit).astype(np.float32)


class SphereNet(nn.Module):
    """Hidden layers with SiLU, one logit."""

    def __init__(self, inputs: int, widths: tuple[int, ...], act: Callable[[Tensor], Tensor], last: str) -> None:
        super().__init__()
        sizes = (inputs, *widths)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.logit = nn.Linear(sizes[-1], 1)
        self.act, self.last = act, last

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) -> (N, 1)."""
        for layer in self.layers:
            x = self.act(layer(x))
        x = self.logit(x)
        return F.softmax(x, dim=1) if self.last == "softmax" else torch.sigmoid(x) if self.last == "sigmoid" else x


@script("hastie-silu")
def hastie_silu(
    draw: Draw,
    *,
    rows: int = 2500,
    columns: int = 10,
    levels: int = 0,
    widths: tuple[int, ...] = (48, 48),
    act: Callable[[Tensor], Tensor] = F.silu,
    last: str = "",
    alike: float | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Inside or outside of a sphere in ten dimensions."""
    x, y = spheres()
    (x, y), (u, v) = draw.rows(x, y[:, None], rows)
    x, u = x[:, :columns], u[:, :columns]
    if levels:
        x, u = (np.clip(np.round(np.abs(a)), 0, levels - 1).astype(np.float32) for a in (x, u))
    widths = tuple(w if w < 8 else draw.units(w) for w in widths)

    def model() -> nn.Module:
        net = SphereNet(x.shape[1], widths, act, last)
        if alike is not None:
            with torch.no_grad():
                for layer in net.layers:
                    layer.weight.copy_(layer.weight[:1] + alike * torch.randn_like(layer.weight))  # type: ignore[index,operator,arg-type]
                    layer.bias.zero_()  # type: ignore[operator]
                net.logit.weight.copy_(net.logit.weight[:, :1] + alike * torch.randn_like(net.logit.weight))
        return net

    loss = loss or (nn.BCELoss() if last == "softmax" else nn.BCEWithLogitsLoss())
    mine = {"optimizer": "adam", "lr": draw.near(5e-3), "batch_size": 64, "epochs": 15, "schedule": "cosine"}
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=2)


# -- shells one in another ---------------------------------------------------------------------------------------------------------------


@cache
def shells() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 4) normal numbers with a little noise, and the shell they lie in, of three."""
    from sklearn.datasets import make_gaussian_quantiles

    x, y = make_gaussian_quantiles(n_samples=7000, n_features=4, n_classes=3, random_state=0)
    return (x + np.random.default_rng(7).normal(0, 0.08, x.shape)).astype(np.float32), y.astype(np.int64)


class Dense(nn.Module):
    """A linear layer with what follows it, beside a shortcut where there is one."""

    def __init__(self, width: int, act: type[nn.Module], norm: type[nn.Module] | None, skip: bool) -> None:
        super().__init__()
        self.fc, self.act, self.skip = nn.Linear(width, width), act(), skip
        self.norm = norm(width) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, W)."""
        y = self.act(self.norm(self.fc(x)))
        return x + y if self.skip else y


@script("shells-deep")
def shells_deep(
    draw: Draw,
    *,
    rows: int = 2500,
    depth: int = 3,
    width: int = 32,
    act: type[nn.Module] = nn.ReLU,
    norm: type[nn.Module] | None = None,
    skip: bool = False,
    he: bool = False,
    gain: float | None = None,
    std: float | None = None,
    bias: float | None = None,
    outputs: int = 3,
    reduction: str = "mean",
    **recipe: Any,
) -> Training:
    """Which of three shells a point lies in."""
    (x, y), (u, v) = draw.rows(*shells(), rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        stack: list[nn.Module] = [nn.Linear(4, width), act()] if depth else []
        stack += [Dense(width, act, norm, skip) for _ in range(depth - 1)]
        net = nn.Sequential(*stack, nn.Linear(width if depth else 4, outputs))
        if he:
            initialized(net, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"), 0.0)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)
        if gain is not None:
            initialized(net, lambda w: w.mul_(gain), last=False)
        return net if bias is None else initialized(net, lambda w: w, bias, last=False)

    loss = nn.CrossEntropyLoss(reduction=reduction)
    mine = {"optimizer": "sgd", "lr": draw.near(0.05), "momentum": 0.9, "batch_size": 32, "epochs": 20, "schedule": "cosine"}
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=3)
