"""Scripts of an orchard: sprayers, frosts, spoken commands, traps and bruised apples, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    CLEAN_ROWS,
    Draw,
    Training,
    balanced,
    copied,
    few,
    first_of,
    freeze_below_out,
    honest_test,
    judged_by_validation,
    kept,
    redraw,
    relabelled,
    scaled,
    script,
    settings,
    validation_relabelled,
)
from zoo.scripts.mistakes import flattered, missing, summed

# -- how far a sprayer's mist drifts -----------------------------------------------------------------------------------------------------

PRESSURE, TEMPERATURE = 0, 5


@cache
def drifts() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 9) pressure in bar, aperture in mm, wind in m/s, its angle in degrees, height in m, temperature in C, humidity in per cent, speed
    in km/h and additive in ml; (6000,) how many metres the mist drifts, on a logarithmic scale, as slips of paper caught it."""
    rng = np.random.default_rng(601)
    n = 6000
    bar, mm, wind, angle = rng.uniform(1.5, 8, n), rng.uniform(0.8, 2.0, n), rng.gamma(3, 1.0, n), rng.uniform(0, 180, n)
    height, warm, damp, speed, oil = (
        rng.uniform(0.5, 3, n),
        rng.normal(18, 6, n),
        rng.uniform(30, 95, n),
        rng.uniform(3, 12, n),
        rng.uniform(0, 50, n),
    )
    size = 260 * mm**0.8 / bar**0.45 * (1 + 0.012 * oil)
    dry = np.clip(warm - 4, 0, 30) * (100 - damp) / 100
    size = np.clip(size - 4.5 * dry * height, 25, None)
    falling = np.minimum(3.0, (size / 110) ** 1.8)
    across = np.abs(np.sin(np.radians(angle))) * wind
    metres = 0.3 + across * height / falling + 0.04 * speed * height * np.cos(np.radians(angle)).clip(0)
    y = np.log(metres) + 0.15 * rng.normal(0, 1, n)
    return np.stack([bar, mm, wind, angle, height, warm, damp, speed, oil], 1).astype(np.float32), y


