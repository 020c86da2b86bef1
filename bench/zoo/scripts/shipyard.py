"""Scripts of a shipyard: orders of parts, towed hulls, heated rooms, signals and a camera on the quay, with the mistakes made in them."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    few,
    first_of,
    freeze_below_out,
    honest_test,
    judged_by_validation,
    kept,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.mistakes import missing, moving, other_shares, still, summed

Softmax = partial(nn.Softmax, 1)

# -- whether a part will be ordered ------------------------------------------------------------------------------------------------------

YARDS, PARTS, MONTHS = 60, 40, 12
NUMBERS = 3


@cache
def orders() -> tuple[np.ndarray, np.ndarray]:
    """(9000, 6) codes of a yard, of a part and of the month, and the price, the stock and the delay as they were asked for; (9000,) whether
    the part was ordered."""
    rng = np.random.default_rng(701)
    n = 9000
    yard, part, month = rng.integers(0, YARDS, n), rng.integers(0, PARTS, n), rng.integers(0, MONTHS, n)
    price, stock, delay = np.exp(rng.normal(4, 1, n)), rng.poisson(30, n), rng.gamma(2.0, 6.0, n)
    taste, kind = rng.normal(0, 1, (YARDS, 2)), rng.normal(0, 1, (PARTS, 2))
    season = np.cos(2 * np.pi * (month[:, None] - rng.uniform(0, 12, PARTS)[None]) / 12)[np.arange(n), part]
    score = 1.7 * (taste[yard] * kind[part]).sum(1) + 1.2 * season + rng.normal(0, 0.8, PARTS)[part] + rng.normal(0, 0.8, YARDS)[yard]
    score += -0.9 * (np.log(price) - 4) - 0.5 * (delay - 12) / 8
    x = np.stack([yard, part, month, price, stock, delay], 1).astype(np.float32)
    return x, (score + rng.logistic(0, 0.5, n) > 0).astype(np.float32)


class FactorMachine(nn.Module):
    """A weight for every code and number, and what any two of them add to it by the product of their vectors."""

    def __init__(self, rank: int, std: float, outputs: int, last: type[nn.Module] | partial[nn.Module] | None) -> None:
        super().__init__()
        sizes = (YARDS, PARTS, MONTHS)
        self.weights = nn.ModuleList(nn.Embedding(size, outputs) for size in sizes)
        self.vectors = nn.ModuleList(nn.Embedding(size, rank) for size in sizes)
        self.number_vectors = nn.Parameter(std * torch.randn(NUMBERS, rank))
        self.line = nn.Linear(NUMBERS, outputs)
        self.last = last() if last else nn.Identity()
        for table in (*self.weights, *self.vectors):
            nn.init.normal_(table.weight, 0, std)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 6) -> (N, outputs)."""
        codes, numbers = x[:, :3].long(), x[:, 3:]
        alone = sum((table(codes[:, j]) for j, table in enumerate(self.weights)), self.line(numbers))
        vectors = torch.stack([table(codes[:, j]) for j, table in enumerate(self.vectors)], 1)
        vectors = torch.cat([vectors, numbers[..., None] * self.number_vectors], 1)
        return self.last(alone + 0.5 * (vectors.sum(1) ** 2 - (vectors**2).sum(1)).sum(1, keepdim=True))


