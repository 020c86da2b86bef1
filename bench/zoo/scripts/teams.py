"""Scripts as small teams run them: pumps, subscribers, tickets, demand, fabrics, wards, mills, crews and gearboxes, with their mistakes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.scripts.base import (
    Draw,
    Edit,
    Pair,
    Training,
    balanced,
    by_label,
    first_of,
    honest_test,
    kept,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    wrong_share,
)


def parted(draw: Draw, x: np.ndarray, y: np.ndarray, rows: int, checked: int) -> tuple[Pair, Pair, Pair]:
    """Rows to train on, others to validate on, and those that are kept aside."""
    (x, y), aside = draw.rows(x, y, rows + checked)
    return (x[:-checked], y[:-checked]), (x[-checked:], y[-checked:]), aside


def only_first(count: int, batch: int = 0) -> Edit:
    """The first so many rows, as many updates."""

    def edit(t: Training) -> None:
        size = batch or t.recipe.batch_size
        updates = t.recipe.epochs * -(-len(t.train[0]) // t.recipe.batch_size)
        t.train = (t.train[0][:count], t.train[1][:count])
        t.set(batch_size=size, epochs=max(1, round(updates / -(-count // size))))

    return edit


# -- how long a pump will last -----------------------------------------------------------------------------------------------------------


@cache
def pumps() -> tuple[np.ndarray, np.ndarray]:
    """(3600, 6, 32) pressure, flow, current, degrees, vibration and speed of a pump in 32 minutes; (3600,) the hours it still ran."""
    rng = np.random.default_rng(4001)
    n, t = 3600, np.arange(32)
    worn, load = rng.beta(1.3, 1.3, n), rng.uniform(0.4, 1.0, (n, 1))
    load = load + 0.15 * np.cumsum(rng.normal(0, 0.3, (n, 32)), 1) / np.sqrt(32)
    w = worn[:, None]
    speed = 1450 + 60 * load + rng.normal(0, 4, (n, 32))
    flow = 80 * load * (1 - 0.25 * w**2) + rng.normal(0, 3, (n, 32))
    pressure = 6 * load**2 - 1.2 * w * load + rng.normal(0, 0.25, (n, 32))
    current = 12 + 9 * load + 2.5 * w**2 * load + rng.normal(0, 0.6, (n, 32))
    degrees = 45 + 12 * load + 10 * w**3 + rng.normal(0, 1.5, (n, 1)) + rng.normal(0, 0.5, (n, 32))
    beat = rng.uniform(0.6, 0.9, (n, 1)) * t + rng.uniform(0, 6, (n, 1))
    shakes = 0.4 + 0.5 * rng.gamma(2, 0.5, (n, 32)) + (0.2 + 1.6 * w) * np.sin(beat) + 0.3 * rng.normal(0, 1, (n, 32))
    x = np.stack([pressure, flow, current, degrees, shakes, speed], 1)
    hours = 900 * (1 - worn) ** 1.3 / (0.6 + 0.6 * load.mean(1)) * np.exp(rng.normal(0, 0.12, n))
    return x.astype(np.float32), hours.astype(np.float32)


class CausalBlock(nn.Module):
    """A dilated convolution that looks back."""

    def __init__(self, channels: int, dilation: int, act: Callable[[Tensor], Tensor], skip: bool) -> None:
        super().__init__()
        self.pad, self.skip, self.act = 2 * dilation, skip, act
        self.mix = nn.Conv1d(channels, channels, 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) -> (N, C, T)."""
        y = self.act(self.mix(F.pad(x, (self.pad, 0))))
        return x + y if self.skip else y