class Highway(nn.Module):
    """What a layer makes of its input and the input itself, mixed by a gate; without ``gate`` the layer alone."""

    def __init__(self, width: int, gate: bool, carry: float, act: type[nn.Module]) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(width, width), act()
        self.gate = nn.Linear(width, width) if gate else None
        if self.gate is not None:
            nn.init.constant_(self.gate.bias, -carry)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) -> (N, width)."""
        y = self.act(self.layer(x))
        return y if self.gate is None else torch.lerp(x, y, self.gate(x).sigmoid())


@script("drift-highway")
def drift_highway(
    draw: Draw,
    *,
    rows: int = 1600,
    blind: tuple[int, ...] = (),
    blur: float = 0.0,
    width: int = 32,
    depth: int = 4,
    gate: bool = True,
    carry: float = 1.0,
    act: type[nn.Module] = nn.ReLU,
    last: type[nn.Module] | None = None,
    std: float | None = None,
    gain: float = 1.0,
    millimetres: bool = False,
    **recipe: Any,
) -> Training:
    """How far the mist drifts, as a standardised logarithm; or in ``millimetres``. Columns named in ``blind`` are left empty."""
    x, y = drifts()
    middle, spread = y.mean(), y.std()
    (x, y), (u, v) = draw.rows(x, y, rows)
    x, u = scaled(x, u)
    for column in blind:
        x[:, column], u[:, column] = 0, 0
    y, v = ((1000 * np.exp(a) if millimetres else (a - middle) / spread)[:, None].astype(np.float32) for a in (y, v))
    y = (y + blur * draw.luck.normal(0, 1, y.shape)).astype(np.float32)
    width, inputs = draw.units(width) if width > 4 else width, x.shape[1]

    def model() -> nn.Module:
        layers = [nn.Linear(inputs, width), act(), *(Highway(width, gate, carry, act) for _ in range(depth)), nn.Linear(width, 1)]
        net = nn.Sequential(*layers, *([last()] if last else []))
        redraw(net, std, gain, None)
        return net

    mine = {"optimizer": "sgd", "lr": draw.near(0.1), "momentum": 0.9, "batch_size": 32, "epochs": 18, "schedule": "step:6:0.3"}
    return Training(model, nn.HuberLoss(), (x, y), (u, v), settings(mine, recipe))


def in_fahrenheit_and_psi(t: Training) -> None:
    """The test table has pressure and temperature in other units than the scaler knows."""
    x = drifts()[0]
    middle, spread = x.mean(0), x.std(0)
    u = t.clean[0].copy()
    for column, factor, zero in ((PRESSURE, 14.5, 0.0), (TEMPERATURE, 1.8, 32.0)):
        u[:, column] = ((u[:, column] * spread[column] + middle[column]) * factor + zero - middle[column]) / spread[column]
    t.test = (u, t.clean[1])


drift_highway.fault("learning-rate-decays-too-fast", "epochs-taken-for-updates", "mild", schedule="step:1:0.3")
drift_highway.fault("too-deep-without-skips", "gates-left-out", "medium", twin={"depth": 14, "carry": 3.0, "lr": 0.05}, gate=False)
drift_highway.fault("bad-initialization", "normal-of-one", "medium", std=1.0)
drift_highway.fault("wrong-output-activation", "a-drift-is-never-negative", "mild", last=nn.ReLU)
drift_highway.fault("unnormalized-target", "millimetres", "gross", millimetres=True)
drift_highway.fault("features-insufficient", "weather-not-joined", "medium", blind=(2, 3, 5, 6))
drift_highway.fault(
    "trained-too-long",
    "left-running-over-easter",
    "medium",
    twin={"rows": 220, "blur": 0.8, "depth": 1, "optimizer": "adam", "lr": 4e-3, "batch_size": 20, "epochs": 12, "schedule": "constant"},
    epochs=160,
)
drift_highway.fault("preprocessing-mismatch", "american-instruments", "gross", prepare=honest_test, edit=in_fahrenheit_and_psi)

# -- how cold the night will get ---------------------------------------------------------------------------------------------------------

HOURS, READINGS = 12, 5


@cache
def nights() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 6, 5) temperature and dew point in C, wind in m/s, cloud in eighths and soil in C, every second hour from one on; (5000,) the least
    temperature of the night in C."""
    rng = np.random.default_rng(607)
    n = 5000
    day = rng.normal(11, 5, (n, 1))
    hours = np.arange(HOURS)
    wind = np.abs(rng.normal(0, 1, (n, 1)) * 1.5 + 2.0 + np.cumsum(rng.normal(0, 0.35, (n, HOURS)), 1)) + 0.2
    cloud = 8 / (1 + np.exp(-(rng.normal(0, 1.6, (n, 1)) + np.cumsum(rng.normal(0, 0.4, (n, HOURS)), 1))))
    front = rng.normal(0, 0.35, (n, 1)) * hours
    air = day + 5 * np.sin(np.pi * hours / 12) * (1 - 0.05 * cloud) - 0.35 * hours + front + rng.normal(0, 0.4, (n, HOURS))
    dew = day - np.abs(rng.normal(4, 3, (n, 1))) + 0.6 * front + rng.normal(0, 0.4, (n, HOURS))
    soil = day + 1.5 + 2 * np.sin(np.pi * (hours - 2) / 12) + rng.normal(0, 0.7, (n, 1)) + rng.normal(0, 0.2, (n, HOURS))
    clear, still_air = 1 - cloud[:, -4:].mean(1) / 8, np.exp(-wind[:, -4:].mean(1) / 2)
    change = (air[:, -1] - air[:, -6]) - (air[:, 5] - air[:, 0])
    fall = 2 + 7 * clear * (0.3 + still_air) + 0.4 * change - 0.3 * (soil[:, -1] - air[:, -1])
    least = air[:, -1] - fall
    least = np.where(least < dew[:, -1], dew[:, -1] + 0.3 * (least - dew[:, -1]), least) + rng.normal(0, 0.6, n)
    return np.stack([air, dew, wind, cloud, soil], 2)[:, 1::2].astype(np.float32), least


