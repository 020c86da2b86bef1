"""Scripts on radar pictures, observations and tides, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    few,
    first_of,
    given_validation,
    honest_test,
    initialized,
    judged_by_validation,
    kept,
    relabelled,
    script,
    settings,
    test_inputs,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.market import Softmax
from zoo.scripts.mistakes import missing_targets, moving, other_shares, still, summed

# -- what a radar sees -------------------------------------------------------------------------------------------------------------------

SIDE = 14


@cache
def echoes() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 14, 14) reflectivities in dBZ, and what they are of: rain all over, showers, a front or a vortex."""
    rng = np.random.default_rng(113)
    n = 5000
    y = rng.integers(0, 4, n)
    rows, columns = np.mgrid[:SIDE, :SIDE][:, None].astype(float) - (SIDE - 1) / 2
    turn, centre = rng.uniform(0, 2 * np.pi, (n, 1, 1)), rng.uniform(-1.5, 1.5, (2, n, 1, 1))
    a, b = rows - centre[0], columns - centre[1]
    along, across = a * np.cos(turn) + b * np.sin(turn), b * np.cos(turn) - a * np.sin(turn)
    tilt = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    waves = sum(np.cos(k * along + (k - 0.2) * across * np.sin(tilt) + p) for k, p in ((0.5, tilt), (0.8, 2 * tilt), (1.1, turn)))
    x = np.empty((n, SIDE, SIDE))
    x[y == 0] = 20 + 4 * waves[y == 0]
    showers = np.zeros((n, SIDE, SIDE))
    for _ in range(4):
        place, size = rng.uniform(-6, 6, (2, n, 1, 1)), rng.uniform(1.0, 1.7, (n, 1, 1))
        showers += rng.uniform(12, 28, (n, 1, 1)) * np.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / 2 / size**2)
    x[y == 1] = 6 + showers[y == 1]
    bent = across - rng.uniform(-0.06, 0.06, (n, 1, 1)) * along**2
    x[y == 2] = (8 + 24 * np.exp(-(bent**2) / 2 / 1.3**2))[y == 2]
    radius, angle = np.hypot(a, b), np.arctan2(a, b)
    spiral = np.cos(2 * (angle - turn) - 0.75 * radius)
    x[y == 3] = (8 + 22 * np.exp(-((radius - 3.5) ** 2) / 14) * (0.5 + 0.5 * spiral))[y == 3]
    # Attenuation from left to right, and speckle.
    x = x * rng.uniform(0.75, 1.15, (n, 1, 1)) - rng.uniform(0, 0.3, (n, 1, 1)) * np.arange(SIDE) + 3.0 * rng.normal(0, 1, x.shape)
    # One in twenty was called something else by those who looked at it.
    y = np.where(rng.random(n) < 0.05, rng.integers(0, 4, n), y)
    return x[:, None].astype(np.float32), y


class RadarBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int, norm: bool, skip: bool, act: type[nn.Module]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels) if norm else nn.Identity(), act()]
        self.body, self.skip = nn.Sequential(*layers), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.body(x) if self.skip else self.body(x)


