"""Scripts of a railway: axles that grow hot and gases that leak, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    Draw,
    Edit,
    Training,
    balanced,
    few,
    first_of,
    freeze_below_out,
    honest_test,
    initialized,
    judged_by_validation,
    kept,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    validation_among_training,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.mistakes import flattered_validation, other_shares

# -- how worn a bearing is ---------------------------------------------------------------------------------------------------------------

LOOKS = 10


@cache
def journeys() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 10, 5) minutes since the last look, kilometres an hour, tonnes, degrees of the air and of the axle; (6000,) its wear: heat
    comes with speed, load and wear, and goes with the difference to the air; looks come at odd times, one in eight without a reading."""
    rng = np.random.default_rng(347)
    n = 6000
    wear = rng.gamma(4, 0.25, n)
    gaps = rng.gamma(2.5, 2.4, (n, LOOKS))
    speed = np.clip(rng.normal(85, 25, (n, 1)) + 18 * rng.normal(0, 1, (n, LOOKS)), 0, 160)
    load = np.repeat(rng.uniform(6, 22, (n, 1)), LOOKS, 1)
    air = np.repeat(rng.normal(11, 8, (n, 1)), LOOKS, 1)
    axle = np.empty((n, LOOKS))
    heat = air[:, 0] + rng.gamma(2, 3.0, n)
    for i in range(LOOKS):
        steady = air[:, i] + 26 * wear * (speed[:, i] / 100) ** 1.5 * (0.3 + load[:, i] / 16)
        heat = steady + (heat - steady) * np.exp(-gaps[:, i] / 9)
        axle[:, i] = heat
    axle += 1.2 * rng.normal(0, 1, axle.shape)
    axle[:, 1:] = np.where(rng.random((n, LOOKS - 1)) < 0.125, axle[:, :-1], axle[:, 1:])
    return np.stack([gaps, speed, load, air, axle], 2).astype(np.float32), wear.astype(np.float32)