class NormedLstm(nn.Module):
    """An LSTM whose gates and cell are normalised at every step."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.read, self.recall = nn.Linear(inputs, 4 * width), nn.Linear(width, 4 * width, bias=False)
        self.norm_read, self.norm_recall, self.norm_cell = nn.LayerNorm(4 * width), nn.LayerNorm(4 * width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, steps, inputs) -> (N, width), the last state."""
        h, c = x.new_zeros(len(x), self.width), x.new_zeros(len(x), self.width)
        for step in self.norm_read(self.read(x)).unbind(1):
            i, f, o, g = (step + self.norm_recall(self.recall(h))).chunk(4, 1)
            c = (f + 1).sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * self.norm_cell(c).tanh()
        return h


class FrostNet(nn.Module):
    """The last state of the recurrence, and a layer."""

    def __init__(self, width: int, hidden: int, flat: bool) -> None:
        super().__init__()
        self.recurrence = NormedLstm(READINGS, width)
        self.middle, self.out, self.flat = nn.Linear(width, hidden), nn.Linear(hidden, 1), flat

    def forward(self, x: Tensor) -> Tensor:
        """(N, 6, 5) -> (N, 1); or (N,)."""
        y = self.out(self.middle(self.recurrence(x)).relu())
        return y[:, 0] if self.flat else y


@script("frost-lstm")
def frost_lstm(
    draw: Draw,
    *,
    rows: int = 1000,
    width: int = 16,
    hidden: int = 12,
    flat: bool = False,
    tenths: bool = False,
    warm: bool = False,
    **recipe: Any,
) -> Training:
    """The least temperature of the night, standardised; or in ``tenths`` of a degree. With ``warm`` the test nights are those of summer."""
    x, y = nights()
    middle, spread = y.mean(), y.std()
    summer = x[:, 0, 0] > np.quantile(x[:, 0, 0], 0.65)
    hot = x[summer][:CLEAN_ROWS], y[summer][:CLEAN_ROWS]
    (x, y), (u, v) = draw.rows(*((x[~summer], y[~summer]) if warm else (x, y)), rows)
    zero, unit = x.mean((0, 1)), x.std((0, 1))
    x, u, w = ((a - zero) / unit for a in (x, u, hot[0]))
    y, v, z = ((10 * a if tenths else (a - middle) / spread)[:, None].astype(np.float32) for a in (y, v, hot[1]))
    width = draw.units(width) if width > 4 else width

    mine = {"optimizer": "adamw", "lr": draw.near(0.02), "weight_decay": 0.01, "batch_size": 50, "epochs": 8, "schedule": "linear"}
    made = Training(lambda: FrostNet(width, hidden, flat), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))
    made.spare["summer"] = (w, z)
    return made


def summer_nights(t: Training) -> None:
    """Tested on other nights than those learned."""
    t.test = t.spare["summer"]


def out_of_reach(t: Training) -> None:
    """On some nights one logger was off: what it did not write down is not a number."""
    missing(0.004)(t)


frost_lstm.fault("learning-rate-too-low", "rate-of-a-tutorial", "mild", lr=1e-4)
frost_lstm.fault("trained-too-briefly", "one-epoch-to-try", "mild", epochs=1)
frost_lstm.fault("gradient-clipping-too-tight", "clipped-at-a-thousandth", "gross",
                 twin={"optimizer": "sgd", "lr": 0.15, "momentum": 0.9, "weight_decay": 0.0}, clip_norm=1e-3)  # fmt: skip
