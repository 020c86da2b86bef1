"""Scripts of an airport: where the land lies, and how long the queues will be, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

import data
from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    few,
    first_of,
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
    validation_among_training,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.market import Softmax
from zoo.scripts.mistakes import beyond, flattered_validation, missing_targets, other_shares, quantities, summed

# -- how far a district lies from the ocean ----------------------------------------------------------------------------------------------

COASTS = ("<1H OCEAN", "INLAND", "NEAR BAY", "NEAR OCEAN")


@cache
def districts() -> tuple[np.ndarray, np.ndarray]:
    """(N, 9) place in degrees, age, rooms, bedrooms, people, households, income and house value of a district as they stand in the file;
    (N,) where it lies: less than an hour from the ocean, inland, near the bay, or near the ocean."""
    lines = (data.find("california-housing") / "housing.csv").read_text().splitlines()[1:]
    cells = [line.split(",") for line in lines if ",," not in line]
    cells = [row for row in cells if row[9] in COASTS]
    return np.array([row[:9] for row in cells], dtype=np.float32), np.array([COASTS.index(row[9]) for row in cells])


@script("coast-mlp")
def coast_mlp(
    draw: Draw,
    *,
    rows: int = 3000,
    scale: bool = True,
    only: tuple[int, ...] = (),
    widths: tuple[int, ...] = (48, 48),
    act: type[nn.Module] = nn.ReLU,
    std: float | None = None,
    bias: float | None = None,
    outputs: int = 4,
    inland: bool = False,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Where a district lies; with ``inland`` whether it is inland."""
    x, y = districts()
    if inland:
        y, outputs = (y == 1).astype(np.float32)[:, None], 1
    (x, y), (u, v) = draw.rows(x.copy(), y, rows)
    if scale:
        for table in (x, u):
            table[:, 3:7] = np.log(table[:, 3:7])
        x, u = scaled(x, u)
    if only:
        x, u = x[:, list(only)], u[:, list(only)]
    inputs = x.shape[1]
    widths = tuple(draw.units(w) if w > 8 else w for w in widths)

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in zip((inputs, *widths), widths, strict=False):
            layers += [nn.Linear(a, b), act()]
        net = nn.Sequential(*layers, nn.Linear((inputs, *widths)[-1], outputs), *([last()] if last else []))
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w, bias, last=False) if bias is not None else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.1), "momentum": 0.9, "batch_size": 32, "epochs": 16, "schedule": "exponential:0.8"}
    loss = loss or (nn.BCEWithLogitsLoss() if inland else nn.CrossEntropyLoss())
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=2 if inland else 4)


def latitude_first(x: np.ndarray) -> np.ndarray:
    """Places in another grid than the scaler knows: longitude and latitude in the other order."""
    return x[:, [1, 0, *range(2, 9)]]


STEEP = {"act": nn.Tanh, "lr": 0.2}

coast_mlp.fault("learning-rate-too-low", "rate-of-adam-for-sgd", "medium", lr=3e-4)
coast_mlp.fault("learning-rate-decays-too-fast", "gamma-for-decay", "medium", schedule="exponential:0.1", lr=0.02)
coast_mlp.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.06, "batch_size": 8, "epochs": 8, "schedule": "cosine"},
                schedule="constant")  # fmt: skip
coast_mlp.fault("momentum-too-high", "a-nine-too-many", "medium", momentum=0.997)
coast_mlp.fault("batch-too-large", "all-rows", "medium", batch_size=2400)
coast_mlp.fault("batch-too-small", "one-row", "medium", batch_size=1, epochs=1)
coast_mlp.fault("dead-units", "low-biases", "medium", bias=-6.0)
coast_mlp.fault("saturating-activation", "unit-variance-weights", "medium", twin=STEEP, std=6.0)
coast_mlp.fault("saddle-point", "around-the-origin", "medium", twin={**STEEP, "widths": (32, 32, 32), "epochs": 20}, std=3e-3, bias=0.0)
coast_mlp.fault("unnormalized-input", "scaler-forgotten", "medium", scale=False)
coast_mlp.fault("single-unit-softmax", "softmax-of-one", "gross", twin={"inland": True}, last=Softmax, loss=nn.BCELoss())
coast_mlp.fault("wrong-loss", "coasts-as-quantities", "medium", twin={"lr": 0.03}, outputs=1, edit=quantities)
coast_mlp.fault("data-not-shuffled", "coast-by-coast", "gross", prepare=by_label, shuffle=False)
coast_mlp.fault("model-too-simple", "one-unit", "medium", widths=(1,))
coast_mlp.fault("missing-nonlinearity", "activations-left-out", "mild", act=nn.Identity)
coast_mlp.fault("features-insufficient", "age-and-income", "gross", only=(2, 7))
coast_mlp.fault("over-regularized", "decay-of-a-tenth", "medium", weight_decay=0.1)
coast_mlp.fault("too-little-data", "fifty-districts", "medium", edit=few(50))
coast_mlp.fault(
    "model-too-flexible",
    "three-wide-layers",
    "medium",
    twin={"rows": 250, "only": (2, 3, 4, 5, 6, 7, 8), "widths": (), "lr": 0.25, "batch_size": 16, "epochs": 20, "schedule": "cosine"},
    widths=(200, 200, 200),
)
coast_mlp.fault("label-noise", "map-from-memory", "medium", edit=relabelled(wrong_share(0.5, 4)))
coast_mlp.fault("class-imbalance", "few-near-water", "medium", prepare=balanced, edit=kept(first_of(4, 2, 3)))
coast_mlp.fault("label-shift", "a-survey-of-the-shore", "medium", prepare=honest_test, edit=other_shares((2, 3), 5))
coast_mlp.fault("covariate-shift", "further-north", "medium", prepare=honest_test, edit=beyond(1, 0.45))
coast_mlp.fault("preprocessing-mismatch", "latitude-first", "gross", prepare=honest_test, edit=test_inputs(latitude_first))

