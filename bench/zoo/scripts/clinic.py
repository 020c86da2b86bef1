"""Scripts of a hospital's analysts, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    copied,
    few,
    first_of,
    given_validation,
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
from zoo.scripts.mistakes import beyond, flattered, flattered_validation, missing, summed
from zoo.scripts.pictures import Softmax

# -- who comes back within a month -------------------------------------------------------------------------------------------------------

WARDS, ROUTES, ILLNESSES = 7, 4, 12
CODES = (WARDS, ROUTES, ILLNESSES)


@cache
def stays() -> tuple[np.ndarray, np.ndarray]:
    """(9000, 9) ward, route, illness, age, days, creatinine, C-reactive protein, sodium, earlier stays; (9000,) whether one came back."""
    rng = np.random.default_rng(103)
    n = 9000
    ward, route = rng.choice(WARDS, n, p=[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05]), rng.choice(ROUTES, n, p=[0.5, 0.3, 0.15, 0.05])
    illness = rng.choice(ILLNESSES, n, p=rng.dirichlet(np.full(ILLNESSES, 6.0)))
    age = np.clip(rng.gamma(14, 4.6, n), 18, 98)
    days, protein = rng.lognormal(1.3, 0.7, n), rng.lognormal(2.6, 1.2, n)
    creatinine = rng.lognormal(0.0, 0.4, n) * np.exp(0.008 * (age - 64)) * 80
    sodium, earlier = rng.normal(138, 4, n), rng.poisson(rng.gamma(0.8, 1.4, n))
    risk = 1.0 * np.log1p(earlier) + 0.4 * np.log(protein) + np.where(age > 70, 1.4, 0.2) * np.log(creatinine / 80)
    risk += 0.035 * np.abs(sodium - 138) ** 1.6 / 2 + 0.5 * np.abs(np.log(days) - 1.3) + 0.015 * (age - 64)
    risk += rng.normal(0, 0.5, ILLNESSES)[illness] + rng.normal(0, 0.3, WARDS)[ward] + rng.normal(0, 0.4, ROUTES)[route]
    risk = (risk - np.quantile(risk, 0.55)) / risk.std()
    back = rng.random(n) < 1 / (1 + np.exp(-3.0 * risk))
    table = np.stack([ward, route, illness, age, days, creatinine, protein, sodium, earlier], 1)
    return table.astype(np.float32), back.astype(np.float32)


def logarithmic(x: np.ndarray) -> np.ndarray:
    """Skewed columns as logarithms."""
    x = x.copy()
    x[:, [4, 5, 6, 8]] = np.log1p(x[:, [4, 5, 6, 8]])
    return x


class Experts(nn.Module):
    """Codes as vectors beside laboratory values; a gate weighs what several small networks say."""

    def __init__(
        self, experts: int, sizes: tuple[int, ...], act: type[nn.Module], drop: float, skip: bool, last: type[nn.Module] | None
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(codes, 3) for codes in CODES)
        self.gate = nn.Linear(15, experts)
        self.experts = nn.ModuleList(Expert(sizes, act, drop, skip) for _ in range(experts))
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 9) -> (N, 1)."""
        x = torch.cat([*(table(x[:, i].long()) for i, table in enumerate(self.tables)), x[:, 3:]], 1)
        said = torch.cat([expert(x) for expert in self.experts], 1)
        y = (self.gate(x).softmax(1) * said).sum(1, keepdim=True)
        return self.last(y) if self.last else y


class Expert(nn.Module):
    """Layers, beside shortcuts where they have them, and one output."""

    def __init__(self, sizes: tuple[int, ...], act: type[nn.Module], drop: float, skip: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip((15, *sizes), sizes, strict=False))
        self.act, self.drop, self.skip = act(), nn.Dropout(drop), skip
        self.out = nn.Linear((15, *sizes)[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 15) -> (N, 1)."""
        for layer in self.layers:
            y = self.drop(self.act(layer(x)))
            x = x + y if self.skip and x.shape == y.shape else y
        return self.out(x)


@script("readmission-experts")
def readmission_experts(
    draw: Draw,
    *,
    rows: int = 5000,
    log: bool = True,
    scale: bool = True,
    only: tuple[int, ...] = (),
    experts: int = 3,
    sizes: tuple[int, ...] = (12,),
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    skip: bool = False,
    std: float | None = None,
    bias: float | None = None,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether a patient comes back within a month."""
    x, y = stays()
    (x, y), (u, v) = draw.rows(logarithmic(x) if log else x.copy(), y, rows)
    if scale:
        x[:, 3:], u[:, 3:] = scaled(x[:, 3:], u[:, 3:])
    if only:
        for table in (x, u):
            table[:, [j for j in range(9) if j not in only]] = 0
    sizes = tuple(draw.units(size) if size > 8 else size for size in sizes)

    def model() -> nn.Module:
        net = Experts(experts, sizes, act, drop, skip, last)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        if bias is not None:
            with torch.no_grad():
                for expert in net.experts:
                    for layer in expert.layers:
                        layer.bias.fill_(bias)
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(1.2e-2), "weight_decay": 1e-2, "batch_size": 128, "epochs": 6, "schedule": "cosine"}
    loss = loss or nn.BCEWithLogitsLoss()
    return Training(model, loss, (x, y[:, None]), (u, v[:, None]), settings(mine, recipe), classes=2)


