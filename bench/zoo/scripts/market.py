"""Scripts on ratings, loans and sales, with the mistakes that are made in them."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    copied,
    few,
    first_of,
    honest_test,
    initialized,
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
from zoo.scripts.mistakes import flattered, missing

# -- stars for goods ---------------------------------------------------------------------------------------------------------------------

BUYERS, GOODS = 130, 90


@cache
def stars() -> tuple[np.ndarray, np.ndarray]:
    """(11700, 2) buyers and goods, every pair once; (11700,) stars in halves from a half to five."""
    rng = np.random.default_rng(103)
    pairs = np.stack(np.divmod(rng.permutation(BUYERS * GOODS), GOODS), 1)
    tastes, traits = rng.normal(0, 1, (BUYERS, 3)), rng.normal(0, 1, (GOODS, 3)) * [1.0, 0.8, 0.5]
    kind, fame = rng.normal(0, 0.35, BUYERS), rng.normal(0, 0.45, GOODS)
    u, i = pairs.T
    y = 3.2 + kind[u] + fame[i] + 0.45 * (tastes[u] * traits[i]).sum(1) + 0.4 * rng.normal(0, 1, len(u))
    return pairs.astype(np.float32), np.clip(np.round(2 * y) / 2, 0.5, 5).astype(np.float32)


class Factors(nn.Module):
    """What a buyer and a good add to the stars, and how the one's tastes fit the other's traits."""

    def __init__(self, rank: int, std: float, drop: float, outputs: int, frozen: bool, last: type[nn.Module] | None) -> None:
        super().__init__()
        self.tastes, self.traits = nn.Embedding(BUYERS, rank), nn.Embedding(GOODS, rank)
        self.kind, self.fame = nn.Embedding(BUYERS, outputs), nn.Embedding(GOODS, outputs)
        self.base, self.drop = nn.Parameter(torch.zeros(1)), nn.Dropout(drop)
        self.last = last() if last else None
        for table in (self.tastes, self.traits):
            nn.init.normal_(table.weight, 0, std)
            table.requires_grad_(not frozen)
        for table in (self.kind, self.fame):
            nn.init.zeros_(table.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> (N, outputs)."""
        u, i = x.long().T
        fit = (self.drop(self.tastes(u)) * self.traits(i)).sum(1, keepdim=True)
        y = self.base + self.kind(u) + self.fame(i) + fit
        return self.last(y) if self.last else y


@script("stars-factors")
def stars_factors(
    draw: Draw,
    *,
    rows: int = 8000,
    rank: int = 3,
    std: float = 0.3,
    drop: float = 0.0,
    blind: bool = False,
    points: float = 1.0,
    centred: bool = True,
    outputs: int = 1,
    frozen: bool = False,
    flat: bool = False,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """How many stars a buyer gives to a good."""
    x, y = stars()
    if blind:
        x = x * np.array([0, 1], np.float32)
    (x, y), (u, v) = draw.rows(x, (y - 3.2 if centred else y) * np.float32(points), rows)
    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(4e-2), "batch_size": 128, "epochs": 12, "schedule": "cosine", "weight_decay": 5e-4}
    return Training(lambda: Factors(rank, std, drop, outputs, frozen, last), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


stars_factors.fault("bad-initialization", "embeddings-of-unit-variance", "medium", std=3.0)
stars_factors.fault("saddle-point", "tables-of-zeros", "gross", std=0.0)
stars_factors.fault("bottleneck", "one-taste", "mild", rank=1)
stars_factors.fault("model-too-flexible", "hundred-tastes", "medium", rank=100, weight_decay=0.0)
stars_factors.fault("over-regularized", "decay-copied", "medium", weight_decay=0.05)
stars_factors.fault("too-little-data", "first-week", "medium", edit=few(350))
stars_factors.fault("features-insufficient", "buyers-left-out", "gross", blind=True)
stars_factors.fault("optimizer-unsuited", "sgd-for-embeddings", "medium", optimizer="sgd", lr=0.02)
stars_factors.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=2e-4)
stars_factors.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.08, "batch_size": 32, "epochs": 8}, schedule="constant")
stars_factors.fault("unnormalized-target", "points-of-a-thousand", "medium", points=200.0, centred=False)
stars_factors.fault("wrong-output-activation", "shares-for-stars", "medium", last=nn.Sigmoid)
stars_factors.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
stars_factors.fault("frozen-parameters", "pretrained-tables", "mild", frozen=True)
stars_factors.fault(
    "wrong-labels", "validation-in-per-cent", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: y * 20 + 64)
)

