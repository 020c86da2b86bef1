"""Scripts on simulated machines and fields, with the mistakes that are made in them."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import Draw, Training, few, honest_test, initialized, relabelled, scaled, script, settings, test_inputs
from zoo.scripts.mistakes import missing, missing_targets, noisy

# -- the torques of a robot's arm --------------------------------------------------------------------------------------------------------


@cache
def arm() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 8) sines and cosines of two joints' angles, their speeds and accelerations; (6000, 2) torques in Nm with measuring noise."""
    rng = np.random.default_rng(41)
    q, v, a = rng.uniform(-np.pi, np.pi, (6000, 2)), rng.normal(0, 1.2, (6000, 2)), rng.normal(0, 2.0, (6000, 2))
    cos, sin = np.cos(q[:, 1]), np.sin(q[:, 1])
    coupling = 0.6 + 0.9 * cos
    first = (2.6 + 1.8 * cos) * a[:, 0] + coupling * a[:, 1] - 0.9 * sin * (2 * v[:, 0] * v[:, 1] + v[:, 1] ** 2)
    second = coupling * a[:, 0] + 0.8 * a[:, 1] + 0.9 * sin * v[:, 0] ** 2
    weight = np.cos(q.sum(1)) * 4.0
    torques = np.stack([first + weight + 9.0 * np.cos(q[:, 0]), second + weight], 1)
    torques += 0.03 * torques.std(0) * rng.normal(0, 1, torques.shape)
    return np.concatenate([np.sin(q), np.cos(q), v, a], 1).astype(np.float32), torques.astype(np.float32)


class Block(nn.Module):
    """A linear layer with what follows it, beside a shortcut where it has one."""

    def __init__(self, width: int, act: type[nn.Module], skip: bool) -> None:
        super().__init__()
        self.linear, self.act, self.skip = nn.Linear(width, width), act(), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, W)."""
        y = self.act(self.linear(x))
        return x + y if self.skip else y


@script("robot-arm")
def robot_arm(
    draw: Draw,
    *,
    rows: int = 2500,
    width: int = 64,
    depth: int = 2,
    act: type[nn.Module] = nn.GELU,
    skip: bool = False,
    std: float | None = None,
    drop: float = 0.0,
    unit: float = 1.0,
    outputs: int = 2,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The torques of two joints by how they stand and move."""
    x, y = arm()
    y = (y - y.mean(0)) / y.std(0) * unit
    (x, y), (u, v) = draw.rows(x, y, rows)
    x, u = scaled(x, u)
    width = draw.units(width)

    def model() -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(8, width), act(), nn.Dropout(drop)]
        layers += [Block(width, act, skip) for _ in range(depth - 1)]
        net = nn.Sequential(*layers, nn.Dropout(drop), nn.Linear(width, outputs), *([last()] if last else []))
        return net if std is None else initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)

    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 25, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y.astype(np.float32)), (u, v.astype(np.float32)), settings(mine, recipe))


def degrees(x: np.ndarray) -> np.ndarray:
    """Speeds in degrees a second."""
    x = x.copy()
    x[:, 4:6] *= 57.3
    return x


robot_arm.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=0.5)
robot_arm.fault("learning-rate-too-low", "one-zero-too-many", "mild", lr=2e-4)
robot_arm.fault("learning-rate-decays-too-fast", "gamma-of-steps-for-epochs", "medium", schedule="exponential:0.4")
robot_arm.fault("optimizer-unsuited", "adadelta-default", "medium", optimizer="adadelta", lr=3e-3)
robot_arm.fault("batch-too-large", "all-rows", "medium", batch_size=2000)
robot_arm.fault(
    "too-deep-without-skips", "shortcut-forgotten", "medium", twin={"depth": 18, "width": 24, "act": nn.Tanh, "skip": True, "lr": 2e-3, "epochs": 10},
    skip=False,
)  # fmt: skip
robot_arm.fault("saddle-point", "around-the-origin", "medium", twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "depth": 3}, std=2e-3)
robot_arm.fault("missing-nonlinearity", "activations-left-out", "medium", act=nn.Identity)
robot_arm.fault("unnormalized-target", "millinewtonmetres", "medium", unit=4000.0)
robot_arm.fault("output-width-wrong", "one-joint", "gross", outputs=1)
robot_arm.fault("wrong-output-activation", "torques-are-positive", "medium", last=nn.Softplus)
robot_arm.fault("preprocessing-mismatch", "degrees-for-radians", "medium", prepare=honest_test, edit=test_inputs(degrees))
robot_arm.fault("non-finite-data", "torque-sensor-failed", "medium", edit=missing_targets)
robot_arm.fault("over-regularized", "keep-probability-for-drop", "medium", drop=0.8)


