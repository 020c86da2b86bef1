"""Scripts of a hospital: breath at night, the emergency room and scans, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    copied,
    few,
    first_of,
    freeze_below_out,
    honest_test,
    initialized,
    judged_by_validation,
    kept,
    redraw,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.mistakes import (
    flattered,
    missing,
    moving,
    other_shares,
    quantities,
    still,
    summed,
)
from zoo.scripts.pictures import Softmax

# -- how somebody breathes at night ------------------------------------------------------------------------------------------------------

MOMENTS, MANNERS = 40, 5
# Chest and belly in millivolts, flow in litres a second, oxygen in per cent.
CENTRES, SPREADS = np.array([120.0, 80.0, 0.0, 94.0]), np.array([40.0, 25.0, 0.5, 2.0])


@cache
def nights() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 4, 40) chest, belly, flow and oxygen over time; (5000,) the manner: calm, halted, blocked, waxing and waning, or restless."""
    rng, t = np.random.default_rng(307), np.arange(MOMENTS)
    n = 5000
    y = rng.integers(0, MANNERS, n)
    kind = y[:, None]
    pace = rng.uniform(0.7, 1.3, (n, 1)) * (1 + 0.05 * rng.normal(0, 1, (n, MOMENTS)))
    phase = pace.cumsum(1) + rng.uniform(0, 2 * np.pi, (n, 1))
    start, length = rng.uniform(4, 18, (n, 1)), rng.uniform(10, 18, (n, 1))
    inside = 1 / (1 + np.exp(-2 * (t - start))) / (1 + np.exp(2 * (t - start - length)))
    wave = np.abs(np.sin(np.pi * t / rng.uniform(16, 24, (n, 1)) + rng.uniform(0, np.pi, (n, 1))))
    effort = np.where(kind == 1, 1 - 0.9 * inside, np.where(kind == 3, 0.15 + wave, 1.0))
    flow = np.where((kind == 1) | (kind == 2), 1 - 0.9 * inside, effort)
    jerks = np.where(kind == 4, inside, 0.0) * rng.normal(0, 1.3, (2, n, MOMENTS))
    chest = effort * np.sin(phase) + jerks[0]
    belly = effort * np.sin(phase + np.where(kind == 2, 2.4 * inside, 0.4)) + jerks[1]
    oxygen = np.zeros((n, MOMENTS))
    for i in range(6, MOMENTS):
        oxygen[:, i] = oxygen[:, i - 1] - 0.15 * (0.9 - flow[:, i - 6]) - 0.1 * oxygen[:, i - 1]
    loud = rng.uniform(0.7, 1.3, (n, 3, 1))
    x = np.concatenate([loud * np.stack([chest, belly, flow * np.cos(phase)], 1), oxygen[:, None] + 0.5 * rng.normal(0, 1, (n, 1, 1))], 1)
    x += np.array([0.35, 0.35, 0.3, 0.15])[:, None] * rng.normal(0, 1, x.shape)
    x = x * SPREADS[:, None] + CENTRES[:, None]
    y = np.where(rng.random(n) < 0.03, rng.integers(0, MANNERS, n), y)
    return x.astype(np.float32), y


class Dilated(nn.Module):
    """A convolution over moments that lie apart, beside a shortcut."""

    def __init__(self, channels: int, apart: int, act: type[nn.Module], norm: bool, skip: bool) -> None:
        super().__init__()
        self.layer = nn.Conv1d(channels, channels, 3, padding=apart, dilation=apart)
        self.norm, self.act, self.skip = nn.BatchNorm1d(channels) if norm else nn.Identity(), act(), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, T) -> (N, channels, T)."""
        y = self.act(self.norm(self.layer(x)))
        return x + y if self.skip else y


class BreathNet(nn.Module):
    """Convolutions that look further and further; the mean and the greatest over time."""

    def __init__(
        self, channels: int, reaches: tuple[int, ...], act: type[nn.Module], norm: bool, skip: bool, drop: float, neck: int, outputs: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(4, channels, 5, stride=2, padding=2), nn.BatchNorm1d(channels) if norm else nn.Identity(), act()
        )
        self.body = nn.Sequential(*(Dilated(channels, apart, act, norm, skip) for apart in reaches))
        self.neck = nn.Sequential(nn.Linear(2 * channels, neck), act()) if neck else nn.Identity()
        self.drop, self.out = nn.Dropout(drop), nn.Linear(neck or 2 * channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4, 40) -> (N, outputs)."""
        y = self.body(self.stem(x))
        return self.out(self.drop(self.neck(torch.cat([y.mean(2), y.amax(2)], 1))))


