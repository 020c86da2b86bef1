"""Scripts of an observatory: changing stars and a pulsating giant, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import (
    Block,
    Draw,
    Edit,
    Training,
    balanced,
    by_label,
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
from zoo.scripts.mistakes import missing, moving, noisy, other_shares, quantities, still, summed

# -- what kind of star changes like this -------------------------------------------------------------------------------------------------

NIGHTS = 16


@cache
def light_curves() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 16, 3) days since the last look, magnitude and its error; and the kind: a pulsating star, an eclipsing one, one that flares
    up, or one that wanders."""
    rng = np.random.default_rng(179)
    n = 5000
    y = rng.integers(0, 4, n)
    gaps = rng.gamma(4, 0.25, (n, NIGHTS))
    t = gaps.cumsum(1)
    phase = t / rng.uniform(3.5, 7.0, (n, 1)) + rng.random((n, 1))
    saw = 2 * np.abs(2 * (phase % 1) ** 0.6 - 1) - 1
    dips = 1.6 * (np.abs(phase % 1 - 0.5) < 0.1) - 0.25
    start = rng.uniform(2.0, 10.0, (n, 1))
    flare = -3.0 * np.exp(-np.maximum(t - start, 0) / rng.uniform(1.5, 3.0, (n, 1))) * (t > start) + 0.5
    walk = (rng.normal(0, 1, (n, NIGHTS)) * np.sqrt(gaps)).cumsum(1)
    walk = 0.45 * (walk - walk.mean(1, keepdims=True))
    error = rng.gamma(4, 0.05, (n, NIGHTS))
    x = np.stack([0.8 * saw, dips, flare, walk])[y, np.arange(n)] * rng.uniform(0.8, 1.3, (n, 1)) + error * rng.normal(0, 1, (n, NIGHTS))
    return np.stack([gaps, 14 + 0.5 * rng.normal(0, 1, (n, 1)) + x, error], 2).astype(np.float32), y


class StarNet(nn.Module):
    """A recurrence that reads both ways; the means and extremes of its states go through a layer."""

    def __init__(
        self, kind: str, width: int, depth: int, middle: int, drop: float, act: type[nn.Module], outputs: int, last: type[nn.Module] | None
    ) -> None:
        super().__init__()
        if kind == "lstm":
            self.cell: nn.Module = nn.LSTM(3, width, depth, batch_first=True, bidirectional=True)
        else:
            self.cell = nn.RNN(3, width, depth, kind, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(4 * width, middle), act(), nn.Dropout(drop), nn.Linear(middle, outputs))
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, 3) -> (N, outputs)."""
        states = self.cell(x)[0]
        y = self.head(torch.cat([states.mean(1), states.amax(1)], 1))
        return self.last(y) if self.last else y


@script("star-bilstm")
def star_bilstm(
    draw: Draw,
    *,
    rows: int = 1600,
    relative: bool = True,
    only: tuple[int, ...] = (),
    kind: str = "lstm",
    width: int = 16,
    depth: int = 1,
    middle: int = 24,
    drop: float = 0.0,
    act: type[nn.Module] = nn.ReLU,
    gain: float = 1.0,
    std: float | None = None,
    bias: float | None = None,
    frozen: str = "",
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The kind of a changing star."""
    x, y = light_curves()
    if relative:
        x = x.copy()
        x[:, :, 1] -= x[:, :, 1].mean(1, keepdims=True)
        x = (x - x.mean((0, 1))) / x.std((0, 1))
    if only:
        x = x * np.isin(np.arange(3), only)
    (x, y), (u, v) = draw.rows(x.astype(np.float32), y, rows)

    def model() -> nn.Module:
        net = StarNet(kind, width, depth, middle, drop, act, outputs, last)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if "weight_hh" in name:
                    parameter.mul_(gain)
                if std is not None and parameter.ndim > 1:
                    parameter.normal_(0, std)
                if frozen and name.startswith(frozen):
                    parameter.requires_grad_(False)
        return initialized(net, lambda w: w, bias, last=False) if bias is not None else net

    mine = {"optimizer": "adam", "lr": draw.near(2e-2), "batch_size": 64, "epochs": 10, "schedule": "cosine", "clip_norm": 5.0}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