class AxleNet(nn.Module):
    """Recurrences above each other, read at the end, and layers."""

    def __init__(
        self,
        kind: str,
        width: int,
        floors: int,
        head: tuple[int, ...],
        act: type[nn.Module],
        drop: float,
        outputs: int,
        last: type[nn.Module] | None,
    ) -> None:
        super().__init__()
        cell = {"gru": nn.GRU, "lstm": nn.LSTM}.get(kind)
        self.cell: nn.Module = (
            cell(5, width, floors, batch_first=True) if cell else nn.RNN(5, width, floors, nonlinearity=kind, batch_first=True)
        )
        layers: list[nn.Module] = []
        for a, b in zip((width, *head), head, strict=False):
            layers += [nn.Linear(a, b), act()]
        self.head = nn.Sequential(*layers, nn.Dropout(drop), nn.Linear((width, *head)[-1], outputs))
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10, 5) -> (N, outputs)."""
        y = self.head(self.cell(x)[0][:, -1])
        return self.last(y) if self.last else y


@script("axle-lstm")
def axle_lstm(
    draw: Draw,
    *,
    rows: int = 1300,
    scale: bool = True,
    only: tuple[int, ...] = (),
    kind: str = "lstm",
    width: int = 20,
    floors: int = 2,
    head: tuple[int, ...] = (16,),
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    frozen: str = "",
    unit: float = 0.5,
    offset: float = 1.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """How worn a bearing is, standardised."""
    x, y = journeys()
    if scale:
        x = ((x - x.mean((0, 1))) / x.std((0, 1))).astype(np.float32)
    if only:
        x = x * np.isin(np.arange(5), only).astype(np.float32)
    y = (y - offset) / np.float32(unit)
    (x, y), (u, v) = draw.rows(x, y.astype(np.float32), rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = AxleNet(kind, width, floors, head, act, drop, outputs, last)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if "weight_hh" in name:
                    parameter.mul_(gain)
                if std is not None and parameter.ndim > 1:
                    parameter.normal_(0, std)
                if frozen and name.startswith(frozen):
                    parameter.requires_grad_(False)
        return initialized(net, lambda w: w, bias, last=False) if bias is not None else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(1.5e-2), "batch_size": 80, "epochs": 12, "schedule": "cosine", "clip_norm": 5.0}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


NESTEROV = {"optimizer": "sgd", "lr": 0.2, "momentum": 0.9, "optimizer_options": {"nesterov": True}, "clip_norm": 1.0, "epochs": 14}


def rough(noise: float) -> Edit:
    """Wear was judged by eye."""

    def edit(t: Training) -> None:
        y = t.train[1]
        t.train = (t.train[0], (y + noise * np.random.default_rng(349).normal(0, 1, y.shape)).astype(np.float32))

    return edit


def freight_to_express(t: Training) -> None:
    """Trained on slow trains, tested on the fastest."""
    (x, y), (u, v) = t.train, t.clean
    pace, theirs = x[:, :, 1].mean(1), u[:, :, 1].mean(1)
    slow, fast = pace < np.quantile(pace, 0.4), theirs > np.quantile(theirs, 0.7)
    t.train, t.test = (x[slow], y[slow]), (u[fast], v[fast])


def american(x: np.ndarray) -> np.ndarray:
    """Miles and Fahrenheit by a scaler of kilometres and degrees."""
    return x * np.array([1.0, 0.62, 1.0, 1.8, 1.8]) + np.array([0.0, -1.1, 0.0, 5.0, 2.6])


axle_lstm.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=0.5, clip_norm=None)
axle_lstm.fault("learning-rate-decays-too-fast", "gamma-of-steps-for-epochs", "gross", schedule="exponential:0.05", lr=5e-3)
axle_lstm.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.03, "batch_size": 20, "epochs": 6}, schedule="constant")
axle_lstm.fault("missing-warmup", "long-memory-from-cold", "medium", twin={
    "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 5e-3, "warmup_steps": 60, "head": (24,) * 6,
}, warmup_steps=0)  # fmt: skip
axle_lstm.fault("optimizer-unsuited", "sgd-for-recurrence", "medium", optimizer="sgd", lr=0.015)
axle_lstm.fault("batch-too-large", "as-much-as-fits", "mild", batch_size=1040)
axle_lstm.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
axle_lstm.fault("momentum-too-high", "averaging-weight", "medium", twin=NESTEROV, momentum=0.997, optimizer_options={})
axle_lstm.fault("exploding-gradient", "recurrence-of-relu", "medium", twin={"kind": "relu", "lr": 4e-3}, gain=5.0, clip_norm=None)
axle_lstm.fault("dead-units", "low-biases", "medium", twin={"head": (16, 16)}, bias=-4.0)
axle_lstm.fault("saturating-activation", "unit-variance-weights", "medium", std=3.0)
axle_lstm.fault("saddle-point", "around-the-origin", "medium", twin={**NESTEROV, "act": nn.Tanh, "head": (16, 16)}, std=3e-3)
axle_lstm.fault("gradient-clipping-too-tight", "a-thousandth", "medium", twin=NESTEROV, clip_norm=1e-3)
axle_lstm.fault("unnormalized-input", "tonnes-and-degrees", "medium", scale=False)
axle_lstm.fault("unnormalized-target", "thousandths", "gross", unit=0.002, offset=0.0)
axle_lstm.fault("model-too-simple", "one-state", "medium", width=1, floors=1)
axle_lstm.fault("bottleneck", "one-unit-before-the-end", "mild", twin={"act": nn.Tanh, "head": (16, 12, 16)}, head=(16, 1, 16))
axle_lstm.fault("features-insufficient", "axle-and-air", "medium", only=(0, 3, 4))
axle_lstm.fault("features-insufficient", "no-degrees-of-the-axle", "gross", only=(0, 1, 2, 3))
axle_lstm.fault("over-regularized", "decay-copied", "medium", weight_decay=0.1)
axle_lstm.fault("too-little-data", "sixty-journeys", "medium", edit=few(60))
axle_lstm.fault("model-too-flexible", "three-wide-floors", "medium", twin={
    "rows": 180, "width": 4, "floors": 1, "head": (), "lr": 1.2e-2, "batch_size": 20, "epochs": 24,
}, prepare=rough(0.5), width=64, floors=3, head=(64,), lr=5e-3)  # fmt: skip
axle_lstm.fault("covariate-shift", "freight-to-express", "medium", prepare=honest_test, edit=freight_to_express)
axle_lstm.fault("preprocessing-mismatch", "miles-and-fahrenheit", "medium", prepare=honest_test, edit=test_inputs(american))
axle_lstm.fault("wrong-labels", "validation-not-scaled", "medium", prepare=judged_by_validation,
               edit=validation_relabelled(lambda y: 0.5 * y + 1.0))  # fmt: skip

# -- which gas leaks ---------------------------------------------------------------------------------------------------------------------

SENSORS, GASES = 16, 6


@cache
def leaks() -> tuple[np.ndarray, np.ndarray]:
    """(6697, 16, 8) eight features of sixteen sensors as they stand in the files of eight batches, the last 764 rows years later;
    (6697,) the gas."""
    x, y = data.gas((1, 2, 3, 4, 5, 6, 8, 9))
    return x.reshape(-1, SENSORS, 8), y


def compressed(x: np.ndarray) -> np.ndarray:
    """A logarithm that keeps the sign."""
    return np.sign(x) * np.log1p(np.abs(x))


class Attending(nn.Module):
    """Every sensor looks at all others, then at itself; norms come first, or are left out."""

    def __init__(self, width: int, norm: bool, skip: bool, first: bool, drop: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.layers = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.one, self.two = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))
        self.drop, self.skip, self.first = nn.Dropout(drop), skip, first

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, width) -> (N, 16, width)."""
        z = self.one(x) if self.first else x
        y = self.drop(self.attention(z, z, z, need_weights=False)[0])
        x = x + y if self.skip else y
        z = self.two(x) if self.first else self.one(x)
        y = self.drop(self.layers(z))
        x = z + y if self.skip and not self.first else x + y if self.skip else y
        return x if self.first else self.two(x)