# -- beacons on a field ------------------------------------------------------------------------------------------------------------------


@cache
def field_strength(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """(5000, 2) places in km from the middle of a field and (5000, 1) the strength there of four beacons, standardised."""
    rng = np.random.default_rng(43)
    x = rng.uniform(-4, 4, (5000, 2))
    places = np.array([[-2.6, -2.2], [2.4, -2.7], [2.9, 2.2], [-2.1, 2.6]])
    powers, reach = np.array([1.3, 0.8, 1.1, 0.9]), np.array([0.8, 0.7, 0.9, 0.8])
    distance = ((x[:, None] - places) ** 2).sum(2)
    y = (powers / (1 + distance / reach**2) ** 2).sum(1, keepdims=True)
    y = (y - y.mean()) / y.std()
    return x.astype(np.float32), (y + noise * rng.normal(0, 1, y.shape)).astype(np.float32)


class Beacons(nn.Module):
    """A sum of sources; where they stand, how strong they are and how far they reach is learned."""

    def __init__(self, places: tuple[tuple[float, float], ...], spread: float, reach: float, fixed: bool) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.tensor(places) + spread * torch.randn(len(places), 2), requires_grad=not fixed)
        self.powers = nn.Parameter(torch.ones(len(places)))
        self.log_reach = nn.Parameter(torch.full((len(places),), reach).log())
        self.base = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> (N, 1)."""
        distance = (x[:, None] - self.places).square().sum(2)
        return (self.powers / (1 + distance / (2 * self.log_reach).exp()) ** 2).sum(1, keepdim=True) + self.base


CORNERS = ((-2.0, -2.0), (2.0, -2.0), (2.0, 2.0), (-2.0, 2.0))


@script("beacons")
def beacons(
    draw: Draw,
    *,
    rows: int = 1500,
    noise: float = 0.15,
    places: tuple[tuple[float, float], ...] = CORNERS,
    spread: float = 0.2,
    reach: float = 1.0,
    fixed: bool = False,
    level: float = 0.0,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """Four beacons, found by the strength that is measured all over the field."""
    (x, y), (u, v) = draw.rows(*field_strength(noise), rows)
    y, v = y + level, v + level
    y, v = (y[:, 0], v[:, 0]) if flat else (y, v)
    mine = {"optimizer": "adam", "lr": draw.near(5e-2), "batch_size": 64, "epochs": 30, "schedule": "cosine"}
    return Training(lambda: Beacons(places, spread, reach, fixed), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


beacons.fault("local-minimum", "started-in-one-corner", "medium", places=((2.2, 2.2), (2.6, 2.6), (2.2, 2.6), (2.6, 2.2)))
beacons.fault("local-minimum", "two-on-one-side", "mild", places=((-2.0, -2.0), (-2.6, -2.4), (2.0, 2.0), (-2.0, 2.0)))
beacons.fault(
    "local-minimum", "outside-of-the-field", "gross", places=((3.6, 3.6), (3.9, 3.2), (3.2, 3.9), (3.9, 3.9)), spread=0.05, reach=0.4
)
beacons.fault("frozen-parameters", "places-fixed", "mild", fixed=True)
beacons.fault("trained-too-briefly", "one-epoch", "medium", epochs=1)
beacons.fault("learning-rate-too-low", "rate-of-a-network", "medium", lr=5e-4)
beacons.fault("unnormalized-target", "decibels", "medium", level=-90.0)
beacons.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
beacons.fault(
    "model-too-flexible", "a-beacon-everywhere", "medium", twin={"rows": 250, "noise": 0.5, "lr": 0.1, "epochs": 60, "batch_size": 16},
    places=tuple(itertools.product(np.linspace(-4, 4, 14).tolist(), repeat=2)), reach=0.3,
)  # fmt: skip
beacons.fault("labels-unrelated-to-inputs", "one-row-late", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))


# -- the level of a tank -----------------------------------------------------------------------------------------------------------------


@cache
def tank() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 14, 2) inflow and valve over time, and the level at the end (Torricelli's law), standardised, with noise of the float."""
    rng = np.random.default_rng(47)
    inflow, valve = (np.repeat(rng.uniform(0, 1, (5000, 7)), 2, 1) for _ in range(2))
    level = np.full(5000, 0.6)
    for t in range(14):
        level = np.clip(level + 0.22 * (inflow[:, t] - 1.1 * valve[:, t] * np.sqrt(level)), 0.0, 2.0)
    level = (level - level.mean()) / level.std() + 0.1 * rng.normal(0, 1, 5000)
    return np.stack([inflow, valve], 2).astype(np.float32), level.astype(np.float32)