# -- loans that are not paid back --------------------------------------------------------------------------------------------------------

PURPOSES, COLUMNS = 5, 14


@cache
def loans() -> tuple[np.ndarray, np.ndarray]:
    """(8000, 14) age, income, amount, months, use of credit, late payments, years employed, enquiries, a purpose one-hot and owning a home;
    (8000,) whether the loan fails: in the table as a bank has it, skewed and in its own units."""
    rng = np.random.default_rng(107)
    n = 8000
    age, employed = 21 + 45 * rng.beta(1.6, 3.0, n), rng.gamma(1.4, 4.0, n)
    income = np.exp(10.2 + 0.015 * (age - 35) + 0.5 * rng.normal(0, 1, n))
    amount, months = np.exp(9.0 + 0.6 * rng.normal(0, 1, n)), rng.choice([12, 24, 36, 48, 60, 72], n)
    used, late, asked = rng.beta(1.2, 2.0, n), rng.poisson(0.7, n), rng.poisson(1.5, n)
    purpose, home = rng.choice(PURPOSES, n, p=[0.4, 0.25, 0.15, 0.12, 0.08]), rng.random(n) < 0.25 + 0.008 * (age - 20)
    burden = np.log(amount / months / (income / 12) * 12)
    logit = 2.2 * (burden + 1.05) + 3.2 * (used - 0.4) + 1.1 * np.minimum(late, 3) - 0.16 * np.minimum(employed, 10) - 0.8 * home
    logit += np.array([0, 0.9, -0.7, 1.6, -1.3])[purpose] + 1.6 * (used > 0.75) * (late > 0) + 0.25 * asked - 0.9
    y = rng.random(n) < 1 / (1 + np.exp(-1.25 * logit))
    numbers = np.stack([age, income, amount, months, used, late, employed, asked], 1)
    return np.concatenate([numbers, np.eye(PURPOSES)[purpose], home[:, None]], 1).astype(np.float32), y.astype(np.float32)


def tamed(x: np.ndarray) -> np.ndarray:
    """Incomes and amounts by their logarithms."""
    x = x.copy()
    x[:, 1:3] = np.log(x[:, 1:3])
    return x


class Softmax(nn.Softmax):
    """Over outputs."""

    def __init__(self) -> None:
        super().__init__(1)