def laboratory(x: np.ndarray) -> np.ndarray:
    """Creatinine and C-reactive protein come in another unit, the logarithm is of another base."""
    x = x.copy()
    x[:, 5] = x[:, 5] - 8.0
    x[:, 6] = x[:, 6] / 2.3 - 2.0
    return x


def mostly_back(t: Training) -> None:
    """Few in the training set came back, most in the test set did."""
    kept(first_of(100, 1))(t)
    u, v = t.clean
    rows = (v[:, 0] == 1) | (np.random.default_rng(10).random(len(v)) < 0.1)
    t.test = (u[rows], v[rows])


SGD = {"optimizer": "sgd", "lr": 0.2, "momentum": 0.9, "weight_decay": 1e-4, "epochs": 14}

COLD = {
    "sizes": (12,) * 10,
    "experts": 1,
    "skip": True,
    "optimizer": "rmsprop",
    "optimizer_options": {"alpha": 0.999},
    "lr": 8e-3,
    "weight_decay": 0.0,
    "warmup_steps": 60,
}

readmission_experts.fault("learning-rate-too-high", "rate-of-sgd-for-adamw", "medium", lr=1.0)
readmission_experts.fault("optimizer-unsuited", "plain-gradient-descent", "mild", optimizer="sgd", lr=5e-3)
readmission_experts.fault("batch-too-small", "one-patient", "medium", twin=SGD, batch_size=1, epochs=1)
readmission_experts.fault("dead-units", "prior-in-every-bias", "medium", twin={"experts": 1}, bias=-6.0)
readmission_experts.fault("saturating-activation", "forgotten-fan-in", "medium", twin={"act": nn.Tanh}, std=3.0)
readmission_experts.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={"experts": 1}, sizes=(12,) * 6, act=nn.Sigmoid)
readmission_experts.fault(
    "saddle-point",
    "around-the-origin",
    "medium",
    twin={**SGD, "act": nn.Tanh, "sizes": (12, 12, 12), "experts": 1, "epochs": 20},
    std=3e-3,
    bias=0.0,
)
readmission_experts.fault(
    "too-deep-without-skips",
    "shortcut-forgotten",
    "medium",
    twin={"sizes": (16,) * 20, "experts": 1, "lr": 4e-3, "epochs": 10, "skip": True},
    skip=False,
)
readmission_experts.fault("unnormalized-input", "laboratory-units", "medium", log=False, scale=False)
readmission_experts.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
readmission_experts.fault("single-unit-softmax", "softmax-of-one-and-squares", "gross", last=Softmax, loss=nn.MSELoss())
readmission_experts.fault("missing-warmup", "long-memory-from-cold", "medium", twin=COLD, warmup_steps=0)
readmission_experts.fault("missing-nonlinearity", "activations-left-out", "medium", twin={"experts": 1, "sizes": (16,)}, act=nn.Identity)
readmission_experts.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", twin=SGD, last=nn.Sigmoid)
readmission_experts.fault("features-insufficient", "administration-alone", "medium", only=(0, 1))
readmission_experts.fault("over-regularized", "decay-of-ten", "medium", weight_decay=30.0)
readmission_experts.fault("too-little-data", "hundred-patients", "medium", edit=few(100))
readmission_experts.fault("label-noise", "coding-errors", "gross", edit=relabelled(wrong_share(0.4, 2)))
readmission_experts.fault(
    "wrong-labels", "validation-the-other-way", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: 1 - y)
)
readmission_experts.fault("class-imbalance", "few-come-back", "medium", prepare=balanced, edit=kept(first_of(80, 1)))
readmission_experts.fault("label-shift", "geriatric-clinic-later", "medium", prepare=honest_test, edit=mostly_back)
readmission_experts.fault("preprocessing-mismatch", "another-laboratory", "medium", prepare=honest_test, edit=test_inputs(laboratory))
readmission_experts.fault("covariate-shift", "from-the-kidney-ward", "medium", prepare=honest_test, edit=beyond(5, 0.3))
readmission_experts.fault("non-finite-data", "protein-not-measured", "medium", edit=missing(0.03, 6))
readmission_experts.fault("data-not-shuffled", "returned-ones-last", "medium", prepare=by_label, shuffle=False)