@script("breath-dilated")
def breath_dilated(
    draw: Draw,
    *,
    rows: int = 1300,
    scale: bool = True,
    only: tuple[int, ...] = (),
    channels: int = 16,
    reaches: tuple[int, ...] = (1, 2, 4),
    act: type[nn.Module] = nn.ReLU,
    norm: bool = True,
    skip: bool = True,
    drop: float = 0.0,
    neck: int = 0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    outputs: int = MANNERS,
    last: type[nn.Module] | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """How somebody breathes for twenty seconds of the night."""
    x, y = nights()
    x = (x - CENTRES[:, None]) / SPREADS[:, None] if scale else x.copy()
    if only:
        x[:, [j for j in range(4) if j not in only]] = 0
    (x, y), (u, v) = draw.rows(x.astype(np.float32), y, rows)
    channels = draw.units(channels) if channels > 4 else channels

    def model() -> nn.Module:
        net: nn.Module = BreathNet(channels, reaches, act, norm, skip, drop, neck, outputs)
        if frozen:
            freeze_below_out(net)
        redraw(net, std, gain, bias)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adamw", "lr": draw.near(2e-2), "weight_decay": 0.02, "batch_size": 80, "epochs": 10, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=MANNERS)


SGD = {"optimizer": "sgd", "lr": 0.03, "momentum": 0.9, "weight_decay": 1e-4}
BARE = {"norm": False, "lr": 1e-2, "epochs": 12}


def other_belts(t: Training) -> None:
    """Chest and belly come in the other order in the test set, and flow with the other sign."""
    t.test = (np.ascontiguousarray(t.clean[0][:, [1, 0, 2, 3]]) * np.array([1.8, 0.5, -1, 1], np.float32)[:, None], t.clean[1])


def loose_belts(t: Training) -> None:
    """Belts lie loosely in the test set: little signal, much noise."""
    u, rng = t.clean[0].copy(), np.random.default_rng(311)
    u[:, :2] = 0.35 * u[:, :2] + 0.9 * rng.normal(0, 1, u[:, :2].shape)
    t.test = (u.astype(np.float32), t.clean[1])


breath_dilated.fault("learning-rate-too-high", "rate-of-sgd-for-adamw", "medium", lr=0.5)
breath_dilated.fault("learning-rate-decays-too-fast", "gamma-of-steps-for-epochs", "medium", schedule="exponential:0.1")
breath_dilated.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.03, "batch_size": 16, "epochs": 5}, schedule="constant")
breath_dilated.fault("momentum-too-high", "averaging-weight", "medium", twin=SGD, momentum=0.998)
breath_dilated.fault("batch-too-large", "all-nights", "medium", batch_size=1040)
breath_dilated.fault("batch-too-small", "two-nights", "medium", batch_size=2, epochs=1)
breath_dilated.fault("trained-too-briefly", "ten-updates", "medium", max_steps=10)
breath_dilated.fault("dead-units", "low-biases", "medium", twin=BARE, bias=-4.0)
breath_dilated.fault("bad-initialization", "a-thousandth", "medium", twin={**BARE, "skip": False}, std=1e-3, bias=0.0)
breath_dilated.fault("unnormalized-input", "millivolts-and-per-cent", "medium", twin=BARE, scale=False)
breath_dilated.fault("softmax-before-cross-entropy", "softmax-twice", "mild", twin=SGD, last=Softmax)
breath_dilated.fault("output-width-wrong", "restless-ones-not-counted", "medium", outputs=4)
breath_dilated.fault("wrong-loss", "names-as-quantities", "gross", outputs=1, edit=quantities)
breath_dilated.fault("frozen-parameters", "all-but-head", "medium", frozen=True)
breath_dilated.fault("bottleneck", "one-number-a-night", "medium", twin={"neck": 16}, neck=1)
breath_dilated.fault("model-too-simple", "one-channel", "medium", channels=1)
breath_dilated.fault("features-insufficient", "oxygen-alone", "medium", only=(3,))
breath_dilated.fault("over-regularized", "keep-for-drop", "medium", twin={"neck": 24}, drop=0.95)
breath_dilated.fault("too-little-data", "forty-nights", "medium", edit=few(40))
breath_dilated.fault("missing-augmentation", "never-delayed", "medium", prepare=moving(60, 6, (2,), 10), edit=still(60, 10))
breath_dilated.fault("label-noise", "tired-readers", "medium", edit=relabelled(wrong_share(0.6, MANNERS)))
breath_dilated.fault("class-imbalance", "few-halted-and-blocked", "medium", prepare=balanced, edit=kept(first_of(4, 1, 2)))
breath_dilated.fault("label-shift", "heart-ward", "medium", prepare=honest_test, edit=other_shares((1, 3), 5))
breath_dilated.fault("covariate-shift", "loose-belts", "medium", prepare=honest_test, edit=loose_belts)
breath_dilated.fault("preprocessing-mismatch", "other-belts", "medium", prepare=honest_test, edit=other_belts)
breath_dilated.fault("non-finite-data", "loose-contacts", "medium", edit=missing(0.001))