@script("loan-defaults")
def loan_defaults(
    draw: Draw,
    *,
    rows: int = 3000,
    log: bool = True,
    scale: bool = True,
    only: tuple[int, ...] = (),
    width: int = 32,
    depth: int = 2,
    act: type[nn.Module] = nn.ReLU,
    norm: bool = True,
    drop: float = 0.1,
    std: float | None = None,
    bias: float | None = None,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether a loan fails."""
    x, y = loans()
    (x, y), (u, v) = draw.rows(tamed(x) if log else x, y, rows)
    if scale:
        x, u = scaled(x, u)
    if only:
        x, u = x[:, only], u[:, only]
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise([x.shape[1], *([width] * depth)]):
            layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), act(), nn.Dropout(drop)]
        net = nn.Sequential(*layers, nn.Linear(width if depth else x.shape[1], outputs), *([last()] if last else []))
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w, bias, last=False) if bias is not None else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.03), "momentum": 0.9, "batch_size": 64, "epochs": 8, "schedule": "cosine"}
    mine["weight_decay"] = 2e-3
    pairs = ((x, y[:, None]), (u, v[:, None]))
    return Training(model, loss or nn.BCEWithLogitsLoss(), *pairs, settings(mine, recipe), classes=2)


def recession(t: Training) -> None:
    """Failures that are rare in training and make up most of the test set."""
    kept(first_of(60, 1))(t)
    u, v = t.clean
    rows = (v[:, 0] > 0) | (np.random.default_rng(9).random(len(v)) < 0.1)
    t.test = (u[rows], v[rows])


BARE = {"norm": False, "drop": 0.0, "lr": 0.05}
FEW_LOANS = {
    "rows": 400,
    "norm": False,
    "drop": 0.0,
    "width": 32,
    "batch_size": 16,
    "optimizer": "adam",
    "lr": 3e-3,
    "epochs": 8,
    "weight_decay": 0.0,
}

loan_defaults.fault("unnormalized-input", "dollars", "gross", twin=BARE, log=False, scale=False)
loan_defaults.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
loan_defaults.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", twin={**BARE, "weight_decay": 1e-4}, last=nn.Sigmoid)
loan_defaults.fault("batch-too-small", "two-loans", "medium", batch_size=2, epochs=1)
loan_defaults.fault("learning-rate-too-high", "decimal-slip", "medium", twin=BARE, lr=5.0)
loan_defaults.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", twin=BARE, clip_norm=1e-3)
loan_defaults.fault("dead-units", "low-biases", "medium", twin=BARE, bias=-5.0)
loan_defaults.fault("saturating-activation", "unit-variance-weights", "medium", twin={**BARE, "act": nn.Tanh}, std=4.0, bias=0.0)
loan_defaults.fault("missing-normalization", "no-batch-norm", "medium", twin={"depth": 12, "lr": 0.02, "drop": 0.0}, norm=False)
loan_defaults.fault("label-noise", "careless-clerks", "gross", edit=relabelled(wrong_share(0.38, 2)))
loan_defaults.fault("class-imbalance", "few-failures", "medium", prepare=balanced, edit=kept(first_of(40, 1)))
loan_defaults.fault("label-shift", "recession", "medium", prepare=honest_test, edit=recession)
loan_defaults.fault("features-insufficient", "age-and-home", "gross", only=(0, 13))
loan_defaults.fault("non-finite-data", "income-unknown", "mild", edit=missing(0.03, 1))
loan_defaults.fault("preprocessing-mismatch", "raw-into-the-model", "medium", prepare=honest_test, edit=test_inputs(lambda x: x * 8 - 5))
loan_defaults.fault("train-test-leakage", "upsampled-before-split", "medium", twin=FEW_LOANS, prepare=flattered, edit=copied(6))
loan_defaults.fault("trained-too-long", "overnight", "gross", twin={**FEW_LOANS, "epochs": 10}, epochs=200)
loan_defaults.fault(
    "model-too-flexible",
    "three-wide-layers",
    "medium",
    twin={"rows": 250, "depth": 0, "norm": False, "drop": 0.0, "optimizer": "adam", "lr": 0.03, "batch_size": 16, "epochs": 25},
    depth=3,
    width=256,
    lr=2e-3,
)

# -- sales of the next days --------------------------------------------------------------------------------------------------------------

PAST, AHEAD = 15, 3


@cache
def sales() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 15, 5) pieces sold, whether there is an offer three days on, the price three days on, and the weekday as sine and cosine, for
    days past; (5000, 3) pieces sold on the next days. Shops of any size, with a trend, a week's rhythm of their own and a noisy demand."""
    rng = np.random.default_rng(109)
    n, days = 5000, PAST + AHEAD
    t, start = np.arange(days), rng.integers(0, 7, (n, 1))
    week = (t + start) % 7
    habit = np.where(rng.random((n, 1)) < 0.5, 0.45 * (week >= 5), -0.6 * (week == 6))
    offer = np.repeat(rng.random((n, days // 3)) < 0.2, 3, 1)
    price = np.exp(0.12 * np.repeat(rng.normal(0, 1, (n, days // 6)), 6, 1))
    level = 1.2 + 0.45 * rng.normal(0, 1, (n, 1)) + 0.02 * rng.normal(0, 1, (n, 1)) * t + 0.1 * rng.normal(0, 1, (n, days)).cumsum(1) / 2
    sold = rng.poisson(np.exp(level + habit + 0.7 * offer - 2.0 * np.log(price)))
    past = np.stack([sold[:, :PAST], offer[:, AHEAD:], price[:, AHEAD:], *(f(2 * np.pi * week[:, :PAST] / 7) for f in (np.sin, np.cos))], 2)
    return past.astype(np.float32), sold[:, PAST:].astype(np.float32)


class Exp(nn.Module):
    """A rate by its logarithm."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) -> (N, K)."""
        return x.clamp(max=20).exp()


class SalesNet(nn.Module):
    """A recurrence over days past, and the rates of the next ones."""

    def __init__(self, kind: str, width: int, gain: float, outputs: int, last: type[nn.Module], frozen: bool, drop: float) -> None:
        super().__init__()
        self.cell: nn.Module = nn.GRU(5, width, batch_first=True) if kind == "gru" else nn.RNN(5, width, 1, kind, batch_first=True)
        self.head, self.last, self.drop = nn.Linear(width, outputs), last(), nn.Dropout(drop)
        with torch.no_grad():
            for name, parameter in self.cell.named_parameters():
                if "weight_hh" in name:
                    parameter.mul_(gain)
        self.cell.requires_grad_(not frozen)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 15, 5) -> (N, outputs)."""
        return self.last(self.head(self.drop(self.cell(x)[0][:, -1])))


@script("sales-gru")
def sales_gru(
    draw: Draw,
    *,
    rows: int = 2000,
    kind: str = "gru",
    width: int = 20,
    gain: float = 1.0,
    cents: float = 0.0,
    blind: bool = False,
    one: bool = False,
    flat: bool = False,
    last: type[nn.Module] = Exp,
    frozen: bool = False,
    drop: float = 0.0,
    outputs: int = AHEAD,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """How much a shop sells on each of the next three days."""
    x, y = sales()
    x = x.copy()
    if cents:
        x[:, :, :1] *= np.float32(cents) * x[:, :, 2:3]
    else:
        x[:, :, 0] = (np.log1p(x[:, :, 0]) - 1.5) / 0.65
        x[:, :, 2] = (x[:, :, 2] - 1) / 0.12
    if blind:
        x[:, :, :3] = 0
    if one:
        y, outputs = y[:, 0] if flat else y[:, :1], 1
    (x, y), (u, v) = draw.rows(x, y, rows)
    width = draw.units(width) if width > 4 else width
    mine = {"optimizer": "adam", "lr": draw.near(2e-2), "batch_size": 64, "epochs": 12, "schedule": "cosine", "clip_norm": 5.0}
    return Training(
        lambda: SalesNet(kind, width, gain, outputs, last, frozen, drop),
        loss or nn.PoissonNLLLoss(log_input=False),
        (x, y),
        (u, v),
        settings(mine, recipe),
    )


def small_shops_first(t: Training) -> None:
    """Rows sorted by what was sold; harmless as long as batches are shuffled."""
    order = np.argsort(t.train[1].sum(1), kind="stable")
    t.train = (t.train[0][order], t.train[1][order])


def christmas(t: Training) -> None:
    """Trained on small shops and tested on large ones."""
    (x, y), (u, v) = t.train, t.clean
    low, high = x[:, :, 0].mean(1) < np.median(x[:, :, 0].mean(1)), u[:, :, 0].mean(1) > np.quantile(u[:, :, 0].mean(1), 0.6)
    t.train, t.test = (x[low], y[low]), (u[high], v[high])


sales_gru.fault("exploding-gradient", "recurrent-gain", "medium", twin={"kind": "tanh", "lr": 1e-2}, gain=14.0, clip_norm=None)
sales_gru.fault("unnormalized-input", "revenue-in-cents", "medium", cents=250.0)
sales_gru.fault("frozen-parameters", "recurrence", "medium", frozen=True)
sales_gru.fault("wrong-output-activation", "bounded-rates", "medium", last=nn.Tanh)
sales_gru.fault("wrong-loss", "rates-taken-for-logarithms", "medium", loss=nn.PoissonNLLLoss())
sales_gru.fault("output-target-shape-mismatch", "flat-targets", "medium", twin={"one": True}, flat=True)
sales_gru.fault("output-width-wrong", "one-output-for-three-days", "mild", outputs=1)
sales_gru.fault("trained-too-briefly", "one-epoch", "medium", epochs=1)
sales_gru.fault("learning-rate-decays-too-fast", "gamma-of-steps-for-epochs", "medium", schedule="exponential:0.2")
sales_gru.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1280)
sales_gru.fault("data-not-shuffled", "small-shops-first", "medium", prepare=small_shops_first, shuffle=False)
sales_gru.fault("covariate-shift", "large-shops-later", "medium", prepare=honest_test, edit=christmas)
sales_gru.fault("non-finite-data", "tills-offline", "medium", edit=missing(0.002))
sales_gru.fault("labels-unrelated-to-inputs", "joined-one-shop-late", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
sales_gru.fault("model-too-simple", "one-state", "mild", width=1)