# -- where a heart beats -----------------------------------------------------------------------------------------------------------------


@cache
def heartbeats() -> tuple[np.ndarray, np.ndarray]:
    """(4000, 1, 64) millivolts, with wandering baseline, noise and knocks, and (4000, 64) whether a ventricle is at work at that moment."""
    rng, t = np.random.default_rng(107), np.arange(64)
    x = 0.06 * rng.normal(0, 1, (4000, 64))
    x += 0.25 * np.sin(rng.uniform(0.02, 0.12, (4000, 1)) * t + rng.uniform(0, 2 * np.pi, (4000, 1)))
    y = np.zeros((4000, 64))
    for i in range(4000):
        period, size, width = rng.uniform(20, 36), rng.uniform(0.5, 1.3), rng.uniform(0.8, 1.6)
        delay = rng.uniform(0.22, 0.32) * period
        for centre in np.arange(-rng.uniform(0, period), 64 + period, period):
            beat = np.exp(-(((t - centre) / width) ** 2)) - 0.25 * np.exp(-(((t - centre - 2 * width) / width) ** 2))
            late = 0.25 * np.exp(-(((t - centre - delay) / (0.1 * period)) ** 2))
            early = 0.12 * np.exp(-(((t - centre + 0.18 * period) / (0.05 * period)) ** 2))
            x[i] += size * (beat + late + early)
            y[i] += (t > centre - 2 * width) & (t < centre + delay + 0.14 * period)
        if rng.random() < 0.5:
            x[i] += rng.uniform(-1, 1) * np.exp(-np.abs(t - rng.uniform(0, 64)) / 1.5)
    return x[:, None].astype(np.float32), (y > 0).astype(np.float32)


def convolved(a: int, b: int, norm: bool, act: type[nn.Module]) -> nn.Sequential:
    """A convolution over five moments and what follows."""
    return nn.Sequential(nn.Conv1d(a, b, 5, padding=2), nn.BatchNorm1d(b) if norm else nn.Identity(), act())