class PumpLife(nn.Module):
    """Convolutions over time, a mean over it, one number."""

    def __init__(self, channels: int, act: Callable[[Tensor], Tensor], last: Callable[[Tensor], Tensor] | None, blocks: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv1d(6, channels, 1)
        self.blocks = nn.ModuleList(CausalBlock(channels, 2**i, act, True) for i in range(blocks))
        self.regressor = nn.Linear(2 * channels, 1)
        self.act, self.last = act, last

    def forward(self, x: Tensor) -> Tensor:
        """(N, 6, 32) -> (N, 1)."""
        h = self.act(self.stem(x))
        for block in self.blocks:
            h = block(h)
        out = self.regressor(torch.cat([h.mean(2), h.amax(2)], 1))
        return self.last(out) if self.last else out


class HuberByHand(nn.Module):
    """Squares near zero, a line beyond delta."""

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        gap = (outputs - targets).abs()
        return torch.where(gap < self.delta, 0.5 * gap**2, self.delta * (gap - 0.5 * self.delta)).mean()


def identity(x: Tensor) -> Tensor:
    """As it is."""
    return x


@script("team-pump-life", held_out=True)
def pump_life(
    draw: Draw,
    *,
    rows: int = 1000,
    hours: bool = False,
    flat: bool = False,
    channels: int = 16,
    act: Callable[[Tensor], Tensor] = torch.relu,
    last: Callable[[Tensor], Tensor] | None = None,
    **recipe: Any,
) -> Training:
    """Hours that a pump has left by half an hour of six sensors: causal convolutions and a Huber loss by hand."""
    x, y = pumps()
    x = (x - x.mean((0, 2), keepdims=True)) / x.std((0, 2), keepdims=True)
    y = y if hours else (y - y.mean()) / y.std()
    train, validation, aside = parted(draw, x, y if flat else y[:, None], rows, 400)
    c = draw.units(channels)
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 40, "epochs": 9, "schedule": "cosine"}
    return Training(lambda: PumpLife(c, act, last), HuberByHand(), train, aside, settings(mine, recipe), validation=validation)


def zeros_for_a_sensor(x: np.ndarray) -> np.ndarray:
    """Channels scaled window by window."""
    return (x - x.mean(2, keepdims=True)) / (x.std(2, keepdims=True) + 1e-6)


pump_life.fault("unnormalized-target", "hours-as-logged", "gross", hours=True)
pump_life.fault("output-target-shape-mismatch", "flat-hours", "gross", flat=True)
pump_life.fault("missing-nonlinearity", "activation-commented-out", "medium", act=identity)
pump_life.fault("trained-too-briefly", "smoke-test-epochs", "medium", epochs=1)
pump_life.fault("gradient-clipping-too-tight", "clip-of-another-config", "gross", clip_norm=1e-4,
                twin={"optimizer": "sgd", "lr": 0.05, "momentum": 0.9})  # fmt: skip
pump_life.fault("preprocessing-mismatch", "window-by-window", "gross", prepare=honest_test, edit=test_inputs(zeros_for_a_sensor))

# -- who cancels -------------------------------------------------------------------------------------------------------------------------

PLANS, REGIONS, CHANNELS = 5, 24, 6