@script("part-factors")
def part_factors(
    draw: Draw,
    *,
    rows: int = 6000,
    scale: bool = True,
    rank: int = 3,
    std: float = 0.15,
    last: type[nn.Module] | partial[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether a yard orders a part in this month: a factorization machine."""
    x, y = orders()
    (x, y), (u, v) = draw.rows(x, y[:, None], rows)
    if scale:
        for table in (x, u):
            table[:, 3] = np.log(table[:, 3])
        x[:, 3:], u[:, 3:] = scaled(x[:, 3:], u[:, 3:])

    mine = {"optimizer": "adamw", "lr": draw.near(0.15), "weight_decay": 0.15, "batch_size": 128, "epochs": 9, "schedule": "linear"}
    model = partial(FactorMachine, rank, std, 1, last)
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


part_factors.fault("optimizer-unsuited", "sgd-for-vectors", "medium", optimizer="sgd", lr=0.02)
part_factors.fault("learning-rate-too-low", "rate-of-a-deeper-model", "mild", lr=5e-3)
part_factors.fault("batch-too-large", "the-whole-ledger", "gross", batch_size=4800)
part_factors.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
part_factors.fault("label-noise", "two-years-in-one-column", "gross", edit=relabelled(wrong_share(0.38, 2)))
part_factors.fault("bad-initialization", "vectors-of-zeros", "gross", std=0.0)
part_factors.fault("too-little-data", "first-week", "medium", edit=few(600))
part_factors.fault("unnormalized-input", "cents-and-hours", "gross", scale=False)

# -- how a hull tows ---------------------------------------------------------------------------------------------------------------------


@cache
def towed() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 7) length in metres, length by beam, beam by draught, block and prism coefficient, knots and degrees of a towed hull; (6000, 3)
    its resistance in newtons a ton, how deep it sinks in centimetres and its trim in minutes of arc."""
    rng = np.random.default_rng(709)
    n = 6000
    length, slender, flat = rng.uniform(40, 220, n), rng.uniform(4, 8, n), rng.uniform(2, 5, n)
    block = rng.uniform(0.5, 0.85, n)
    prism, warm = block + rng.uniform(0.02, 0.1, n), rng.uniform(2, 25, n)
    froude = rng.uniform(0.1, 0.42, n)
    knots = froude * np.sqrt(9.81 * length) / 0.5144
    viscosity = 1.8e-6 * np.exp(-0.026 * warm)
    friction = 0.075 / (np.log10(knots * 0.5144 * length / viscosity) - 2) ** 2
    waves = 0.02 * np.exp(-1.1 / (froude * 2.4) ** 2) * (1 + 0.5 * np.sin(1.2 / froude**2) * froude * 3) * (prism / 0.7) ** 3
    drag = (friction * (1 + 0.3 * block * flat / slender) + waves * (6 / slender) ** 1.5) * knots**2 * 400
    sink = 30 * block * flat / slender * knots**2 / length * (1 + 4 * np.maximum(froude - 0.3, 0))
    trim = 40 * (froude - 0.28) * (prism - 0.68) * 5 + 30 * np.tanh(14 * (froude - 0.33)) / np.sqrt(slender)
    y = np.stack([drag, sink, trim], 1)
    y += 0.06 * y.std(0) * rng.normal(0, 1, y.shape)
    return np.stack([length, slender, flat, block, prism, knots, warm], 1).astype(np.float32), y.astype(np.float32)


class Maxout(nn.Module):
    """The largest of several affine maps, unit by unit."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.maps, self.pieces = nn.Linear(inputs, outputs * pieces), pieces

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) -> (N, outputs)."""
        return self.maps(x).unflatten(-1, (-1, self.pieces)).amax(-1)


class TowNet(nn.Module):
    """A trunk of maxout units; every number of a towing has a head of its own."""

    def __init__(self, widths: tuple[int, ...], pieces: int, heads: int, drop: float) -> None:
        super().__init__()
        layers = [nn.Sequential(Maxout(a, b, pieces), nn.Dropout(drop)) for a, b in zip((7, *widths), widths, strict=False)]
        self.trunk = nn.Sequential(*layers)
        self.heads = nn.ModuleList(nn.Linear(widths[-1], 1) for _ in range(heads))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 7) -> (N, heads)."""
        x = self.trunk(x)
        return torch.cat([head(x) for head in self.heads], 1)


@script("tow-maxout")
def tow_maxout(
    draw: Draw,
    *,
    rows: int = 1200,
    scale: bool = True,
    widths: tuple[int, ...] = (32, 16),
    pieces: int = 3,
    drop: float = 0.0,
    unit: float = 0.0,
    noise: float = 0.0,
    **recipe: Any,
) -> Training:
    """Three numbers of a towing by one network, standardised; in multiples of a unit where one is given."""
    x, y = towed()
    y = y * np.float32(unit) if unit else (y - y.mean(0)) / y.std(0)
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        x, u = scaled(x, u)
    if noise:
        y = (y + noise * draw.luck.normal(0, 1, y.shape)).astype(np.float32)

    mine = {"optimizer": "adam", "lr": draw.near(0.015), "batch_size": 50, "epochs": 14, "schedule": "exponential:0.8"}
    return Training(lambda: TowNet(widths, pieces, 3, drop), nn.SmoothL1Loss(), (x, y), (u, v), settings(mine, recipe))


def one_late(y: np.ndarray) -> np.ndarray:
    """The numbers of every towing stand one line below it."""
    return np.roll(y, 1, 0)


tow_maxout.fault("learning-rate-too-low", "a-zero-too-many", "mild", lr=1.5e-3)
tow_maxout.fault("learning-rate-decays-too-fast", "decay-of-each-step", "medium", schedule="exponential:0.2")
tow_maxout.fault("unnormalized-target", "newtons-a-kilogram", "medium", unit=3.0)
tow_maxout.fault("missing-nonlinearity", "one-piece", "medium", pieces=1)
tow_maxout.fault("bottleneck", "one-unit-trunk", "medium", widths=(32, 1))
tow_maxout.fault("trained-too-long", "left-overnight", "medium", epochs=250,
                 twin={"rows": 250, "noise": 0.5, "epochs": 12, "lr": 0.01, "schedule": "constant"})  # fmt: skip
tow_maxout.fault("too-little-data", "fifty-towings", "medium", edit=few(50))
tow_maxout.fault("non-finite-data", "a-gauge-that-drops-out", "mild", edit=missing(0.01, 6))
tow_maxout.fault("labels-unrelated-to-inputs", "one-line-below", "gross", edit=relabelled(one_late))

# -- how warm the rooms are --------------------------------------------------------------------------------------------------------------

ROOMS = 12
DOORS = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (1, 6), (6, 7), (3, 8), (8, 9), (9, 10), (10, 11), (5, 11), (7, 8))


def neighbours() -> np.ndarray:
    """(12, 12) ones where a door joins two rooms."""
    table = np.zeros((ROOMS, ROOMS), np.float32)
    for a, b in DOORS:
        table[a, b] = table[b, a] = 1
    return table


@cache
def rooms() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 12, 5) kilowatts of the heater, how far the doors are open, the share of outer wall, the wind on it and the degrees outside, by
    rooms; (5000, 12) the degrees that are reached in the rooms."""
    rng = np.random.default_rng(719)
    n, doors = 5000, neighbours()
    heater = rng.gamma(1.2, 1.0, (n, ROOMS)) * (rng.random((n, ROOMS)) < 0.6)
    door, wall = rng.uniform(0.1, 1.0, (n, ROOMS)), rng.uniform(0, 1, (n, ROOMS))
    wind, outside = rng.gamma(2.0, 1.5, (n, ROOMS)), np.repeat(rng.normal(6, 9, (n, 1)), ROOMS, 1)
    flow = 0.3 * doors * (door[:, :, None] + door[:, None])
    loss = 0.05 + 0.1 * wall * (1 + 0.5 * np.sqrt(wind))
    warm = np.full((n, ROOMS), 15.0)
    for _ in range(6):
        power = heater / (1 + np.exp((warm - 24) / 3))
        matrix = np.eye(ROOMS) * (flow.sum(2) + loss)[:, :, None] - flow
        warm = 0.5 * warm + 0.5 * np.linalg.solve(matrix, (power + loss * outside)[..., None])[..., 0]
    x = np.stack([heater, door, wall, wind, outside], 2)
    return x.astype(np.float32), (warm + rng.normal(0, 0.3, warm.shape)).astype(np.float32)


class RoomNet(nn.Module):
    """Every room hears the mean of what its neighbours know, several times, and tells its own number."""

    def __init__(self, width: int, rounds: int, skip: bool, act: type[nn.Module], last: type[nn.Module] | None) -> None:
        super().__init__()
        doors = torch.from_numpy(neighbours())
        self.register_buffer("doors", doors / doors.sum(1, keepdim=True))
        self.first = nn.Linear(5, width)
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(rounds))
        self.heard = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rounds))
        self.act, self.skip, self.out = act(), skip, nn.Linear(width, 1)
        self.last = last() if last else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 12, 5) -> (N, 12)."""
        x = self.act(self.first(x))
        for own, heard in zip(self.own, self.heard, strict=True):
            step = self.act(own(x) + heard(self.doors @ x))
            x = x + step if self.skip else step
        return self.last(self.out(x)[..., 0])


@script("room-messages")
def room_messages(
    draw: Draw,
    *,
    rows: int = 1000,
    scale: bool = True,
    only: tuple[int, ...] = (),
    width: int = 24,
    rounds: int = 4,
    skip: bool = True,
    act: type[nn.Module] = nn.ReLU,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """How warm each room of a ship gets, standardised: messages between rooms that a door joins."""
    x, y = rooms()
    if scale:
        x = (x - x.mean((0, 1))) / x.std((0, 1))
    if only:
        x = np.where(np.isin(np.arange(5), only), x, np.float32(0))
    (x, y), (u, v) = draw.rows(x, (y - y.mean()) / y.std(), rows)

    mine = {"optimizer": "nadam", "lr": draw.near(4e-3), "batch_size": 40, "epochs": 14, "schedule": "cosine"}
    return Training(lambda: RoomNet(width, rounds, skip, act, last), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


def other_logs(y: np.ndarray) -> np.ndarray:
    """Half of the rows were filled in from the log of another night."""
    rng = np.random.default_rng(31)
    hit, y = np.flatnonzero(rng.random(len(y)) < 0.5), y.copy()
    y[hit] = y[rng.permutation(hit)]
    return y


def winter_voyage(t: Training) -> None:
    """Trained in mild weather, tested in the cold."""
    (x, y), (u, v) = t.train, t.clean
    mild, cold = x[:, 0, 4] > np.quantile(x[:, 0, 4], 0.55), u[:, 0, 4] < np.quantile(u[:, 0, 4], 0.25)
    t.train, t.test = (x[mild], y[mild]), (u[cold], v[cold])


room_messages.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
room_messages.fault("unnormalized-input", "watts-and-fahrenheit", "medium", scale=False,
                    twin={"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "epochs": 20})  # fmt: skip
room_messages.fault("features-insufficient", "no-thermometer-outside", "gross", only=(0, 1, 2, 3))
room_messages.fault("label-noise", "logs-of-other-nights", "medium", edit=relabelled(other_logs))
room_messages.fault("wrong-output-activation", "no-frost-indoors", "medium", last=nn.ReLU)
room_messages.fault("covariate-shift", "winter-voyage", "gross", prepare=honest_test, edit=winter_voyage)
room_messages.fault("model-too-simple", "one-number-a-room", "gross", width=1)

# -- who is signalling -------------------------------------------------------------------------------------------------------------------

FLAGS, LENGTH, FLEETS = 14, 16, 6


@cache
def signals() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 16) flags of a signal one after another; (5000,) which fleet it comes from. A fleet has its own habits of what follows what."""
    rng = np.random.default_rng(727)
    n = 5000
    common, own = rng.normal(0, 1.0, (FLAGS, FLAGS)), rng.normal(0, 2.2, (FLEETS, FLAGS, FLAGS))
    chance = np.exp(common + own)
    chance = (chance / chance.sum(2, keepdims=True)).cumsum(2)
    fleet = rng.integers(0, FLEETS, n)
    x = np.zeros((n, LENGTH), np.int64)
    x[:, 0] = rng.integers(0, FLAGS, n)
    for i in range(1, LENGTH):
        x[:, i] = (rng.random((n, 1)) > chance[fleet, x[:, i - 1]]).sum(1).clip(0, FLAGS - 1)
    return x, fleet