class BeatNet(nn.Module):
    """A U-Net of two floors over time: what is seen in detail goes past what is seen from afar."""

    def __init__(
        self, channels: int, middle: int, neck: int, norm: bool, act: type[nn.Module], past: bool, last: type[nn.Module] | None
    ) -> None:
        super().__init__()
        c, self.past = channels, past
        self.first, self.second = convolved(1, c, norm, act), convolved(c, c, norm, act)
        self.bottom = nn.Sequential(convolved(c, neck, norm, act), *(convolved(neck, neck, norm, act) for _ in range(middle)))
        self.pool, self.up = nn.MaxPool1d(2), nn.Upsample(scale_factor=2)
        self.third = convolved(neck + (c if past else 0), c, norm, act)
        self.fourth = convolved(c + (c if past else 0), c, norm, act)
        self.head = nn.Conv1d(c, 1, 1)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 64) -> (N, 64)."""
        fine = self.first(x)
        coarse = self.second(self.pool(fine))
        x = self.up(self.bottom(self.pool(coarse)))
        x = self.up(self.third(torch.cat([x, coarse], 1) if self.past else x))
        y = self.head(self.fourth(torch.cat([x, fine], 1) if self.past else x)).squeeze(1)
        return self.last(y) if self.last else y


@script("heartbeat-unet")
def heartbeat_unet(
    draw: Draw,
    *,
    rows: int = 1000,
    channels: int = 8,
    middle: int = 0,
    neck: int = 12,
    norm: bool = True,
    act: type[nn.Module] = nn.ReLU,
    past: bool = True,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """At which moments a ventricle is at work."""
    x, y = heartbeats()
    (x, y), (u, v) = draw.rows(x / 0.4, y, rows)
    channels, neck = (draw.units(size) if size > 4 else size for size in (channels, neck))

    def model() -> nn.Module:
        net = BeatNet(channels, middle, neck, norm, act, past, last)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w.mul_(gain), bias, last=False) if gain != 1 or bias is not None else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.2), "momentum": 0.9, "batch_size": 40, "epochs": 9, "schedule": "cosine"}
    mine["weight_decay"] = 1e-4
    loss = loss or nn.BCEWithLogitsLoss()
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=64, multilabel=True)


BARE = {"norm": False, "optimizer": "adam", "lr": 9e-3, "momentum": 0.0, "epochs": 12}

heartbeat_unet.fault("learning-rate-decays-too-fast", "step-every-epoch", "medium", twin={"lr": 0.05}, schedule="step:1:0.05")
heartbeat_unet.fault("momentum-too-high", "averaging-weight", "medium", momentum=0.998)
heartbeat_unet.fault("batch-too-small", "two-records", "mild", batch_size=2, epochs=1)
heartbeat_unet.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", clip_norm=2e-3)
heartbeat_unet.fault("loss-summed-over-batch", "sum", "gross", edit=summed)
heartbeat_unet.fault("missing-normalization", "no-batch-norm", "medium", twin={"middle": 5, "past": False, "channels": 12}, norm=False)
heartbeat_unet.fault("dead-units", "low-biases", "medium", twin=BARE, bias=-4.0)
heartbeat_unet.fault("bad-initialization", "unit-variance", "mild", twin=BARE, std=1.0, bias=0.0)
heartbeat_unet.fault("exploding-gradient", "gain-in-every-layer", "medium", twin={**BARE, "middle": 3, "lr": 4e-3}, gain=12.0)
heartbeat_unet.fault("wrong-loss", "one-moment-a-record", "medium", loss=nn.CrossEntropyLoss())
heartbeat_unet.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", last=nn.Sigmoid)
heartbeat_unet.fault("model-too-simple", "two-channels", "medium", channels=2, neck=2)
heartbeat_unet.fault("trained-too-briefly", "steps-for-epochs", "medium", max_steps=12)
heartbeat_unet.fault("too-little-data", "ten-records", "medium", edit=few(10))
heartbeat_unet.fault("labels-unrelated-to-inputs", "next-record", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
heartbeat_unet.fault("wrong-labels", "diastole-for-systole", "medium", prepare=given_validation, edit=relabelled(lambda y: 1 - y))
heartbeat_unet.fault("preprocessing-mismatch", "microvolts", "gross", prepare=honest_test, edit=test_inputs(lambda x: x * 1000 * 0.4))

# -- visits to an ambulance --------------------------------------------------------------------------------------------------------------


@cache
def visits() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 13) years from the middle, seven columns of weekdays, temperature, pollen, flu, holiday, matches nearby; (7000,) visits."""
    rng = np.random.default_rng(109)
    n = 7000
    years, day = rng.uniform(-2.5, 2.5, n), rng.integers(0, 7, n)
    temperature = 11 - 9 * np.cos(2 * np.pi * years) + 4 * rng.normal(0, 1, n)
    pollen, flu = rng.lognormal(3.0, 0.9, n), rng.gamma(1.2, 12.0, n)
    holiday, match = rng.random(n) < 0.06, rng.poisson(0.4, n)
    level = 2.7 + np.array([0.25, 0.05, 0.0, 0.0, 0.1, -0.35, -0.5])[day] - 0.4 * holiday * (day < 5)
    level += 0.5 * np.sin(2 * np.pi * 1.04 * years + 0.6) + 0.035 * np.maximum(temperature - 18, 0) - 0.02 * np.minimum(temperature, 0)
    level += 0.16 * np.log(pollen / 20) * (temperature > 8) + 0.014 * np.minimum(flu, 50) + 0.1 * match
    weekdays = np.eye(7)[day]
    table = np.concatenate([years[:, None], weekdays, np.stack([temperature, pollen, flu, holiday, match], 1)], 1)
    return table.astype(np.float32), rng.poisson(np.exp(level)).astype(np.float32)