@script("radar-residual")
def radar_residual(
    draw: Draw,
    *,
    rows: int = 2000,
    centred: bool = True,
    channels: int = 8,
    blocks: int = 1,
    norm: bool = True,
    skip: bool = True,
    act: type[nn.Module] = nn.ReLU,
    std: float | None = None,
    bias: float | None = None,
    frozen: bool = False,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Rain all over, showers, a front or a vortex."""
    x, y = echoes()
    (x, y), (u, v) = draw.rows((x - 15) / 12 if centred else x, y, rows)

    def model() -> nn.Module:
        stem = [nn.Conv2d(1, channels, 5, stride=2, padding=2), nn.BatchNorm2d(channels) if norm else nn.Identity(), act()]
        body = [RadarBlock(channels, norm, skip, act) for _ in range(blocks)]
        head = [nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9 * channels, outputs), *([last()] if last else [])]
        net = initialized(nn.Sequential(*stem, *body, *head), nn.init.kaiming_normal_, 0.0, last=False)
        if blocks > 1 and not norm:
            for block in body:
                block.body[3].weight.data.mul_(0.5)  # so that sums do not grow
        if frozen:
            net[:-1].requires_grad_(False)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w, bias, last=False) if bias is not None else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.05), "momentum": 0.9, "batch_size": 32, "epochs": 6, "schedule": "cosine"}
    mine["weight_decay"] = 1e-3
    return Training(model, loss or nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


UNNORMED = {"norm": False, "lr": 0.04}

radar_residual.fault(
    "too-deep-without-skips", "plain-net", "medium", twin={"blocks": 5, "norm": False, "lr": 0.025, "epochs": 9}, skip=False
)
radar_residual.fault("missing-normalization", "no-batch-norm", "medium", twin={"blocks": 4, "skip": False, "lr": 0.03}, norm=False)
radar_residual.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={"norm": False, "lr": 0.03, "skip": False}, act=nn.Sigmoid)
radar_residual.fault(
    "exploding-gradient",
    "unit-variance-in-every-block",
    "gross",
    twin={"norm": False, "blocks": 2, "lr": 0.05, "epochs": 8},
    std=0.6,
    bias=0.0,
)
radar_residual.fault("dead-units", "low-biases", "medium", twin=UNNORMED, bias=-8.0)
radar_residual.fault("bad-initialization", "zeros", "gross", twin=UNNORMED, std=0.0, bias=0.0)
radar_residual.fault("learning-rate-too-high", "decimal-slip", "mild", twin=UNNORMED, lr=0.7)
radar_residual.fault("momentum-too-high", "a-nine-too-many", "medium", twin=UNNORMED, momentum=0.998)
radar_residual.fault("loss-summed-over-batch", "sum", "medium", twin=UNNORMED, edit=summed)
radar_residual.fault("softmax-before-cross-entropy", "probabilities", "mild", twin=UNNORMED, last=Softmax)
radar_residual.fault("output-width-wrong", "no-class-for-rain", "mild", outputs=3)
radar_residual.fault("frozen-parameters", "head-only", "medium", frozen=True)
radar_residual.fault("data-not-shuffled", "folder-by-folder", "gross", prepare=by_label, shuffle=False)
radar_residual.fault("unnormalized-input", "as-integers", "medium", twin=UNNORMED, edit=lambda t: bytes_of(t))
radar_residual.fault(
    "missing-augmentation", "never-moved", "medium", twin={"epochs": 10}, prepare=moving(200, 3, (2, 3), 8), edit=still(200, 8)
)
radar_residual.fault("missing-nonlinearity", "activations-left-out", "medium", twin=UNNORMED, act=nn.Identity)
radar_residual.fault("too-little-data", "fifty-pictures", "medium", edit=few(50))
radar_residual.fault("label-noise", "hurried-forecasters", "gross", edit=relabelled(wrong_share(0.6, 4)))
radar_residual.fault("wrong-labels", "another-order-of-classes", "medium", prepare=given_validation, edit=relabelled(lambda y: (y + 1) % 4))
radar_residual.fault("class-imbalance", "few-vortices", "medium", prepare=balanced, edit=kept(first_of(8, 3)))
radar_residual.fault("label-shift", "stormy-season", "medium", prepare=honest_test, edit=other_shares((1, 3), 10))
radar_residual.fault("covariate-shift", "older-radar", "medium", prepare=honest_test, edit=test_inputs(
    lambda x: x + np.random.default_rng(15).normal(0, 1.2, x.shape)
))  # fmt: skip
radar_residual.fault("model-too-simple", "one-channel", "mild", twin={"blocks": 0}, channels=1)


def bytes_of(t: Training) -> None:
    """Reflectivities as the 0..255 of a grey picture."""
    (x, y), (u, v) = t.train, t.clean
    t.train, t.clean = ((np.clip(np.round(30 * a + 110), 0, 255).astype(np.float32), b) for a, b in ((x, y), (u, v)))


# -- warnings by what was observed -------------------------------------------------------------------------------------------------------

CODES, HOURS = 14, 12


@cache
def observations() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 12) codes of hourly observations, 0..13, and (7000, 4) which warnings were issued: of ice (frost and rain), of storm (two
    great falls of pressure), of a flood (heavy rain three times) and of fog (mist, and no wind before it); now and then by mistake."""
    rng = np.random.default_rng(127)
    n = 7000
    x = rng.integers(0, CODES, (n, HOURS))
    # Weather stays: an hour is often as the one before.
    for t in range(1, HOURS):
        x[:, t] = np.where(rng.random(n) < 0.2, x[:, t - 1], x[:, t])
    rain, frost, fall, heavy, mist, wind = x == 0, x == 2, (x == 4) | (x == 5), (x == 6) | (x == 7), x == 8, x >= 11
    y = np.stack([rain.any(1) & frost.any(1), fall.sum(1) >= 2, heavy.sum(1) >= 3, mist.any(1) & (wind.sum(1) < 3)], 1)
    return x, (y ^ (rng.random(y.shape) < 0.03)).astype(np.float32)


class PostNorm(nn.Module):
    """Attention and a small network, each added and normalised thereafter (or before)."""

    def __init__(self, width: int, first: bool, norm: bool, skip: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.norm1, self.norm2 = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))
        self.first, self.skip = first, float(skip)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        z = self.norm1(x) if self.first else x
        x = self.skip * x + self.attention(z, z, z, need_weights=False)[0]
        x = x if self.first else self.norm1(x)
        x = self.skip * x + self.mlp(self.norm2(x) if self.first else x)
        return x if self.first else self.norm2(x)