# -- who is kept in the hospital ---------------------------------------------------------------------------------------------------------

COMPLAINTS, WAYS, DISTRICTS = 12, 4, 9
SIZES = (COMPLAINTS, WAYS, DISTRICTS)


@cache
def emergencies() -> tuple[np.ndarray, np.ndarray]:
    """(8000, 10) complaint, way of coming, district, years, pulse, pressure, degrees, oxygen, lactate or -1 where it was not measured, and
    hours of waiting; (8000,) whether the patient is kept."""
    rng = np.random.default_rng(313)
    n = 8000
    complaint = rng.choice(COMPLAINTS, n, p=rng.dirichlet(np.full(COMPLAINTS, 6.0)))
    way, district = rng.choice(WAYS, n, p=[0.45, 0.3, 0.17, 0.08]), rng.integers(0, DISTRICTS, n)
    ill = rng.gamma(1.6, 0.6, n)
    age = np.clip(rng.normal(48 + 5 * ill, 19, n), 1, 99)
    pulse = 78 + 10 * ill + 10 * rng.normal(0, 1, n)
    pressure = 135 + 0.25 * (age - 50) - 9 * ill + 14 * rng.normal(0, 1, n)
    warm = 36.8 + 0.35 * ill + 0.6 * rng.normal(0, 1, n)
    oxygen = np.minimum(100, 98 - 1.2 * ill + 1.3 * rng.normal(0, 1, n))
    lactate = np.exp(0.1 + 0.35 * ill + 0.35 * rng.normal(0, 1, n))
    hours = rng.gamma(2, 1.3, n)
    graver, older = rng.normal(0, 1.6, COMPLAINTS), rng.uniform(0.0, 0.09, COMPLAINTS)
    fever = np.where(rng.random(COMPLAINTS) < 0.4, 1.4, 0.2)
    logit = -2.6 + graver[complaint] + older[complaint] * (age - 45) + fever[complaint] * np.maximum(warm - 37.3, 0)
    logit += 0.16 * np.maximum(pulse - 95, 0) + 0.09 * np.maximum(110 - pressure, 0) + 0.7 * np.maximum(95 - oxygen, 0)
    logit += 1.1 * np.log(lactate) + np.array([0.0, 0.9, 1.8, -0.5])[way]
    y = (2.2 * logit + rng.logistic(0, 1, n) > 0).astype(np.float32)
    lactate = np.where(rng.random(n) < 0.3, -1.0, lactate)
    return np.stack([complaint, way, district, age, pulse, pressure, warm, oxygen, lactate, hours], 1).astype(np.float32), y


def filled(x: np.ndarray) -> np.ndarray:
    """Lactate as a logarithm, the middle one where it was not measured, and whether it was."""
    known = x[:, 8] > 0
    x = np.concatenate([x, known[:, None]], 1)
    x[:, 8] = np.log(np.where(known, x[:, 8], np.median(x[known, 8])))
    return x.astype(np.float32)