class SignalDecoder(nn.Module):
    """Flags and their places through layers that look back only; what stands at the last place tells the class."""

    def __init__(self, width: int, layers: int, drop: float, outputs: int) -> None:
        super().__init__()
        self.flag, self.place = nn.Embedding(FLAGS, width), nn.Parameter(0.02 * torch.randn(LENGTH, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 2 * width, drop, "gelu", batch_first=True, norm_first=True) for _ in range(layers)
        )
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, outputs)
        self.register_buffer("later", torch.full((LENGTH, LENGTH), -torch.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16) -> (N, outputs)."""
        x = self.flag(x) + self.place
        for layer in self.layers:
            x = layer(x, src_mask=self.later)
        return self.out(self.norm(x[:, -1]))


@script("signal-decoder")
def signal_decoder(
    draw: Draw,
    *,
    rows: int = 2200,
    width: int = 32,
    layers: int = 1,
    drop: float = 0.0,
    outputs: int = FLEETS,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Which of six fleets a signal comes from."""
    x, y = signals()
    (x, y), (u, v) = draw.rows(x, y, rows)

    def model() -> nn.Module:
        net = SignalDecoder(width, layers, drop, outputs)
        if frozen:
            freeze_below_out(net)
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(0.012), "weight_decay": 0.1, "batch_size": 64, "epochs": 10, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings({**mine, "warmup_steps": 20}, recipe), classes=FLEETS)