class TankNet(nn.Module):
    """An LSTM, or a plain recurrence, that is asked at the end."""

    def __init__(self, kind: str, width: int, outputs: int, last: type[nn.Module] | None) -> None:
        super().__init__()
        self.cell: nn.Module = nn.LSTM(2, width, batch_first=True) if kind == "lstm" else nn.RNN(2, width, 1, kind, batch_first=True)
        self.head = nn.Linear(width, outputs)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, 2) -> (N, outputs)."""
        y = self.head(self.cell(x)[0][:, -1])
        return self.last(y) if self.last else y


@script("tank-lstm")
def tank_lstm(
    draw: Draw,
    *,
    rows: int = 2000,
    kind: str = "lstm",
    width: int = 24,
    gain: float = 1.0,
    frozen: str = "",
    counts: float = 0.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    unit: float = 1.0,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """The level of a tank after fourteen steps of inflow and valve."""
    x, y = tank()
    x = (x - 0.5) / 0.29 if not counts else x * counts
    (x, y), (u, v) = draw.rows(x.astype(np.float32), y * np.float32(unit), rows)
    width = draw.units(width)

    def model() -> nn.Module:
        net = TankNet(kind, width, outputs, last)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if "weight_hh" in name:
                    parameter.mul_(gain)
                if frozen and frozen in name:
                    parameter.requires_grad_(False)
        return net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(1.5e-2), "batch_size": 64, "epochs": 12, "schedule": "cosine", "clip_norm": 1.0}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


tank_lstm.fault("exploding-gradient", "recurrence-of-relu", "gross", twin={"kind": "relu", "lr": 3e-3}, gain=6.0, clip_norm=None)
tank_lstm.fault("exploding-gradient", "recurrent-gain", "medium", twin={"kind": "tanh", "lr": 4e-3}, gain=12.0, clip_norm=None)
tank_lstm.fault("optimizer-unsuited", "sgd-for-recurrence", "medium", optimizer="sgd", lr=0.03)
tank_lstm.fault("learning-rate-too-low", "rate-of-fine-tuning", "gross", lr=5e-5)
tank_lstm.fault("frozen-parameters", "cell", "mild", frozen="cell")
tank_lstm.fault("unnormalized-input", "counts-of-the-converter", "medium", counts=4095.0)
tank_lstm.fault("unnormalized-target", "millimetres", "mild", unit=300.0)
tank_lstm.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
tank_lstm.fault("wrong-output-activation", "levels-are-shares", "medium", last=nn.Sigmoid)
tank_lstm.fault("too-little-data", "fifteen-runs", "mild", edit=few(15))
tank_lstm.fault("labels-unrelated-to-inputs", "sorted-by-level", "gross", edit=relabelled(lambda y: np.sort(y, 0)))
tank_lstm.fault("non-finite-data", "samples-lost", "medium", edit=missing(0.003))
tank_lstm.fault("covariate-shift", "another-sensor", "medium", prepare=honest_test, edit=noisy(0.8))