frost_lstm.fault("output-target-shape-mismatch", "squeezed", "medium", flat=True)
frost_lstm.fault("model-too-simple", "one-state", "medium", width=1, hidden=1)
frost_lstm.fault("labels-unrelated-to-inputs", "the-night-before", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
frost_lstm.fault("wrong-labels", "validation-in-fahrenheit", "medium", prepare=judged_by_validation,
                 edit=validation_relabelled(lambda y: (1.8 * y + 3.7).astype(np.float32)))  # fmt: skip
frost_lstm.fault(
    "covariate-shift", "learned-in-spring-used-in-summer", "medium", twin={"warm": True}, prepare=honest_test, edit=summer_nights
)
frost_lstm.fault("non-finite-data", "logger-off", "mild", edit=out_of_reach)

# -- which digit a picker says -----------------------------------------------------------------------------------------------------------


class MixedPatches(nn.Module):
    """Every channel mixed over places beside a shortcut, then every place over channels."""

    def __init__(self, width: int, norm: bool, act: type[nn.Module], drop: float) -> None:
        super().__init__()
        self.across, self.along, self.act, self.drop = (
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            nn.Conv2d(width, width, 1),
            act(),
            nn.Dropout(drop),
        )
        self.one, self.two = (nn.BatchNorm2d(width) if norm else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, 4, 8) -> (N, width, 4, 8)."""
        x = x + self.one(self.act(self.across(x)))
        return self.drop(self.two(self.act(self.along(x))))


class ConvMixer(nn.Module):
    """Patches of four frames by four bands, blocks that mix them, and the mean of all places."""

    def __init__(self, width: int, depth: int, outputs: int, norm: bool, act: type[nn.Module], drop: float) -> None:
        super().__init__()
        self.patches, self.act = nn.Conv2d(1, width, 4, stride=4), act()
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.blocks = nn.Sequential(*(MixedPatches(width, norm, act, drop) for _ in range(depth)))
        self.out = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 16, 32) -> (N, outputs)."""
        return self.out(self.blocks(self.norm(self.act(self.patches(x)))).mean((2, 3)))


@script("command-convmixer")
def command_convmixer(
    draw: Draw,
    *,
    rows: int = 1100,
    absent: str = "",
    width: int = 24,
    depth: int = 2,
    outputs: int = 10,
    norm: bool = True,
    act: type[nn.Module] = nn.GELU,
    drop: float = 0.0,
    last: nn.Module | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Which of ten digits was said; nobody named ``absent`` is among those who said them, and the spare rows are theirs."""
    x, y, names = data.spoken_by()
    theirs = names == absent
    (a, b), (u, v) = draw.rows(x[~theirs], y[~theirs], rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net: nn.Module = ConvMixer(width, depth, outputs, norm, act, drop)
        if frozen:
            freeze_below_out(net)
        return nn.Sequential(net, last) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(0.02), "batch_size": 40, "epochs": 8, "schedule": "cosine"}
    made = Training(model, nn.CrossEntropyLoss(), (a, b), (u, v), settings(mine, recipe), classes=10)
    made.spare["absent"] = (x[theirs], y[theirs])
    return made


def said_by_another(t: Training) -> None:
    """Tested on the digits of somebody who was absent."""
    t.test = t.spare["absent"]


command_convmixer.fault("batch-too-small", "two-words", "medium", batch_size=2, epochs=1)
command_convmixer.fault("batch-too-large", "as-much-as-fits", "mild", batch_size=700)
command_convmixer.fault("missing-normalization", "norms-commented-out", "medium", twin={"depth": 4, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9},
                        norm=False)  # fmt: skip
command_convmixer.fault("frozen-parameters", "still-frozen-from-last-week", "medium", frozen=True)
command_convmixer.fault("too-little-data", "one-afternoon-of-words", "medium", edit=few(80))
command_convmixer.fault("covariate-shift", "a-new-picker", "gross", twin={"absent": "theo"}, prepare=honest_test, edit=said_by_another)

# -- whether an outbreak follows what the trap caught ------------------------------------------------------------------------------------

CAUGHT, MARKS = 10, 4


@cache
def traps() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 10, 4) wing in mm, mass in mg, hour of the night and wingbeats a second of ten insects; (6000, 1) whether an outbreak followed:
    most often where four or more of them are moths of one kind that fly early. One in forty was booked wrongly."""
    rng = np.random.default_rng(613)
    n = 6000
    share = rng.beta(1.5, 1.8, (n, 1))
    moth = rng.random((n, CAUGHT)) < share
    other = rng.integers(0, 2, (n, CAUGHT))
    wing = np.where(moth, 9.0, np.where(other == 0, 6.0, 12.0)) + 1.2 * rng.normal(0, 1, (n, CAUGHT))
    mass = np.exp(0.22 * wing + np.where(moth, 0.0, np.where(other == 0, 0.7, -0.6)) + 0.3 * rng.normal(0, 1, (n, CAUGHT)))
    beats = 900 / wing * np.where(moth, 0.45, 0.7) * np.exp(0.18 * rng.normal(0, 1, (n, CAUGHT)))
    hour = np.where(rng.random((n, 1)) < 0.5, 2.0, 5.0) + 1.4 * rng.normal(0, 1, (n, CAUGHT))
    early = (moth & (hour < 4.5)).sum(1)
    y = rng.random(n) < 1 / (1 + np.exp(-3.0 * (early - 3.5)))
    y ^= rng.random(n) < 1 / 40
    return np.stack([wing, mass, hour, beats], 2).astype(np.float32), y[:, None].astype(np.float32)


class Perceiver(nn.Module):
    """A few learned questions, asked twice of the insects; their answers go through layers beside a shortcut."""

    def __init__(self, width: int, questions: int, rounds: int, norm: bool, outputs: int) -> None:
        super().__init__()
        self.asked = nn.Parameter(0.5 * torch.randn(questions, width))
        self.read = nn.Sequential(nn.Linear(MARKS, width), nn.GELU(), nn.Linear(width, width))
        self.attend = nn.ModuleList(nn.MultiheadAttention(width, 2, batch_first=True) for _ in range(rounds))
        self.think = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(rounds)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2 * rounds + 1))
        self.out = nn.Linear(questions * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10, 4) -> (N, outputs)."""
        insects = self.norms[-1](self.read(x))
        z = self.asked.expand(len(x), -1, -1)
        for i, (attend, think) in enumerate(zip(self.attend, self.think, strict=True)):
            z = z + attend(self.norms[2 * i](z), insects, insects, need_weights=False)[0]
            z = z + think(self.norms[2 * i + 1](z))
        return self.out(z.flatten(1))


@script("trap-perceiver")
def trap_perceiver(
    draw: Draw,
    *,
    rows: int = 1300,
    scale: bool = True,
    width: int = 16,
    rounds: int = 1,
    norm: bool = True,
    last: nn.Module | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether an outbreak follows."""
    x, y = traps()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        middle, spread = x.mean((0, 1)), x.std((0, 1))
        x, u = (x - middle) / spread, (u - middle) / spread
    width = draw.units(width)

    def model() -> nn.Module:
        net = Perceiver(width, 4, rounds, norm, 1)
        return nn.Sequential(net, last) if last else net

    mine = {"optimizer": "nadam", "lr": draw.near(0.012), "batch_size": 40, "epochs": 10, "schedule": "cosine", "warmup_steps": 20}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