class WarningNet(nn.Module):
    """Embeddings of codes and hours, blocks, a mean over hours."""

    def __init__(self, width: int, depth: int, first: bool, norm: bool, skip: bool, gain: float, outputs: int, drop: float) -> None:
        super().__init__()
        self.codes, self.hours = nn.Embedding(CODES, width), nn.Parameter(0.3 * torch.randn(HOURS, width))
        self.blocks = nn.Sequential(*(PostNorm(width, first, norm, skip) for _ in range(depth)))
        self.hidden, self.head, self.drop = nn.Linear(width, width), nn.Linear(width, outputs), nn.Dropout(drop)
        with torch.no_grad():
            self.codes.weight.mul_(gain)
            self.hidden.weight.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 12) -> (N, outputs)."""
        x = self.blocks(self.codes(x) + self.hours).mean(1)
        return self.head(self.drop(self.hidden(x).relu()))


@script("warning-transformer")
def warning_transformer(
    draw: Draw,
    *,
    rows: int = 2500,
    width: int = 16,
    depth: int = 1,
    first: bool = True,
    norm: bool = True,
    skip: bool = True,
    gain: float = 1.0,
    std: float | None = None,
    frozen: bool = False,
    drop: float = 0.0,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Which of four warnings are issued."""
    (x, y), (u, v) = draw.rows(*observations(), rows)

    def model() -> nn.Module:
        net = WarningNet(width, depth, first, norm, skip, gain, outputs, drop)
        if std is not None:
            with torch.no_grad():
                for parameter in net.parameters():
                    if parameter.ndim > 1:
                        parameter.normal_(0, std)
        if frozen:
            for name, parameter in net.named_parameters():
                parameter.requires_grad_(name.startswith("head"))
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adamw", "lr": draw.near(2e-2), "batch_size": 32, "epochs": 8, "schedule": "cosine", "warmup_steps": 30}
    mine["weight_decay"] = 0.05
    loss = loss or nn.BCEWithLogitsLoss()
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=4, multilabel=True)


LONG_MEMORY = {"depth": 2, "first": False, "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 3e-3, "weight_decay": 0.0}

warning_transformer.fault("missing-warmup", "post-norm-from-cold", "medium", twin={**LONG_MEMORY, "warmup_steps": 100}, warmup_steps=0)
warning_transformer.fault("optimizer-unsuited", "sgd-for-attention", "medium", optimizer="sgd", lr=0.02)
warning_transformer.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "gross", lr=0.3)
warning_transformer.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=2400)
warning_transformer.fault(
    "learning-rate-decays-too-fast", "halved-too-often", "medium", schedule="exponential:0.1", lr=3e-3, warmup_steps=0
)
warning_transformer.fault("bad-initialization", "unit-variance", "medium", std=1.5)
warning_transformer.fault("bottleneck", "narrow-model", "mild", width=2)
warning_transformer.fault("wrong-loss", "one-warning-a-day", "medium", loss=nn.CrossEntropyLoss())
warning_transformer.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", last=nn.Sigmoid)
warning_transformer.fault("over-regularized", "decay-of-adam-for-adamw", "medium", weight_decay=30.0)
warning_transformer.fault("label-noise", "random-warnings", "gross", edit=relabelled(wrong_share(0.42, 2)))
warning_transformer.fault("too-little-data", "first-fortnight", "medium", edit=few(150))

# -- the level of the sea ----------------------------------------------------------------------------------------------------------------

# In turns a unit of time (half of four days): half a day, a day, a quarter of a day.
TIDES = (24.3, 12.6, 48.6)


