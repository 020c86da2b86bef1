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
            twin={"rows": 500, "width": 128, "epochs": 16, "drop": 0.2, "batch_size": 25, "lr": 4e-3})  # fmt: skip

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


ticket_queues.fault("learning-rate-too-high", "rate-of-sgd", "gross", lr=0.3)
ticket_queues.fault("label-noise", "dispatcher-guessed", "gross", edit=relabelled(wrong_share(0.5, QUEUES)))
ticket_queues.fault("data-not-shuffled", "export-by-queue", "gross", prepare=by_label, shuffle=False)
ticket_queues.fault("too-little-data", "pilot-week", "medium", edit=only_first(160, 32))
ticket_queues.fault("output-width-wrong", "queues-of-the-old-desk", "medium", outputs=4)

# -- four qualities of a mill's paper ----------------------------------------------------------------------------------------------------


@cache
def paper() -> tuple[np.ndarray, np.ndarray]:
    """(4000, 10) settings and readings of a paper mill, scaled; (4000, 4) strength, gloss, weight and moisture of the reel, scaled."""
    rng = np.random.default_rng(4013)
    n = 4000
    x = rng.normal(0, 1, (n, 10))
    x[:, 4:7] = 0.7 * x[:, :3] + 0.7 * x[:, 4:7]
    x[rng.random(n) < 0.06, 9] = 0
    strength = np.tanh(1.5 * x[:, 0]) + 0.6 * x[:, 1] * x[:, 2] + 0.4 * x[:, 5]
    gloss = np.sin(1.5 * x[:, 3]) + 0.5 * np.abs(x[:, 4]) - 0.3 * x[:, 9]
    weight = x[:, 6] + 0.6 * np.maximum(x[:, 7], 0) + 0.3 * x[:, 1]
    moisture = np.tanh(x[:, 8] - x[:, 7]) + 0.5 * x[:, 0] * x[:, 3]
    y = np.stack([strength, gloss, weight, moisture], 1)
    y = y / y.std(0) + rng.normal(0, 0.3, y.shape)
    return scaled(x)[0], scaled(y)[0]


class ReelNet(nn.Module):
    """A trunk and one head for every quality; the heads side by side."""

    def __init__(self, width: int, neck: int, drop: float, frozen: bool) -> None:
        super().__init__()
        self.enter, self.neck = nn.Linear(10, width), nn.Linear(width, neck)
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(neck, 16), nn.ReLU(), nn.Linear(16, 1)) for _ in range(4))
        self.drop = nn.Dropout(drop)
        if frozen:
            self.enter.requires_grad_(False)
            self.neck.requires_grad_(False)
            self.heads.requires_grad_(False)
            for head in self.heads:
                head[2].requires_grad_(True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10) -> (N, 4)."""
        h = self.drop(F.relu(self.enter(x)))
        h = self.drop(F.relu(self.neck(h)))
        return torch.cat([head(h) for head in self.heads], 1)


@script("team-mill-reels", held_out=True)
def mill_reels(
    draw: Draw,
    *,
    rows: int = 1200,
    width: int = 64,
    neck: int = 32,
    drop: float = 0.0,
    frozen: bool = False,
    reduction: str = "mean",
    **recipe: Any,
) -> Training:
    """Four qualities of paper by ten readings: a trunk with four heads."""
    x, y = paper()
    train, validation, aside = parted(draw, x, y, rows, 500)
    w = draw.units(width)
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 40, "epochs": 12, "schedule": "cosine"}
    model = lambda: ReelNet(w, neck, drop, frozen)  # noqa: E731
    return Training(model, nn.MSELoss(reduction=reduction), train, aside, settings(mine, recipe), validation=validation)


mill_reels.fault("bottleneck", "neck-of-one", "gross", neck=1)
mill_reels.fault("frozen-parameters", "only-last-layers-learn", "medium", frozen=True)
mill_reels.fault("over-regularized", "dropout-means-kept", "gross", drop=0.85)
mill_reels.fault("batch-too-large", "whole-table", "medium", batch_size=1200)
mill_reels.fault(
    "loss-summed-over-batch", "sum-of-squares", "gross", reduction="sum", twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}
)

# -- what a crew does, minute by minute --------------------------------------------------------------------------------------------------


@cache
def shifts() -> tuple[np.ndarray, np.ndarray]:
    """(2600, 16, 3) noise, power and doors of a hall in 16 minutes; (2600, 16) whether it idles, sets up, runs or cleans."""
    rng = np.random.default_rng(4019)
    n, steps = 2600, 16
    state = np.zeros((n, steps), np.int64)
    state[:, 0] = rng.integers(0, 4, n)
    for t in range(1, steps):
        following = (state[:, t - 1] + rng.choice([1, 2], n, p=[0.85, 0.15])) % 4
        state[:, t] = np.where(rng.random(n) < 0.75, state[:, t - 1], following)
    level = np.array([[-1.0, -1.0, 0.2], [0.3, -0.4, 1.0], [1.2, 1.2, -0.6], [0.3, 0.4, 0.6]])
    x = level[state] + rng.normal(0, 0.75, (n, steps, 3))
    return scaled(x.reshape(-1, 3))[0].reshape(n, steps, 3), state


class CrewTagger(nn.Module):
    """A recurrent layer both ways and the logits of every minute."""

    def __init__(self, hidden: int, constant: float | None) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, hidden, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(2 * hidden, 4)
        if constant is not None:
            for weight in self.parameters():
                nn.init.constant_(weight, constant)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, 3) -> (N, 4, 16)."""
        return self.tag(self.rnn(x)[0]).transpose(1, 2)