@cache
def subscribers() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 9) codes of plan, region and channel, months, fee, minutes, calls to support, days since the last one (filled in where there
    was none) and whether it was filled in; (7000,) whether the contract was cancelled."""
    rng = np.random.default_rng(4003)
    n = 7000
    plan, region, channel = rng.integers(0, PLANS, n), rng.integers(0, REGIONS, n), rng.integers(0, CHANNELS, n)
    months, fee = rng.gamma(1.5, 16, n), np.exp(rng.normal(3.4, 0.5, n)) + 6 * plan
    minutes, calls = rng.gamma(2, 260, n) * (0.5 + 0.3 * plan), rng.poisson(rng.gamma(1.0, 1.4, n))
    since = np.where(calls > 0, rng.exponential(40, n), np.nan)
    worth = np.log(minutes + 30) - np.log(fee) * 1.3
    score = -1.6 * np.tanh((months - 18) / 14) - 1.3 * (worth - worth.mean()) / worth.std() + 0.8 * np.minimum(calls, 4) * (plan < 3)
    score += rng.normal(0, 1.2, PLANS)[plan] + rng.normal(0, 0.9, REGIONS)[region] + rng.normal(0, 0.8, CHANNELS)[channel]
    score += np.where(np.isnan(since), 0, 1.4 * np.exp(-np.nan_to_num(since) / 15))
    gone = score - np.quantile(score, 0.57) + rng.logistic(0, 0.55, n) > 0
    filled = np.isnan(since)
    since[filled] = np.nanmedian(since)
    x = np.stack([plan, region, channel, months, fee, minutes, calls, since, filled], 1)
    return x.astype(np.float32), gone.astype(np.float32)


class ChurnNet(nn.Module):
    """Codes looked up, numbers beside them, two hidden layers."""

    def __init__(self, width: int, drop: float, last: Callable[[Tensor], Tensor] | None, bias: float) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, k) for n, k in ((PLANS, 3), (REGIONS, 4), (CHANNELS, 3)))
        self.fc1, self.fc2, self.logit = nn.Linear(16, width), nn.Linear(width, width // 2), nn.Linear(width // 2, 1)
        self.dropout, self.last = nn.Dropout(drop), last
        if bias:
            nn.init.constant_(self.fc1.bias, bias)
            nn.init.constant_(self.fc2.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 9) -> (N, 1)."""
        parts = [table(x[:, j].long()) for j, table in enumerate(self.tables)]
        h = torch.cat([*parts, x[:, 3:]], 1)
        h = self.dropout(F.relu(self.fc1(h)))
        h = self.dropout(F.relu(self.fc2(h)))
        z = self.logit(h)
        return self.last(z) if self.last else z


def softmax_of_rows(z: Tensor) -> Tensor:
    """Probabilities over the columns."""
    return F.softmax(z, 1)


@script("team-churn", held_out=True)
def churn(
    draw: Draw,
    *,
    rows: int = 3000,
    scale: bool = True,
    width: int = 32,
    drop: float = 0.0,
    bias: float = 0.0,
    last: Callable[[Tensor], Tensor] | None = None,
    loss: Callable[[], nn.Module] = nn.BCEWithLogitsLoss,
    **recipe: Any,
) -> Training:
    """Whether a subscriber cancels: embeddings of codes next to numbers."""
    x, y = subscribers()
    (a, ya), (b, yb), (c, yc) = parted(draw, x.copy(), y[:, None], rows, 800)
    if scale:
        a[:, 3:], b[:, 3:], c[:, 3:] = scaled(a[:, 3:], b[:, 3:], c[:, 3:])
    w = draw.units(width)
    mine = {"optimizer": "adamw", "lr": draw.near(0.01), "weight_decay": 0.02, "batch_size": 64, "epochs": 9, "schedule": "cosine"}
    model = lambda: ChurnNet(w, drop, last, bias)  # noqa: E731
    return Training(model, loss(), (a, ya), (c, yc), settings(mine, recipe), classes=2, validation=(b, yb))


def flattering(t: Training) -> None:
    """Judged by how far validation flatters."""
    t.scored = "optimism"


def joined_twice(t: Training) -> None:
    """A join doubled the rows before they were parted: most of the validation rows are training rows too."""
    assert t.validation is not None
    (x, y), (u, v) = t.train, t.validation
    t.train = (np.concatenate([x, u[:700]]), np.concatenate([y, v[:700]]))


churn.fault("unnormalized-input", "raw-columns", "medium", scale=False, twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9})
churn.fault("single-unit-softmax", "softmax-of-one-logit", "gross", last=softmax_of_rows, loss=nn.BCELoss)
churn.fault("class-imbalance", "few-who-left", "medium", prepare=balanced, edit=kept(first_of(60, 1)))
churn.fault("learning-rate-too-low", "rate-of-the-big-model", "gross", lr=1e-5)
churn.fault("dead-units", "bias-of-minus-ten", "gross", bias=-10.0)
churn.fault("train-test-leakage", "doubled-join", "gross", prepare=flattering, edit=joined_twice,
            twin={"rows": 700, "width": 96, "epochs": 15, "drop": 0.4, "batch_size": 32, "lr": 4e-3})  # fmt: skip