star_bilstm.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "gross", lr=0.5, clip_norm=None)
star_bilstm.fault("learning-rate-decays-too-fast", "halved-too-often", "medium", schedule="step:1:0.1", lr=3e-3)
star_bilstm.fault("optimizer-unsuited", "sgd-for-recurrence", "medium", optimizer="sgd", lr=0.02)
star_bilstm.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1200)
star_bilstm.fault("trained-too-briefly", "two-epochs", "mild", epochs=2, schedule="constant", lr=3e-3)
star_bilstm.fault("exploding-gradient", "recurrence-of-relu", "gross", twin={"kind": "relu", "lr": 3e-3}, gain=6.0, clip_norm=None)
star_bilstm.fault("dead-units", "low-biases", "medium", bias=-4.0)
star_bilstm.fault("saturating-activation", "unit-variance-weights", "medium", std=3.0)
star_bilstm.fault("bottleneck", "one-unit-before-the-head", "medium", twin={"act": nn.Tanh}, middle=1)
star_bilstm.fault("features-insufficient", "errors-alone", "gross", only=(0, 2))
star_bilstm.fault("over-regularized", "decay-copied", "medium", weight_decay=0.05)
star_bilstm.fault("softmax-before-cross-entropy", "softmax-in-the-network", "mild", last=Softmax)
star_bilstm.fault("wrong-loss", "names-as-quantities", "gross", outputs=1, edit=quantities)
star_bilstm.fault("output-width-wrong", "wanderers-not-counted", "medium", outputs=3)
star_bilstm.fault("unnormalized-input", "magnitudes-as-they-are", "medium", relative=False)
star_bilstm.fault("data-not-shuffled", "catalogue-by-catalogue", "gross", prepare=by_label, shuffle=False)
star_bilstm.fault("missing-augmentation", "never-delayed", "medium", prepare=moving(120, 4, (1,), 12), edit=still(120, 12))
star_bilstm.fault("label-noise", "amateurs", "gross", edit=relabelled(wrong_share(0.6, 4)))
star_bilstm.fault("labels-unrelated-to-inputs", "one-row-early", "medium", edit=relabelled(lambda y: np.roll(y, -1, 0)))
star_bilstm.fault("wrong-labels", "another-order-of-kinds", "medium", prepare=given_validation, edit=relabelled(lambda y: (y + 1) % 4))
star_bilstm.fault("class-imbalance", "few-flares", "medium", prepare=balanced, edit=kept(first_of(6, 2)))
star_bilstm.fault("label-shift", "another-survey", "medium", prepare=honest_test, edit=other_shares((0, 3), 10))
star_bilstm.fault("covariate-shift", "smaller-telescope", "medium", prepare=honest_test, edit=noisy(0.8))
star_bilstm.fault("preprocessing-mismatch", "brightness-for-magnitude", "medium", prepare=honest_test, edit=test_inputs(
    lambda x: x * np.array([1.0, -1.0, 1.0])
))  # fmt: skip
star_bilstm.fault("non-finite-data", "cloudy-nights", "medium", edit=missing(0.005))

# -- how bright the giant will be --------------------------------------------------------------------------------------------------------

PAST, AHEAD = 20, 3