@cache
def tides(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """(5000, 4) time in -1..1, wind east and north in m/s and pressure in hPa; (5000, 1) the level in m: three tides, wind, air, waves."""
    rng = np.random.default_rng(131)
    n = 5000
    t, wind, air = rng.uniform(-1, 1, n), 6 * rng.normal(0, 1, (n, 2)), 1013 + 9 * rng.normal(0, 1, n)
    parts = ((1.1, 0.7), (0.6, 2.1), (0.35, 4.0))
    y = sum(a * np.cos(w * t + p) for w, (a, p) in zip(TIDES, parts, strict=True))
    y = y + 0.02 * wind[:, 0] - 0.01 * wind[:, 1] - 0.01 * (air - 1013) + 0.05 * t + noise * rng.normal(0, 1, n)
    return np.stack([t, *wind.T, air], 1).astype(np.float32), y[:, None].astype(np.float32)


class Harmonics(nn.Module):
    """Waves whose frequencies are learned, and what wind and air add."""

    def __init__(self, turns: tuple[float, ...], spread: float, frozen: bool) -> None:
        super().__init__()
        self.turns = nn.Parameter(torch.tensor(turns) + spread * torch.randn(len(turns)))
        self.parts = nn.Linear(2 * len(turns), 1, bias=False)
        self.rest = nn.Linear(4, 1)
        self.parts.requires_grad_(not frozen)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4) -> (N, 1)."""
        phase = x[:, :1] * self.turns
        return self.parts(torch.cat([phase.cos(), phase.sin()], 1)) + self.rest(x)


@script("tide-harmonics")
def tide_harmonics(
    draw: Draw,
    *,
    rows: int = 1500,
    noise: float = 0.25,
    turns: tuple[float, ...] = (24.0, 12.3, 48.2),
    spread: float = 0.2,
    scale: bool = True,
    metres: float = 1.0,
    datum: float = 0.0,
    frozen: bool = False,
    flat: bool = False,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """The level of the sea by time, wind and air."""
    x, y = tides(noise)
    x = x.copy()
    x[:, 1:] = (x[:, 1:] - [0, 0, 1013]) / [6, 6, 9] if scale else x[:, 1:] * np.array([1, 1, 100], np.float32)
    (x, y), (u, v) = draw.rows(x, y * np.float32(metres) + np.float32(datum), rows)
    y, v = (y[:, 0], v[:, 0]) if flat else (y, v)
    mine = {"optimizer": "adam", "lr": draw.near(3e-2), "batch_size": 64, "epochs": 25, "schedule": "cosine"}
    return Training(lambda: Harmonics(turns, spread, frozen), loss or nn.HuberLoss(), (x, y), (u, v), settings(mine, recipe))


def forecast(t: Training) -> None:
    """Trained on the first days, tested on the last."""
    (x, y), (u, v) = t.train, t.clean
    low, high = x[:, 0] < -0.8, u[:, 0] > 0.2
    t.train, t.test = (x[low], y[low]), (u[high], v[high])


WIDE = tuple(np.linspace(2.0, 80.0, 120).tolist())

tide_harmonics.fault("local-minimum", "solar-for-lunar-hours", "medium", turns=(30.5, 17.5, 39.0))
tide_harmonics.fault("local-minimum", "slow-waves", "gross", turns=(1.0, 2.0, 3.0))
tide_harmonics.fault("local-minimum", "all-of-one-day", "mild", turns=(12.0, 12.3, 12.6))
tide_harmonics.fault("model-too-simple", "one-tide", "mild", turns=(24.0,))
tide_harmonics.fault(
    "model-too-flexible", "every-frequency", "medium", twin={"rows": 250, "noise": 0.5, "epochs": 60, "batch_size": 16}, turns=WIDE
)
tide_harmonics.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=2e-4)
tide_harmonics.fault("learning-rate-decays-too-fast", "adagrad-default", "medium", optimizer="adagrad", lr=1e-2, schedule="constant")
tide_harmonics.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.3, "batch_size": 8, "epochs": 6}, schedule="constant")
tide_harmonics.fault("unnormalized-target", "millimetres-above-datum", "medium", metres=1000.0, datum=5000.0)
tide_harmonics.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
tide_harmonics.fault("over-regularized", "decay-copied", "medium", weight_decay=1.0)
tide_harmonics.fault("covariate-shift", "first-day-for-all", "medium", prepare=honest_test, edit=forecast)
tide_harmonics.fault("preprocessing-mismatch", "time-in-other-units", "gross", prepare=honest_test, edit=test_inputs(
    lambda x: x * np.array([1.0, 6, 6, 9]) + np.array([0, 0, 0, 1.0])
))  # fmt: skip
tide_harmonics.fault("non-finite-data", "gauge-failed", "medium", edit=missing_targets)
tide_harmonics.fault("too-little-data", "ten-readings", "gross", edit=few(10))
tide_harmonics.fault(
    "wrong-labels", "validation-in-feet", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: y * 3.28 + 4)
)