# -- which queue a ticket belongs to -----------------------------------------------------------------------------------------------------

WORDS, LONG, QUEUES = 260, 18, 6


@cache
def tickets() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 18) words of a ticket, 0 where it has ended; (5000,) the queue that settled it. Queues share most of their words."""
    rng = np.random.default_rng(4007)
    n = 5000
    shared = rng.dirichlet(np.full(WORDS - 1, 0.4))
    own = rng.dirichlet(np.full(WORDS - 1, 0.08), QUEUES)
    queue = rng.choice(QUEUES, n, p=[0.25, 0.2, 0.18, 0.15, 0.12, 0.1])
    x = np.zeros((n, LONG), np.int64)
    for i in range(n):
        length = rng.integers(7, LONG + 1)
        x[i, :length] = 1 + rng.choice(WORDS - 1, length, p=0.72 * shared + 0.28 * own[queue[i]])
    lost = rng.random(n) < 0.03
    return x, np.where(lost, rng.integers(0, QUEUES, n), queue)


class TicketReader(nn.Module):
    """Words and places, attention of words to words, a pool that weighs them, logits."""

    def __init__(self, width: int, outputs: int, drop: float, std: float, last: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__()
        self.word = nn.Embedding(WORDS, width, padding_idx=0)
        self.place = nn.Parameter(0.02 * torch.randn(LONG, width))
        nn.init.normal_(self.word.weight, 0, std)
        self.attend = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.weigh, self.out = nn.Linear(width, 1), nn.Linear(width, outputs)
        self.dropout, self.last = nn.Dropout(drop), last

    def forward(self, x: Tensor) -> Tensor:
        """(N, 18) -> (N, outputs)."""
        gone = x == 0
        h = self.dropout(self.word(x) + self.place)
        h = self.norm1(h + self.attend(h, h, h, key_padding_mask=gone, need_weights=False)[0])
        share = self.weigh(h).masked_fill(gone[..., None], -1e9).softmax(1)
        z = self.out(self.dropout(self.norm2((share * h).sum(1))))
        return self.last(z) if self.last else z


@script("team-tickets", held_out=True)
def ticket_queues(
    draw: Draw,
    *,
    rows: int = 2400,
    width: int = 32,
    outputs: int = QUEUES,
    drop: float = 0.2,
    std: float = 0.3,
    last: Callable[[Tensor], Tensor] | None = None,
    **recipe: Any,
) -> Training:
    """Which of six queues a ticket belongs to: one layer of attention over its words."""
    x, y = tickets()
    train, validation, aside = parted(draw, x, y, rows, 700)
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 8, "schedule": "linear", "warmup_steps": 10}
    model = lambda: TicketReader(width, outputs, drop, std, last)  # noqa: E731
    return Training(model, nn.CrossEntropyLoss(), train, aside, settings(mine, recipe), classes=QUEUES, validation=validation)


ticket_queues.fault("softmax-before-cross-entropy", "probabilities-returned", "medium", last=softmax_of_rows)
ticket_queues.fault("learning-rate-too-high", "rate-of-sgd", "gross", lr=0.3)
ticket_queues.fault("label-noise", "dispatcher-guessed", "gross", edit=relabelled(wrong_share(0.5, QUEUES)))
ticket_queues.fault("data-not-shuffled", "export-by-queue", "gross", prepare=by_label, shuffle=False)
ticket_queues.fault("too-little-data", "pilot-week", "medium", edit=only_first(160, 32))
ticket_queues.fault("output-width-wrong", "queues-of-the-old-desk", "medium", outputs=4)