@cache
def giant(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """(6000, 20) how bright a giant was in the last weeks and (6000, 3) will be in 6, 12 and 18 weeks: an equation with a delay, observed
    with errors."""
    rng = np.random.default_rng(181)
    steps, delay = 10 * (6000 + PAST + 20), 170
    x = np.empty(steps + delay)
    x[:delay] = 1.2 + 0.05 * rng.normal(0, 1, delay)
    for i in range(delay, len(x)):
        x[i] = x[i - 1] + 0.1 * (0.2 * x[i - delay] / (1 + x[i - delay] ** 10) - 0.1 * x[i - 1])
    weeks = x[delay::10]
    seen = weeks + noise * rng.normal(0, 1, len(weeks))
    at = np.arange(PAST, PAST + 6000)
    inputs = np.stack([seen[at - k] for k in range(PAST, 0, -1)], 1)
    return inputs.astype(np.float32), np.stack([weeks[at + k] for k in (5, 11, 17)], 1).astype(np.float32)


@script("giant-forecast")
def giant_forecast(
    draw: Draw,
    *,
    rows: int = 2500,
    noise: float = 0.03,
    scale: bool = True,
    past: int = PAST,
    width: int = 48,
    middle: int = 0,
    depth: int = 1,
    norm: bool = False,
    skip: bool = False,
    act: type[nn.Module] = nn.Tanh,
    drop: float = 0.0,
    std: float | None = None,
    gain: float = 1.0,
    bias: float | None = None,
    unit: float = 0.0,
    offset: float = 0.0,
    frozen: int = 0,
    outputs: int = AHEAD,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Three later values of a series by the twenty before, standardised."""
    x, y = giant(noise)
    x = x[:, PAST - past :]
    x = (x - 0.9) / 0.22 if scale else 1000 * x
    y = y * np.float32(unit) + np.float32(offset) if unit else (y - 0.9) / 0.22
    (x, y), (u, v) = draw.rows(x.astype(np.float32), y.astype(np.float32), rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        if not width:
            return nn.Linear(past, outputs)
        layers: list[nn.Module] = [nn.Linear(past, width), act(), nn.Dropout(drop)]
        layers += [nn.Linear(width, middle), act(), nn.Linear(middle, width), act()] if middle else []
        layers += [Block(nn.Linear(width, width), act, nn.BatchNorm1d(width) if norm else None, skip) for _ in range(depth)]
        net = nn.Sequential(*layers, nn.Linear(width, outputs), *([last()] if last else []))
        net[:frozen].requires_grad_(False)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)
        return initialized(net, lambda w: w.mul_(gain), bias, last=False) if gain != 1 or bias is not None else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.1), "momentum": 0.9, "batch_size": 32, "epochs": 14, "schedule": "cosine"}
    return Training(model, nn.SmoothL1Loss(), (x, y), (u, v), settings(mine, recipe))


giant_forecast.fault(
    "missing-warmup",
    "long-memory-from-cold",
    "gross",
    twin={
        "depth": 8,
        "skip": True,
        "act": nn.ReLU,
        "optimizer": "rmsprop",
        "optimizer_options": {"alpha": 0.999},
        "lr": 8e-3,
        "warmup_steps": 300,
        "epochs": 10,
    },
    warmup_steps=0,
)
giant_forecast.fault("loss-summed-over-batch", "sum-of-many", "gross", twin={"batch_size": 80, "lr": 0.15}, edit=summed)
giant_forecast.fault("momentum-too-high", "a-nine-too-many", "medium", momentum=0.999)
giant_forecast.fault("batch-too-small", "one-week", "medium", batch_size=1, epochs=2)
giant_forecast.fault("trained-too-briefly", "one-epoch", "mild", epochs=1, lr=0.03)
giant_forecast.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={"depth": 4}, act=nn.Sigmoid)
giant_forecast.fault("exploding-gradient", "gain-without-norm", "medium", twin={"depth": 5, "act": nn.ReLU, "lr": 0.03}, gain=5.0)
giant_forecast.fault("dead-units", "low-biases", "mild", twin={"act": nn.ReLU, "lr": 0.05}, bias=-3.0)
giant_forecast.fault("saturating-activation", "unit-variance-weights", "gross", std=5.0)
giant_forecast.fault("bad-initialization", "zeros", "medium", twin={"act": nn.ReLU, "lr": 0.05}, std=0.0)
giant_forecast.fault("saddle-point", "around-the-origin", "medium", twin={"depth": 2}, std=3e-3)
giant_forecast.fault("missing-normalization", "no-batch-norm", "gross", twin={"depth": 12, "norm": True, "act": nn.ReLU, "epochs": 12},
                     norm=False)  # fmt: skip
giant_forecast.fault("too-deep-without-skips", "plain-net", "medium", twin={"depth": 14, "skip": True, "lr": 0.01, "epochs": 12, "width": 24},
                     skip=False)  # fmt: skip
giant_forecast.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", clip_norm=1e-3)
giant_forecast.fault("model-too-simple", "one-unit", "medium", width=1)
giant_forecast.fault("missing-nonlinearity", "activations-left-out", "mild", twin={"lr": 0.05}, act=nn.Identity)
giant_forecast.fault("bottleneck", "narrow-middle", "mild", twin={"middle": 16}, middle=1)
giant_forecast.fault("features-insufficient", "last-week-alone", "medium", past=1)
giant_forecast.fault("frozen-parameters", "all-but-head", "medium", twin={"width": 24}, frozen=4)
giant_forecast.fault("over-regularized", "decay-copied", "mild", weight_decay=0.02)
giant_forecast.fault("unnormalized-input", "millimagnitudes", "gross", scale=False)
giant_forecast.fault("wrong-output-activation", "brightness-is-positive", "medium", last=nn.ReLU)
giant_forecast.fault("data-not-shuffled", "by-phase", "gross", prepare=lambda t: by_brightness(t), shuffle=False)
giant_forecast.fault("covariate-shift", "fainter-each-year", "medium", prepare=honest_test, edit=lambda t: bright_only(t))
giant_forecast.fault("preprocessing-mismatch", "scaler-left-out", "medium", prepare=honest_test, edit=test_inputs(lambda x: 0.22 * x + 0.9))
giant_forecast.fault("wrong-labels", "validation-not-scaled", "medium", prepare=judged_by_validation,
                     edit=validation_relabelled(lambda y: 0.22 * y + 0.9))  # fmt: skip


def by_brightness(t: Training) -> None:
    """Rows in the order of the next value; harmless as long as batches are shuffled."""
    order = np.argsort(t.train[1][:, 0], kind="stable")
    t.train = (t.train[0][order], t.train[1][order])


def bright_only(t: Training) -> None:
    """Trained while it was bright, tested while it was faint."""
    (x, y), (u, v) = t.train, t.clean
    bright, faint = x.mean(1) > np.quantile(x.mean(1), 0.6), u.mean(1) < np.quantile(u.mean(1), 0.3)
    t.train, t.test = (x[bright], y[bright]), (u[faint], v[faint])


def observed(noise: float) -> Edit:
    """Later values were observed with errors too."""

    def edit(t: Training) -> None:
        y = t.train[1]
        t.train = (t.train[0], (y + noise * np.random.default_rng(29).normal(0, 1, y.shape)).astype(np.float32))

    return edit


giant_forecast.fault(
    "model-too-flexible",
    "wide-network",
    "medium",
    twin={"rows": 160, "noise": 0.1, "width": 0, "optimizer": "adam", "lr": 0.01, "epochs": 50, "batch_size": 16},
    prepare=observed(1.0),
    width=400,
)
giant_forecast.fault(
    "trained-too-long",
    "overnight",
    "medium",
    twin={"rows": 200, "noise": 0.1, "optimizer": "adam", "lr": 3e-3, "epochs": 12, "batch_size": 16, "schedule": "constant"},
    prepare=observed(0.8),
    epochs=200,
)