class AdmissionNet(nn.Module):
    """Codes as vectors beside numbers, through layers that grow narrower or not."""

    def __init__(
        self, widths: tuple[int, ...], act: type[nn.Module], norm: bool, skip: bool, drop: float, last: type[nn.Module] | None
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 4) for size in SIZES)
        sizes = (20, *widths)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, widths, strict=False))
        self.norms = nn.ModuleList(nn.LayerNorm(b) if norm else nn.Identity() for b in widths)
        self.act, self.drop, self.skip = act(), nn.Dropout(drop), skip
        self.out = nn.Linear(sizes[-1], 1)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 11) -> (N, 1)."""
        x = torch.cat([*(table(x[:, i].long()) for i, table in enumerate(self.tables)), x[:, 3:]], 1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            y = self.drop(self.act(norm(layer(x))))
            x = x + y if self.skip and x.shape == y.shape else y
        y = self.out(x)
        return self.last(y) if self.last else y


@script("admission-table")
def admission_table(
    draw: Draw,
    *,
    rows: int = 3200,
    scale: bool = True,
    only: tuple[int, ...] = (),
    widths: tuple[int, ...] = (32, 16),
    act: type[nn.Module] = nn.ReLU,
    norm: bool = False,
    skip: bool = False,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Whether a patient of the emergency room is kept in the hospital."""
    x, y = emergencies()
    (x, y), (u, v) = draw.rows(filled(x), y[:, None], rows)
    if scale:
        x[:, 3:], u[:, 3:] = scaled(x[:, 3:], u[:, 3:])
    if only:
        for table in (x, u):
            table[:, [j for j in range(11) if j not in only]] = 0
    widths = tuple(draw.units(w) if w > 8 else w for w in widths)

    def model() -> nn.Module:
        net = AdmissionNet(widths, act, norm, skip, drop, last)
        if frozen:
            freeze_below_out(net)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w.mul_(gain), bias, last=False) if gain != 1 or bias is not None else net

    mine = {"optimizer": "adam", "lr": draw.near(1.2e-2), "batch_size": 100, "epochs": 10, "schedule": "cosine"}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


GRADIENT = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "epochs": 12}
COLD = {
    "widths": (16,) * 10,
    "skip": True,
    "optimizer": "rmsprop",
    "optimizer_options": {"alpha": 0.999},
    "lr": 8e-3,
    "warmup_steps": 70,
}
FEW = {"rows": 250, "widths": (), "lr": 3e-2, "batch_size": 20, "epochs": 25}


def fahrenheit(x: np.ndarray) -> np.ndarray:
    """Degrees and pulse by a scaler of other units, and pressure in kilopascals."""
    x = x.copy()
    x[:, [4, 5, 6]] = x[:, [4, 5, 6]] * np.array([1.0, 0.13, 1.8]) + np.array([1.5, -6.0, 7.0])
    return x


def winter(t: Training) -> None:
    """Those kept are rare in training and most of the test set."""
    kept(first_of(60, 1))(t)
    u, v = t.clean
    rows = (v[:, 0] == 1) | (np.random.default_rng(9).random(len(v)) < 0.1)
    t.test = (u[rows], v[rows])


admission_table.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=5e-5)
admission_table.fault("learning-rate-decays-too-fast", "step-every-epoch", "mild", schedule="step:1:0.05")
admission_table.fault("missing-warmup", "long-memory-from-cold", "medium", twin=COLD, warmup_steps=0)
admission_table.fault("optimizer-unsuited", "plain-gradient-descent", "mild", optimizer="sgd", lr=1.2e-2)
admission_table.fault("optimizer-unsuited", "adadelta-with-a-small-rate", "medium", optimizer="adadelta", lr=0.012)
admission_table.fault("momentum-too-high", "a-nine-too-many", "medium", twin=GRADIENT, momentum=0.999)
admission_table.fault("batch-too-large", "all-patients", "gross", batch_size=2560)
admission_table.fault("batch-too-small", "one-patient", "medium", twin=GRADIENT, batch_size=1, epochs=1)
admission_table.fault("saddle-point", "around-the-origin", "medium", twin={**GRADIENT, "act": nn.Tanh, "widths": (16, 16, 16)},
                      std=3e-3, bias=0.0)  # fmt: skip
admission_table.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={"widths": (24,) * 6, "lr": 6e-3}, act=nn.Sigmoid)
admission_table.fault("saturating-activation", "unit-variance-weights", "mild", twin={"act": nn.Tanh}, std=3.0)
admission_table.fault("too-deep-without-skips", "shortcut-forgotten", "medium",
                      twin={"widths": (20,) * 20, "skip": True, "lr": 4e-3}, skip=False)  # fmt: skip