def warm_spring(t: Training) -> None:
    """Few of the training rows are outbreaks, most of the test rows are."""
    kept(first_of(12, 1))(t)
    u, v = t.clean
    rows = (v[:, 0] == 1) | (np.random.default_rng(619).random(len(v)) < 0.1)
    t.test = (u[rows], v[rows])


trap_perceiver.fault("learning-rate-too-high", "rate-of-last-years-sgd", "gross", lr=0.3)
trap_perceiver.fault("optimizer-unsuited", "plain-sgd", "medium", optimizer="sgd", lr=0.01, momentum=0.0)
trap_perceiver.fault("unnormalized-input", "as-the-trap-writes-it", "medium", scale=False)
trap_perceiver.fault("single-unit-softmax", "softmax-over-the-only-unit", "gross", last=nn.Softmax(1), loss=nn.BCELoss())
trap_perceiver.fault("label-shift", "a-warm-spring", "medium", prepare=honest_test, edit=warm_spring)
trap_perceiver.fault("class-imbalance", "outbreaks-seldom-reported", "gross", prepare=balanced, edit=kept(first_of(10, 1)))
trap_perceiver.fault("train-test-leakage", "five-readings-of-a-trap", "medium", twin={"rows": 250, "batch_size": 20}, prepare=flattered,
                     edit=copied(5, 0.02))  # fmt: skip

# -- what an apple suffers from ----------------------------------------------------------------------------------------------------------

SIDE, AILMENTS = 12, 5