class LeakNet(nn.Module):
    """Sensors as vectors that know which they are, blocks of attention, and their mean."""

    def __init__(
        self, features: int, width: int, depth: int, norm: bool, skip: bool, first: bool, drop: float, neck: int, outputs: int
    ) -> None:
        super().__init__()
        self.entry, self.place = nn.Linear(features, width), nn.Parameter(0.3 * torch.randn(SENSORS, width))
        self.blocks = nn.Sequential(*(Attending(width, norm, skip, first, drop) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.neck = nn.Linear(width, neck) if neck else nn.Identity()
        self.out = nn.Linear(neck or width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, features) -> (N, outputs)."""
        y = self.blocks(self.entry(x) + self.place)
        return self.out(self.neck(self.norm(y.mean(1))))


@script("leak-sets")
def leak_sets(
    draw: Draw,
    *,
    rows: int = 1300,
    scale: bool = True,
    sensors: tuple[int, ...] = tuple(range(SENSORS)),
    features: tuple[int, ...] = tuple(range(8)),
    coarse: float = 0.0,
    years_later: bool = False,
    width: int = 16,
    depth: int = 2,
    norm: bool = True,
    skip: bool = True,
    first: bool = True,
    drop: float = 0.0,
    neck: int = 0,
    std: float | None = None,
    gain: float = 1.0,
    outputs: int = GASES,
    last: type[nn.Module] | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Which of six gases leaks, by sixteen sensors."""
    x, y = leaks()
    if scale:
        (x,) = scaled(compressed(x))
    x = np.where(np.isin(np.arange(SENSORS), sensors)[:, None] & np.isin(np.arange(8), features), x, 0).astype(np.float32)
    if coarse:
        x = np.round(x / np.float32(coarse)) * np.float32(coarse)
    (mine_x, mine_y), (u, v) = draw.rows(x[:5933], y[:5933], rows)
    if years_later:
        u, v = x[5933:], y[5933:]
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net: nn.Module = LeakNet(8, width, depth, norm, skip, first, drop, neck, outputs)
        if frozen:
            freeze_below_out(net)
        with torch.no_grad():
            for parameter in net.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(gain) if std is None else parameter.normal_(0, std)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adamw", "lr": draw.near(1.2e-2), "weight_decay": 0.01, "batch_size": 80, "epochs": 8, "schedule": "cosine"}
    mine["warmup_steps"] = 15
    return Training(model, nn.CrossEntropyLoss(), (mine_x, mine_y), (u, v), settings(mine, recipe), classes=GASES)


GRADIENT = {"optimizer": "sgd", "lr": 0.2, "momentum": 0.9, "weight_decay": 0.0, "epochs": 10}


def other_cable(t: Training) -> None:
    """Sensors are read in another order in the test set, by a plug that was turned."""
    t.test = (np.ascontiguousarray(t.clean[0][:, ::-1]), t.clean[1])


def acetone_later(t: Training) -> None:
    """Measured years later, with drift."""
    made = leak_sets.training(0, years_later=True)
    t.test = made.clean


leak_sets.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=3e-5)
leak_sets.fault("learning-rate-decays-too-fast", "step-every-epoch", "medium", schedule="step:1:0.05", warmup_steps=0, lr=2e-3)
leak_sets.fault("missing-warmup", "long-memory-from-cold", "medium", twin={
    "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 6e-3, "weight_decay": 0.0, "warmup_steps": 60,
}, warmup_steps=0)  # fmt: skip
leak_sets.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.03, "batch_size": 16, "epochs": 4}, schedule="constant")
leak_sets.fault("optimizer-unsuited", "sgd-for-attention", "medium", optimizer="sgd", lr=0.01)
leak_sets.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1040, warmup_steps=0)
leak_sets.fault("batch-too-small", "one-leak", "gross", twin=GRADIENT, batch_size=1, epochs=1)
leak_sets.fault("momentum-too-high", "averaging-weight", "medium", twin=GRADIENT, momentum=0.998)
leak_sets.fault("trained-too-briefly", "twelve-updates", "medium", max_steps=12, warmup_steps=0)
leak_sets.fault("vanishing-gradient", "gain-of-a-fifth", "medium", twin={"norm": False, "skip": False, "lr": 1e-2, "epochs": 18}, gain=0.2)
leak_sets.fault(
    "too-deep-without-skips", "shortcuts-forgotten", "medium", twin={"depth": 5, "width": 16, "lr": 8e-3, "epochs": 11}, skip=False
)
leak_sets.fault("unnormalized-input", "as-in-the-files", "medium", twin={"norm": False, "lr": 8e-3, "epochs": 10}, scale=False)
leak_sets.fault("model-too-simple", "no-attention-and-two-numbers", "mild", depth=0, width=2)
leak_sets.fault("bottleneck", "one-number-a-leak", "medium", twin={"neck": 12}, neck=1)
leak_sets.fault("features-insufficient", "two-coarse-sensors", "medium", sensors=(0, 8), features=(0,), coarse=1.0)
leak_sets.fault("over-regularized", "decay-of-adam-for-adamw", "medium", weight_decay=40.0)
leak_sets.fault("too-little-data", "forty-leaks", "medium", edit=few(40))
leak_sets.fault("label-noise", "bottles-mixed-up", "gross", edit=relabelled(wrong_share(0.65, GASES)))
leak_sets.fault("class-imbalance", "few-of-two-gases", "medium", prepare=balanced, edit=kept(first_of(4, 0, 5)))
leak_sets.fault("label-shift", "new-customers", "medium", prepare=honest_test, edit=other_shares((0, 2), 4))
leak_sets.fault("covariate-shift", "years-later", "medium", prepare=honest_test, edit=acetone_later)
leak_sets.fault("preprocessing-mismatch", "plug-turned", "gross", prepare=honest_test, edit=other_cable)
leak_sets.fault("preprocessing-mismatch", "another-logarithm", "mild", prepare=honest_test, edit=test_inputs(lambda x: x / 2.303 - 2))
leak_sets.fault("train-test-leakage", "validation-not-taken-out", "gross", twin={"rows": 100, "epochs": 20, "batch_size": 16, "lr": 5e-3},
                prepare=flattered_validation, edit=validation_among_training)  # fmt: skip