admission_table.fault("unnormalized-input", "years-and-degrees", "medium", scale=False)
admission_table.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
admission_table.fault("loss-summed-over-batch", "sum", "gross", twin=GRADIENT, edit=summed)
admission_table.fault("features-insufficient", "district-and-waiting", "gross", only=(2, 9))
admission_table.fault("features-insufficient", "years-and-pressure", "mild", only=(3, 5))
admission_table.fault("over-regularized", "decay-of-adamw-for-adam", "medium", weight_decay=0.3)
admission_table.fault("too-little-data", "last-shift", "medium", edit=few(80))
admission_table.fault("model-too-flexible", "three-wide-layers", "medium", twin=FEW, widths=(256, 256, 256), lr=3e-3)
admission_table.fault("model-too-flexible", "one-very-wide-layer", "mild", twin={**FEW, "rows": 180}, widths=(1500,), lr=3e-3)
admission_table.fault("trained-too-long", "overnight", "medium", twin={"rows": 300, "widths": (48,), "batch_size": 20, "lr": 4e-3,
                      "epochs": 8, "schedule": "constant"}, epochs=160)  # fmt: skip
admission_table.fault("covariate-shift", "children-to-come", "medium", prepare=honest_test, edit=lambda t: old_to_young(t))
admission_table.fault("label-shift", "winter", "medium", prepare=honest_test, edit=winter)
admission_table.fault("preprocessing-mismatch", "fahrenheit-and-kilopascals", "medium", prepare=honest_test, edit=test_inputs(fahrenheit))
admission_table.fault("label-noise", "copied-by-hand", "gross", edit=relabelled(wrong_share(0.4, 2)))
admission_table.fault("labels-unrelated-to-inputs", "next-patient", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
admission_table.fault("class-imbalance", "few-are-kept", "medium", prepare=balanced, edit=kept(first_of(40, 1)))
admission_table.fault("wrong-labels", "validation-the-other-way-round", "medium", prepare=judged_by_validation,
                      edit=validation_relabelled(lambda y: 1 - y))  # fmt: skip


def old_to_young(t: Training) -> None:
    """Trained on the older half, tested on the youngest."""
    (x, y), (u, v) = t.train, t.clean
    old, young = x[:, 3] > np.quantile(x[:, 3], 0.5), u[:, 3] < np.quantile(u[:, 3], 0.3)
    t.train, t.test = (x[old], y[old]), (u[young], v[young])


# -- how far a scan is out of focus ------------------------------------------------------------------------------------------------------

SIDE = 14


@cache
def scans() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 1, 14, 14) grey levels in 0..1 out of the middles of photographs, blurred, with the scanner's noise; (7000,) by how many
    pixels."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(317)
    grey = data.cifar(7000)[0].reshape(-1, 3, 32, 32).mean(1)
    blur = rng.uniform(0.0, 2.0, len(grey))
    x = np.stack([gaussian_filter(picture, width)[9:23, 9:23] for picture, width in zip(grey, blur, strict=True)])
    return (x + 0.01 * rng.normal(0, 1, x.shape))[:, None].astype(np.float32), blur.astype(np.float32)