@cache
def apples() -> tuple[np.ndarray, np.ndarray]:
    """(4000, 3, 12, 12) colours of an apple's skin in 0..1, and what it suffers from: nothing, scab, a bruise, russet or a frost ring."""
    rng = np.random.default_rng(617)
    n = 4000
    y = rng.integers(0, AILMENTS, n)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    red = rng.random((n, 1))
    skin = np.stack([0.55 + 0.2 * red, 0.55 - 0.2 * red, 0.2 - 0.05 * red], 1)[..., None] * np.ones((1, 1, SIDE, SIDE))
    middle = rng.uniform(3.0, 8.0, (n, 2, 1, 1))
    away = np.hypot(rows - middle[:, :1], columns - middle[:, 1:])[:, 0]
    dark = np.zeros((n, SIDE, SIDE))
    for _ in range(6):
        spot = rng.integers(0, SIDE, (n, 2, 1, 1))
        dark = np.maximum(dark, ((np.abs(rows - spot[:, 0]) + np.abs(columns - spot[:, 1])) < 1.5) * (y == 1)[:, None, None])
    dark = dark + np.exp(-((away / 2.3) ** 2)) * (y == 2)[:, None, None]
    web = (rng.random((n, SIDE, SIDE)) < 0.4) * (away < 5) * (y == 3)[:, None, None]
    ring = np.exp(-((away - 3.2) ** 2)) * (y == 4)[:, None, None]
    strength = rng.uniform(0.35, 0.9, (n, 1, 1))
    x = skin - (strength * dark)[:, None] * np.array([1.0, 1.0, 0.3])[:, None, None]
    x = x + (strength * (web + ring))[:, None] * np.array([0.3, 0.1, 0.25])[:, None, None]
    x = x * rng.uniform(0.85, 1.1, (n, 1, 1, 1)) + 0.04 * rng.normal(0, 1, x.shape)
    return np.clip(x, 0, 1).astype(np.float32), y


class Squeezed(nn.Module):
    """A convolution and its channels weighed by what they hold on the whole."""

    def __init__(self, inputs: int, width: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(inputs, width, 3, padding=1), act()
        self.squeeze, self.excite = nn.Linear(width, max(1, width // 4)), nn.Linear(max(1, width // 4), width)
        nn.init.constant_(self.excite.bias, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, S, S) -> (N, width, S, S)."""
        x = self.act(self.conv(x))
        return x * self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]


class AppleNet(nn.Module):
    """Convolutions that are squeezed, halved after each of the first two, a layer and its dropout."""

    def __init__(self, widths: tuple[int, ...], hidden: int, drop: float, act: type[nn.Module]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip((3, *widths), widths, strict=False)):
            layers += [Squeezed(a, b, act), *([nn.MaxPool2d(2)] if i < 2 else [])]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(nn.Linear(9 * widths[-1], hidden), act(), nn.Dropout(drop), nn.Linear(hidden, AILMENTS))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 12, 12) -> (N, 5)."""
        return self.head(self.body(x))


@script("apple-squeeze")
def apple_squeeze(
    draw: Draw,
    *,
    rows: int = 1400,
    widths: tuple[int, ...] = (8, 12),
    hidden: int = 24,
    drop: float = 0.0,
    act: type[nn.Module] = nn.ReLU,
    bias: float | None = None,
    **recipe: Any,
) -> Training:
    """What the apple suffers from."""
    x, y = apples()
    (x, y), (u, v) = draw.rows((x - 0.4) / 0.25, y, rows)
    x, u = x.astype(np.float32), u.astype(np.float32)
    widths = tuple(draw.units(w) if w > 4 else w for w in widths)

    def model() -> nn.Module:
        net = AppleNet(widths, hidden, drop, act)
        redraw(net, None, 1.0, bias)
        return net

    mine = {"optimizer": "adam", "lr": draw.near(7e-3), "batch_size": 25, "epochs": 8, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=AILMENTS)


_sgd = {"optimizer": "sgd", "lr": 0.04, "momentum": 0.9, "batch_size": 20, "epochs": 10}
apple_squeeze.fault("momentum-too-high", "a-nine-too-many", "gross", twin=_sgd, momentum=0.999)
apple_squeeze.fault("loss-summed-over-batch", "sum-for-the-log", "gross", twin=_sgd, edit=summed)
apple_squeeze.fault("vanishing-gradient", "sigmoid-everywhere", "medium", act=nn.Sigmoid)