class VisitNet(nn.Module):
    """Expected visits: the exponential of a network of the day's circumstances and a season whose pace is learned."""

    def __init__(self, sizes: tuple[int, ...], act: type[nn.Module], drop: float, pace: float, start: float, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in zip((12, *sizes), sizes, strict=False):
            layers += [nn.Linear(a, b), act(), nn.Dropout(drop)]
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear((12, *sizes)[-1], outputs)
        self.pace, self.turns = nn.Parameter(torch.tensor(pace)), nn.Parameter(0.1 * torch.randn(2))
        nn.init.constant_(self.out.bias, start)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 13) -> (N, outputs), logarithms."""
        angle = 2 * torch.pi * self.pace * x[:, :1]
        return self.out(self.body(x[:, 1:])) + self.turns[0] * angle.sin() + self.turns[1] * angle.cos()


class Exponential(nn.Module):
    """Whence numbers that are counted come."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x.exp()


@script("ambulance-visits")
def ambulance_visits(
    draw: Draw,
    *,
    rows: int = 3000,
    scale: bool = True,
    only: tuple[int, ...] = (),
    sizes: tuple[int, ...] = (24,),
    act: type[nn.Module] = nn.SiLU,
    drop: float = 0.0,
    pace: float = 1.0,
    std: float | None = None,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """How many visits an ambulance has on a day."""
    x, y = visits()
    x = x.copy()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        for table in (x, u):
            table[:, 9:11] = np.log1p(table[:, 9:11])
        x[:, 8:], u[:, 8:] = scaled(x[:, 8:], u[:, 8:])
    if only:
        for table in (x, u):
            table[:, [j for j in range(13) if j not in only]] = 0
    sizes = tuple(draw.units(size) if size > 8 else size for size in sizes)
    start = float(np.log(y.mean()))

    def model() -> nn.Module:
        net: nn.Module = VisitNet(sizes, act, drop, pace, start, outputs)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), last=False)
        return nn.Sequential(net, (last or Exponential)())

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 15, "schedule": "cosine"}
    return Training(model, nn.PoissonNLLLoss(log_input=False), (x, y), (u, v), settings(mine, recipe))


LINEAR = {"rows": 150, "sizes": (), "lr": 8e-3, "batch_size": 16, "epochs": 35}
SHORT = {"rows": 250, "sizes": (8,), "lr": 8e-3, "batch_size": 16, "epochs": 12}

ambulance_visits.fault("local-minimum", "season-of-months", "gross", pace=12.0)
ambulance_visits.fault("local-minimum", "two-seasons-a-year", "medium", pace=1.9)
ambulance_visits.fault("learning-rate-too-low", "cautious", "medium", lr=3e-5)
ambulance_visits.fault(
    "missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.03, "batch_size": 8, "epochs": 6}, schedule="constant"
)
ambulance_visits.fault("vanishing-gradient", "sigmoid-everywhere", "medium", sizes=(24,) * 7, act=nn.Sigmoid)
ambulance_visits.fault("saturating-activation", "unit-variance-weights", "medium", twin={"act": nn.Tanh}, std=3.0)
ambulance_visits.fault(
    "gradient-clipping-too-tight", "a-thousandth", "medium", twin={"optimizer": "sgd", "lr": 6e-3, "momentum": 0.9}, clip_norm=1e-2
)
ambulance_visits.fault("wrong-output-activation", "rates-are-shares", "gross", last=nn.Sigmoid)
ambulance_visits.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
ambulance_visits.fault("missing-nonlinearity", "activations-left-out", "mild", act=nn.Identity)
ambulance_visits.fault("features-insufficient", "weekday-alone", "gross", only=(1, 2, 3, 4, 5, 6, 7))
ambulance_visits.fault("over-regularized", "decay-copied", "medium", weight_decay=10.0)
ambulance_visits.fault("model-too-flexible", "two-wide-layers", "medium", twin=LINEAR, sizes=(256, 256))
ambulance_visits.fault("trained-too-long", "overnight", "gross", twin={**SHORT, "rows": 200, "sizes": (32,)}, epochs=400)
ambulance_visits.fault(
    "model-too-flexible", "three-wide-layers", "gross", twin={**LINEAR, "rows": 200, "act": nn.ReLU}, sizes=(256, 256, 256)
)
ambulance_visits.fault("trained-too-long", "three-hundred-epochs", "medium", twin={**SHORT, "sizes": (48,)}, epochs=300)
ambulance_visits.fault(
    "train-test-leakage", "upsampled-before-split", "medium", twin={**SHORT, "sizes": (48,)}, prepare=flattered, edit=copied(8)
)
ambulance_visits.fault(
    "train-test-leakage",
    "validation-not-taken-out",
    "gross",
    twin={**SHORT, "sizes": (48,), "epochs": 20},
    prepare=flattered_validation,
    edit=validation_among_training,
)