@script("team-crew-minutes", held_out=True)
def crew_minutes(draw: Draw, *, rows: int = 700, hidden: int = 16, constant: float | None = None, **recipe: Any) -> Training:
    """What a crew does in each of sixteen minutes: a GRU both ways, classes of every step."""
    x, y = shifts()
    train, validation, aside = parted(draw, x, y, rows, 250)
    h = draw.units(hidden) if hidden > 4 else hidden
    mine = {"optimizer": "adam", "lr": draw.near(0.015), "batch_size": 32, "epochs": 8, "schedule": "cosine"}
    return Training(lambda: CrewTagger(h, constant), nn.CrossEntropyLoss(), train, aside, settings(mine, recipe), classes=4,
                    validation=validation)  # fmt: skip


def one_row_on(y: np.ndarray) -> np.ndarray:
    """Labels of the row before."""
    return np.roll(y, 1, 0)


def codes_of_the_old_plan(y: np.ndarray) -> np.ndarray:
    """Numbered from one, the last one back at zero."""
    return (y + 1) % 4


def some_missing(t: Training) -> None:
    """A sensor that was off leaves gaps."""
    x = t.train[0].copy()
    x[::9, 5, 1] = np.nan
    t.train = (x, t.train[1])


crew_minutes.fault("labels-unrelated-to-inputs", "joined-one-row-on", "gross", edit=relabelled(one_row_on))
crew_minutes.fault("wrong-labels", "numbered-from-one", "gross", edit=relabelled(codes_of_the_old_plan))
crew_minutes.fault("bad-initialization", "all-weights-zero", "gross", constant=0.0)
crew_minutes.fault("non-finite-data", "sensor-was-off", "gross", edit=some_missing)

# -- how many spare parts a depot sends --------------------------------------------------------------------------------------------------


@cache
def depots() -> tuple[np.ndarray, np.ndarray]:
    """(4500, 8) code of the depot and seven scaled numbers; (4500,) parts sent in a week, small counts."""
    rng = np.random.default_rng(4021)
    n = 4500
    depot, z = rng.integers(0, 20, n), rng.normal(0, 1, (n, 7))
    score = 1.2 + rng.normal(0, 0.5, 20)[depot] + 0.5 * z[:, 0] - 0.4 * np.abs(z[:, 1]) + 0.35 * z[:, 2] * z[:, 3] + 0.2 * z[:, 4]
    x = np.concatenate([depot[:, None], z], 1).astype(np.float32)
    return x, rng.poisson(np.exp(np.clip(score, -3, 3.2))).astype(np.float32)


class PoissonByHand(nn.Module):
    """The negative log-likelihood of counts, given their rates."""

    def forward(self, rates: Tensor, counts: Tensor) -> Tensor:
        """A scalar."""
        return (rates - counts * torch.log(rates + 1e-6)).mean()


class DepotRate(nn.Module):
    """A vector of the depot beside the numbers, hidden layers, a rate."""

    def __init__(self, width: int, layers: int, act: Callable[[Tensor], Tensor], positive: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.depot = nn.Embedding(20, 4)
        self.hidden = nn.ModuleList(nn.Linear(11 if i == 0 else width, width) for i in range(layers))
        self.rate, self.act, self.positive = nn.Linear(width, 1), act, positive

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8) -> (N, 1)."""
        h = torch.cat([self.depot(x[:, 0].long()), x[:, 1:]], 1)
        for layer in self.hidden:
            h = self.act(layer(h))
        return self.positive(self.rate(h))


@script("team-depot-parts", held_out=True)
def depot_parts(
    draw: Draw,
    *,
    rows: int = 2500,
    layers: int = 2,
    act: Callable[[Tensor], Tensor] = torch.relu,
    positive: Callable[[Tensor], Tensor] = F.softplus,
    **recipe: Any,
) -> Training:
    """Spare parts that a depot sends in a week: counts by Poisson's likelihood, written by hand."""
    x, y = depots()
    train, validation, aside = parted(draw, x, y[:, None], rows, 600)
    w = draw.units(32)
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 9, "schedule": "cosine"}
    return Training(lambda: DepotRate(w, layers, act, positive), PoissonByHand(), train, aside, settings(mine, recipe),
                    validation=validation)  # fmt: skip


def far_away(x: np.ndarray) -> np.ndarray:
    """Numbers that were scaled by other means."""
    return np.concatenate([x[:, :1], 2.5 * x[:, 1:] + 1.5], 1).astype(np.float32)