class ScanNet(nn.Module):
    """Convolutions, every other one with a stride, their mean squares over all places, and a layer."""

    def __init__(
        self, channels: tuple[int, ...], hidden: int, act: type[nn.Module], norm: bool, drop: float, neck: int, outputs: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip((1, *channels), channels, strict=False)):
            layers += [nn.Conv2d(a, b, 3, stride=1 + i % 2, padding=1), *([nn.BatchNorm2d(b)] if norm else []), act()]
        self.features = nn.Sequential(*layers)
        head: list[nn.Module] = [nn.Linear(channels[-1], neck)] if neck else []
        head += [nn.Linear(neck or channels[-1], hidden), act(), nn.Dropout(drop), nn.Linear(hidden, outputs)]
        self.head = nn.Sequential(*head)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 14, 14) -> (N, outputs)."""
        return self.head(self.features(x).mean((2, 3)))


@script("scan-focus")
def scan_focus(
    draw: Draw,
    *,
    rows: int = 1300,
    scale: bool = True,
    coarse: int = 1,
    channels: tuple[int, ...] = (8, 12, 12),
    hidden: int = 24,
    act: type[nn.Module] = nn.ReLU,
    norm: bool = True,
    drop: float = 0.0,
    neck: int = 0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    unit: float = 0.58,
    offset: float = 1.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    flat: bool = False,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """By how much a scan is blurred, standardised."""
    x, y = scans()
    if coarse > 1:
        places = np.arange(SIDE) // coarse * coarse
        x = x[:, :, places][:, :, :, places]
    x = (x - x.mean((2, 3), keepdims=True)) / 0.12 if scale else 255 * x
    y = (y - offset) / np.float32(unit)
    (x, y), (u, v) = draw.rows(x.astype(np.float32), y.astype(np.float32), rows)
    channels = tuple(draw.units(c) if c > 4 else c for c in channels)

    def model() -> nn.Module:
        net: nn.Module = ScanNet(channels, hidden, act, norm, drop, neck, outputs)
        if frozen:
            for name, parameter in net.named_parameters():
                parameter.requires_grad_(name.startswith("head"))
        redraw(net, std, gain, bias)
        return nn.Sequential(net, last()) if last else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "sgd", "lr": draw.near(0.06), "momentum": 0.9, "batch_size": 65, "epochs": 12, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


ADAM = {"norm": False, "optimizer": "adam", "lr": 1e-2, "momentum": 0.0, "epochs": 26}
SHORT = {"rows": 250, "batch_size": 20, "epochs": 14, "lr": 0.04}


def older_scanner(t: Training) -> None:
    """The test set comes from a scanner with more noise."""
    t.test = ((t.clean[0] + 0.35 * np.random.default_rng(331).normal(0, 1, t.clean[0].shape)).astype(np.float32), t.clean[1])


scan_focus.fault("learning-rate-too-high", "decimal-slip", "medium", lr=8.0)
scan_focus.fault("learning-rate-too-low", "rate-of-adam-for-sgd", "mild", lr=1e-4)
scan_focus.fault("learning-rate-decays-too-fast", "impatient", "medium", schedule="step:1:0.05", lr=0.01)
scan_focus.fault("missing-decay", "schedule-forgotten", "mild", twin={"batch_size": 16, "epochs": 6}, schedule="constant")
scan_focus.fault("momentum-too-high", "a-nine-too-many", "mild", momentum=0.997)
scan_focus.fault("batch-too-small", "two-scans", "gross", batch_size=2, epochs=1)
scan_focus.fault("trained-too-briefly", "eight-updates", "mild", max_steps=8)
scan_focus.fault("dead-units", "low-biases", "gross", twin=ADAM, bias=-3.0)
scan_focus.fault("saddle-point", "around-the-origin", "gross", twin={"norm": False, "act": nn.Tanh, "lr": 0.15, "epochs": 16},
                 std=1e-2, bias=0.0)  # fmt: skip
scan_focus.fault("missing-normalization", "no-batch-norm", "medium", twin={"channels": (12,) * 8}, norm=False)
scan_focus.fault("unnormalized-target", "micrometres", "medium", unit=0.004, offset=0.0)
scan_focus.fault("unnormalized-input", "bytes", "gross", twin={**ADAM, "channels": (16, 16, 16)}, scale=False)
scan_focus.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
scan_focus.fault("wrong-output-activation", "blur-is-positive", "medium", last=nn.ReLU)
scan_focus.fault("model-too-simple", "one-channel", "mild", channels=(1,), hidden=2)
scan_focus.fault("missing-nonlinearity", "activations-left-out", "gross", twin={"norm": False, "lr": 0.05, "epochs": 14}, act=nn.Identity)
scan_focus.fault("features-insufficient", "thumbnails", "medium", coarse=7)
scan_focus.fault("over-regularized", "decay-of-a-half", "medium", weight_decay=0.5)
scan_focus.fault("frozen-parameters", "all-but-head", "mild", twin={"channels": (6, 6)}, frozen=True)
scan_focus.fault("too-little-data", "thirty-scans", "medium", edit=few(30))
scan_focus.fault("label-noise", "some-sheets-mixed-up", "medium", edit=lambda t: mixed_up(t))
scan_focus.fault("covariate-shift", "older-scanner", "medium", prepare=honest_test, edit=older_scanner)
scan_focus.fault("preprocessing-mismatch", "another-contrast", "medium", prepare=honest_test, edit=test_inputs(lambda x: 0.3 * x - 1))
scan_focus.fault("wrong-labels", "validation-not-scaled", "medium", prepare=judged_by_validation,
                 edit=validation_relabelled(lambda y: 0.58 * y + 1.0))  # fmt: skip
scan_focus.fault("train-test-leakage", "copied-before-split", "medium", twin=SHORT, prepare=flattered, edit=copied(5))


def mixed_up(t: Training) -> None:
    """Two sheets of five bear the number of another."""
    y, rng = t.train[1].copy(), np.random.default_rng(337)
    hit = np.flatnonzero(rng.random(len(y)) < 0.4)
    y[hit] = y[rng.permutation(hit)]
    t.train = (t.train[0], y)