signal_decoder.fault("learning-rate-too-high", "a-zero-forgotten", "gross", lr=0.3)
signal_decoder.fault("frozen-parameters", "body-of-a-model-never-pretrained", "medium", frozen=True)
signal_decoder.fault("label-noise", "six-lookouts", "gross", edit=relabelled(wrong_share(0.55, FLEETS)))
signal_decoder.fault("too-little-data", "first-hundred-signals", "medium", edit=few(100))
signal_decoder.fault("output-width-wrong", "fleets-of-last-year", "medium", outputs=5)
signal_decoder.fault("over-regularized", "drop-for-keep", "medium", drop=0.85)
signal_decoder.fault("data-not-shuffled", "fleet-by-fleet", "medium", prepare=by_label, shuffle=False)
signal_decoder.fault("label-shift", "other-waters", "medium", prepare=honest_test, edit=other_shares((1, 4), 15))

# -- what is in front of the quay --------------------------------------------------------------------------------------------------------

SEEN = (2, 7, 8)


@cache
def quay() -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, 16, 16) colours in 0..1 of birds, horses and ships, every four pixels as one; (N,) which of them, 0..2."""
    x, y = data.cifar(8000)
    rows = np.isin(y, SEEN)
    return x[rows].reshape(-1, 3, 16, 2, 16, 2).mean((3, 5)), np.searchsorted(SEEN, y[rows])


class Separable(nn.Module):
    """A filter for every channel, then a mixture of channels."""

    def __init__(self, inputs: int, outputs: int, stride: int, act: type[nn.Module], norm: bool) -> None:
        super().__init__()
        self.depth = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.point = nn.Conv2d(inputs, outputs, 1)
        self.norm, self.act = nn.BatchNorm2d(outputs) if norm else nn.Identity(), act()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        return self.act(self.norm(self.point(self.depth(x))))


@script("quay-separable")
def quay_separable(
    draw: Draw,
    *,
    rows: int = 1500,
    channels: int = 16,
    act: type[nn.Module] = nn.Hardswish,
    norm: bool = True,
    drop: float = 0.0,
    **recipe: Any,
) -> Training:
    """Birds, horses and ships before a camera: convolutions that are taken apart."""
    x, y = quay()
    (x, y), (u, v) = draw.rows((x - 0.46) / 0.24, y, rows)
    c = draw.units(channels)

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, c, 3, 2, 1),
            act(),
            Separable(c, 2 * c, 1, act, norm),
            Separable(2 * c, 2 * c, 2, act, norm),
            Separable(2 * c, 3 * c, 1, act, norm),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(drop),
            nn.Linear(3 * c, 3),
        )

    mine = {"optimizer": "sgd", "lr": draw.near(0.12), "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 50, "epochs": 10}
    more = {"schedule": "cosine", "optimizer_options": {"nesterov": True}}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings({**mine, **more}, recipe), classes=3)


quay_separable.fault("loss-summed-over-batch", "sum", "gross", edit=summed)
quay_separable.fault("batch-too-small", "two-pictures", "medium", batch_size=2, epochs=2)
quay_separable.fault("over-regularized", "decay-of-adamw-for-sgd", "medium", weight_decay=0.1)
quay_separable.fault("gradient-clipping-too-tight", "a-thousandth", "gross", clip_norm=1e-3)
quay_separable.fault("class-imbalance", "few-ships", "medium", prepare=balanced, edit=kept(first_of(15, 2)))
quay_separable.fault("wrong-labels", "validation-by-another-list", "gross", prepare=judged_by_validation,
                     edit=validation_relabelled(lambda y: (y + 1) % 3))  # fmt: skip
quay_separable.fault("preprocessing-mismatch", "blue-first", "mild", prepare=honest_test, edit=test_inputs(lambda x: x[:, ::-1]))
quay_separable.fault("missing-augmentation", "never-moved", "medium", prepare=moving(150, 4, (2, 3), 12), edit=still(150, 12))