# -- how long the queue will be ----------------------------------------------------------------------------------------------------------

PAST, AHEAD = 16, (1, 3, 5, 7)


@cache
def queues(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """(6000, 16, 5) people in the queue, people who came, flights announced for two hours ahead, gates open and centimetres of snow in the
    last hours; (6000, 4) people in the queue in 1, 3, 5 and 7 hours. Every row is another day at another airport."""
    rng = np.random.default_rng(311)
    n, hours = 6000, PAST + max(AHEAD) + 6
    phase, pace, staff = rng.uniform(0, 2 * np.pi, n), rng.uniform(0.45, 0.75, n), rng.uniform(1.0, 1.3, n)
    t = np.arange(hours + 2)
    flights = 5 + rng.uniform(1.5, 3.5, (n, 1)) * np.sin(pace[:, None] * t + phase[:, None]) + 0.4 * rng.normal(0, 1, (n, hours + 2))
    snow, seen = np.zeros((n, hours)), np.zeros((n, hours, 5))
    length, storm = rng.uniform(0, 100, n), rng.random(n) < 0.3
    for h in range(hours):
        snow[:, h] = (0.7 * snow[:, h - 1] if h else 0) + storm * rng.gamma(1.0, 0.2, n)
        came = 28 * flights[:, h] * (1 + 0.05 * rng.normal(0, 1, n))
        gates = 4 * staff + 0.004 * length
        length = np.maximum(length + came - 35 * gates / (1 + 0.2 * snow[:, h]), 0)
        seen[:, h] = np.stack([length, came, flights[:, h + 2], gates, snow[:, h]], 1)
    at = [5 + PAST + k for k in AHEAD]
    y = seen[:, at, 0].copy()
    seen[..., :2] *= 1 + noise * rng.normal(0, 1, (n, hours, 2))
    return seen[:, 6 : 6 + PAST].astype(np.float32), y.astype(np.float32)


class CausalBlock(nn.Module):
    """Two convolutions that look back alone, beside a shortcut."""

    def __init__(self, into: int, out: int, dilation: int, act: type[nn.Module], skip: bool, drop: float) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(into, out, 2, dilation=dilation), nn.Conv1d(out, out, 2, dilation=dilation)
        self.match = nn.Conv1d(into, out, 1) if into != out else nn.Identity()
        self.act, self.drop, self.skip, self.back = act(), nn.Dropout(drop), skip, dilation

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, L) -> (N, D, L)."""
        y = self.drop(self.act(self.one(F.pad(x, (self.back, 0)))))
        y = self.act(self.two(F.pad(y, (self.back, 0))))
        return self.match(x) + y if self.skip else y


class QueueNet(nn.Module):
    """Causal blocks that look back further and further; the last hour's features tell the next hours."""

    def __init__(self, channels: int, blocks: int, neck: int, act: type[nn.Module], skip: bool, drop: float, outputs: int) -> None:
        super().__init__()
        widths = [5, *[channels] * blocks]
        self.body = nn.Sequential(*(CausalBlock(a, b, 2 ** (i % 3), act, skip, drop) for i, (a, b) in enumerate(pairwise(widths))))
        self.head = nn.Sequential(nn.Linear(channels, neck), nn.Linear(neck, outputs)) if neck else nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, 5) -> (N, outputs)."""
        return self.head(self.body(x.transpose(1, 2))[:, :, -1])


@script("queue-tcn")
def queue_tcn(
    draw: Draw,
    *,
    rows: int = 1800,
    noise: float = 0.1,
    scale: bool = True,
    only: tuple[int, ...] = (),
    channels: int = 20,
    blocks: int = 2,
    neck: int = 0,
    act: type[nn.Module] = nn.ReLU,
    skip: bool = True,
    drop: float = 0.0,
    std: float | None = None,
    gain: float = 1.0,
    bias: float | None = None,
    frozen: bool = False,
    people: float = 0.0,
    outputs: int = len(AHEAD),
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The lengths of a queue in the hours to come, standardised."""
    x, y = queues(noise)
    y = y * np.float32(people) if people else (y - y.mean(0)) / y.std(0)
    (x, y), (u, v) = draw.rows(x.copy(), y, rows)
    if scale:
        middle, spread = x.mean((0, 1)), x.std((0, 1))
        x, u = (x - middle) / spread, (u - middle) / spread
    if only:
        x, u = (a * np.isin(np.arange(5), only) for a in (x, u))
    channels = draw.units(channels) if channels > 4 else channels

    def model() -> nn.Module:
        net: nn.Module = QueueNet(channels, blocks, neck, act, skip, drop, outputs)
        if frozen:
            net.body.requires_grad_(False)
        redraw(net, std, gain, bias)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "nadam", "lr": draw.near(8e-3), "batch_size": 50, "epochs": 9, "schedule": "cosine"}
    train, clean = (x.astype(np.float32), y.astype(np.float32)), (u.astype(np.float32), v.astype(np.float32))
    return Training(model, nn.MSELoss(), train, clean, settings(mine, recipe))