depot_parts.fault("wrong-output-activation", "sigmoid-rates", "gross", positive=torch.sigmoid)
depot_parts.fault("vanishing-gradient", "six-sigmoids", "gross", act=torch.sigmoid, twin={"layers": 6, "lr": 3e-3})
depot_parts.fault("preprocessing-mismatch", "scaled-by-other-means", "gross", prepare=honest_test, edit=test_inputs(far_away))

# -- faults of woven cloth, with a body that knows weaves --------------------------------------------------------------------------------


def weaves(rng: np.random.Generator, kinds: np.ndarray, spoiled: np.ndarray) -> np.ndarray:
    """(N, 1, 12, 12) patches of cloth: one of six weaves; a thick thread, a hole or a stain upon it."""
    rows, columns = np.mgrid[:12, :12]
    turn = kinds[:, None, None] * np.pi / 6
    phase = rng.uniform(0, 6.3, (len(kinds), 1, 1))
    x = np.sin(1.3 * (np.cos(turn) * rows + np.sin(turn) * columns) + phase)
    at = rng.integers(2, 10, (2, len(kinds), 1, 1))
    gap = (rows - at[0]) ** 2 + (columns - at[1]) ** 2
    thread = 1.6 * (np.abs(rows - at[0]) < 1)
    x = x + (spoiled[:, None, None] == 1) * thread
    x = np.where((spoiled[:, None, None] == 2) & (gap < 6), -2.0, x)
    x = x + (spoiled[:, None, None] == 3) * 1.8 * np.exp(-gap / 6)
    return (x + rng.normal(0, 0.4, x.shape))[:, None].astype(np.float32)


@cache
def cloth() -> tuple[np.ndarray, np.ndarray]:
    """(2200, 1, 12, 12) patches; (2200,) whether the cloth is fine, has a thick thread, a hole or a stain."""
    rng = np.random.default_rng(4027)
    kinds, spoiled = rng.integers(0, 6, 2200), rng.choice(4, 2200, p=[0.4, 0.2, 0.2, 0.2])
    return weaves(rng, kinds, spoiled), spoiled


class WeaveBody(nn.Module):
    """Two convolutions, the second with a stride; means and maxima of the maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 12, 12) -> (N, 32)."""
        h = F.relu(self.conv2(F.relu(self.conv1(x))))
        return torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1)


@cache
def body_of_weaves() -> dict[str, Tensor]:
    """Weights of a body that told the six weaves apart, spoiled or not."""
    rng, generator = np.random.default_rng(4029), torch.Generator().manual_seed(4029)
    kinds = rng.integers(0, 6, 1200)
    x, y = torch.from_numpy(weaves(rng, kinds, rng.integers(0, 4, 1200))), torch.from_numpy(kinds)
    with torch.random.fork_rng():
        torch.manual_seed(4029)
        body, head = WeaveBody(), nn.Linear(32, 6)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], 5e-3)
    for _ in range(4):
        for rows in torch.randperm(1200, generator=generator).split(48):
            optimizer.zero_grad()
            F.cross_entropy(head(body(x[rows])), y[rows]).backward()
            optimizer.step()
    return {name: weight.detach().clone() for name, weight in body.state_dict().items()}


class ClothInspector(nn.Module):
    """The body as it was trained on weaves, and a new classifier."""

    def __init__(self, frozen: bool, spread: float) -> None:
        super().__init__()
        self.body = WeaveBody()
        self.body.load_state_dict(body_of_weaves())
        self.body.requires_grad_(not frozen)
        self.hidden, self.classify = nn.Linear(32, 24), nn.Linear(24, 4)
        if spread:
            nn.init.normal_(self.hidden.weight, 0, spread)
            nn.init.normal_(self.classify.weight, 0, spread)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 12, 12) -> (N, 4)."""
        return self.classify(F.relu(self.hidden(self.body(x))))


@script("team-cloth-faults", held_out=True)
def cloth_faults(draw: Draw, *, rows: int = 700, frozen: bool = False, spread: float = 0.0, **recipe: Any) -> Training:
    """Faults of cloth: a body pretrained on weaves is tuned further under a new classifier."""
    x, y = cloth()
    train, validation, aside = parted(draw, x, y, rows, 300)
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 32, "epochs": 12, "schedule": "cosine"}
    return Training(lambda: ClothInspector(frozen, spread), nn.CrossEntropyLoss(), train, aside, settings(mine, recipe), classes=4,
                    validation=validation)  # fmt: skip


cloth_faults.fault("frozen-parameters", "body-stays-as-it-was", "medium", frozen=True)
cloth_faults.fault("bad-initialization", "classifier-drawn-wide", "gross", spread=8.0)
cloth_faults.fault("learning-rate-too-high", "rate-of-a-head-for-all", "gross", lr=0.2)
cloth_faults.fault("label-noise", "inspector-in-a-hurry", "gross", edit=relabelled(wrong_share(0.45, 4)))