def holidays(t: Training) -> None:
    """Learned on calm days, tested when queues are long."""
    (x, y), (u, v) = t.train, t.clean
    calm, busy = x[:, :, 1].mean(1) < np.quantile(x[:, :, 1].mean(1), 0.4), u[:, :, 1].mean(1) > np.quantile(u[:, :, 1].mean(1), 0.7)
    t.train, t.test = (x[calm], y[calm]), (u[busy], v[busy])


DESCENT = {"optimizer": "sgd", "lr": 0.03, "momentum": 0.9, "epochs": 12}
BARE = {"skip": False, "blocks": 2, "lr": 4e-3, "epochs": 12}

queue_tcn.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=0.5)
queue_tcn.fault("learning-rate-decays-too-fast", "adagrad", "medium", optimizer="adagrad", lr=2e-3, schedule="constant")
queue_tcn.fault(
    "missing-warmup",
    "long-memory-from-cold",
    "gross",
    twin={
        "blocks": 6,
        "channels": 16,
        "optimizer": "rmsprop",
        "optimizer_options": {"alpha": 0.999},
        "lr": 8e-3,
        "epochs": 7,
        "warmup_steps": 70,
    },
    warmup_steps=0,
)
queue_tcn.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 2e-2, "batch_size": 16, "epochs": 5}, schedule="constant")
queue_tcn.fault("optimizer-unsuited", "plain-gradient-descent", "medium", optimizer="sgd", lr=2e-3)
queue_tcn.fault("trained-too-briefly", "twelve-updates", "medium", max_steps=12)
queue_tcn.fault("exploding-gradient", "gain-in-every-layer", "medium", twin=BARE, gain=6.0)
queue_tcn.fault("dead-units", "low-biases", "medium", twin=BARE, bias=-4.0)
queue_tcn.fault("bad-initialization", "wide-weights", "gross", twin=BARE, std=3.0)
queue_tcn.fault("unnormalized-input", "people-and-metres", "mild", twin=DESCENT, scale=False)
queue_tcn.fault("unnormalized-target", "people", "medium", twin=DESCENT, people=1.0)
queue_tcn.fault("wrong-output-activation", "queues-are-positive", "medium", last=nn.ReLU)
queue_tcn.fault("loss-summed-over-batch", "sum", "medium", twin=DESCENT, edit=summed)
queue_tcn.fault("frozen-parameters", "backbone-left-frozen", "medium", frozen=True)
queue_tcn.fault("model-too-simple", "one-channel", "medium", channels=1, blocks=1)
queue_tcn.fault("bottleneck", "code-of-one", "medium", twin={"neck": 12}, neck=1)
queue_tcn.fault("features-insufficient", "snow-alone", "gross", only=(4,))
queue_tcn.fault("over-regularized", "drop-four-in-five", "medium", drop=0.8)
queue_tcn.fault("too-little-data", "forty-days", "medium", edit=few(40))
queue_tcn.fault("covariate-shift", "holidays", "medium", prepare=honest_test, edit=holidays)
queue_tcn.fault("preprocessing-mismatch", "another-scaler", "medium", prepare=honest_test, edit=test_inputs(lambda x: 1.6 * x - 0.8))
queue_tcn.fault("labels-unrelated-to-inputs", "joined-one-day-late", "medium", edit=relabelled(lambda y: np.roll(y, 1, 0)))
queue_tcn.fault("wrong-labels", "validation-in-dozens", "medium", prepare=judged_by_validation,
                edit=validation_relabelled(lambda y: y / 12 + 3))  # fmt: skip
queue_tcn.fault("non-finite-data", "queues-not-counted", "medium", edit=missing_targets)
queue_tcn.fault(
    "train-test-leakage",
    "validation-not-taken-out",
    "medium",
    twin={"rows": 250, "noise": 0.3, "batch_size": 16, "epochs": 20},
    prepare=flattered_validation,
    edit=validation_among_training,
)
