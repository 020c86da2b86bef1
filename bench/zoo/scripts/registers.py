"""Scripts on tables as offices and laboratories keep them, with the mistakes that are made in them."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    Draw,
    Training,
    by_label,
    copied,
    few,
    given_validation,
    honest_test,
    judged_by_validation,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    validation_among_training,
    validation_relabelled,
)
from zoo.scripts.mistakes import beyond, flattered, flattered_validation, missing, summed

# -- bicycles on loan --------------------------------------------------------------------------------------------------------------------

HOURS, DAYS, SKIES = 24, 7, 4


@cache
def loans() -> tuple[np.ndarray, np.ndarray]:
    """(9000, 7) hour, weekday, sky, and temperature in degrees C, humidity in %, wind in km/h, pressure in Pa; (9000,) bicycles lent."""
    rng = np.random.default_rng(61)
    hour, day = rng.integers(0, HOURS, 9000), rng.integers(0, DAYS, 9000)
    sky = rng.choice(SKIES, 9000, p=[0.5, 0.3, 0.15, 0.05])
    temperature = 12 + 9 * rng.normal(0, 1, 9000) + 4 * np.sin((hour - 9) / 24 * 2 * np.pi) - sky
    humidity = np.clip(55 + 12 * sky - 0.8 * (temperature - 12) + 12 * rng.normal(0, 1, 9000), 10, 100)
    wind, pressure = rng.gamma(2.0, 6.0, 9000), 101_300 - 500 * sky + 700 * rng.normal(0, 1, 9000)
    rush = np.exp(-(((hour - 8) / 1.5) ** 2)) + 1.2 * np.exp(-(((hour - 17.5) / 2) ** 2))
    leisure = np.exp(-(((hour - 14) / 4) ** 2))
    demand = 2.5 + np.where(day < 5, 1.8 * rush, 1.5 * leisure) - 0.05 * np.maximum(temperature - 26, 0) ** 2 / 4
    demand += 0.05 * temperature - np.array([0, 0.1, 0.7, 1.4])[sky] * (1 + 0.5 * leisure) - 0.015 * wind
    lent = rng.poisson(np.exp(demand + 0.2 * rng.normal(0, 1, 9000)))
    return np.stack([hour, day, sky, temperature, humidity, wind, pressure], 1).astype(np.float32), lent.astype(np.float32)


class LoanNet(nn.Module):
    """Embeddings of hour, weekday and sky beside the numbers of the weather station."""

    def __init__(self, width: int, drop: float, outputs: int, last: type[nn.Module] | None) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(codes, 6) for codes in (HOURS, DAYS, SKIES))
        self.body = nn.Sequential(nn.Linear(22, width), nn.SiLU(), nn.Dropout(drop), nn.Linear(width, width), nn.SiLU(), nn.Dropout(drop))
        self.out = nn.Linear(width, outputs)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 7) -> (N, outputs)."""
        parts = [table(x[:, i].long()) for i, table in enumerate(self.tables)]
        y = self.out(self.body(torch.cat([*parts, x[:, 3:]], 1)))
        return self.last(y) if self.last else y


@script("bicycle-loans")
def bicycle_loans(
    draw: Draw,
    *,
    rows: int = 3000,
    scale: bool = True,
    cents: float = 0.0,
    only: tuple[int, ...] = (),
    width: int = 32,
    drop: float = 0.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """The logarithm of bicycles lent in an hour, standardised."""
    x, y = loans()
    logs = np.log1p(y)
    y = y * np.float32(cents) if cents else (logs - logs.mean()) / logs.std()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        x[:, 3:], u[:, 3:] = scaled(x[:, 3:], u[:, 3:])
    if only:
        for table in (x, u):
            table[:, [j for j in range(7) if j not in only]] = 0
    width = draw.units(width)
    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adamw", "lr": draw.near(8e-3), "weight_decay": 1e-2, "batch_size": 64, "epochs": 12, "schedule": "cosine"}
    return Training(lambda: LoanNet(width, drop, outputs, last), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


def hottest(t: Training) -> None:
    """Trained on the colder half of the year, tested in the hottest weeks."""
    beyond(3, 0.45)(t)


bicycle_loans.fault("features-insufficient", "weekday-alone", "gross", only=(1,))
bicycle_loans.fault("features-insufficient", "weekday-and-sky", "medium", only=(1, 2))
bicycle_loans.fault("unnormalized-input", "pascals", "gross", scale=False)
bicycle_loans.fault("unnormalized-target", "revenue-in-cents", "medium", cents=150.0)
bicycle_loans.fault("optimizer-unsuited", "sgd-for-embeddings", "medium", optimizer="sgd", lr=0.01)
bicycle_loans.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
bicycle_loans.fault("output-width-wrong", "one-output-a-sky", "gross", outputs=4)
bicycle_loans.fault("wrong-output-activation", "counts-are-positive", "medium", last=nn.ReLU)
bicycle_loans.fault("data-not-shuffled", "sorted-by-count", "medium", prepare=by_label, shuffle=False)
bicycle_loans.fault("non-finite-data", "weather-station-down", "mild", edit=missing(0.02, 3))
bicycle_loans.fault("covariate-shift", "winter-for-summer", "medium", prepare=honest_test, edit=hottest)
bicycle_loans.fault("over-regularized", "decay-of-adam-for-adamw", "medium", weight_decay=60.0)
bicycle_loans.fault("over-regularized", "keep-probability-for-drop", "medium", drop=0.95)
bicycle_loans.fault("learning-rate-decays-too-fast", "step-for-epoch", "medium", schedule="step:1:0.1", lr=2e-3)
bicycle_loans.fault("labels-unrelated-to-inputs", "joined-one-hour-late", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
bicycle_loans.fault("wrong-labels", "validation-in-counts", "medium", prepare=judged_by_validation, edit=validation_relabelled(np.exp))
bicycle_loans.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
bicycle_loans.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=2400)

# -- how much of a gas -------------------------------------------------------------------------------------------------------------------


def responses(batches: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32) steady and rising responses of sixteen sensors, logarithms of their sizes, and the logarithm of the concentration."""
    lines = [line.strip().split(",") for b in batches for line in (data.find("gas-drift") / f"batch{b}.dat").read_text().splitlines()]
    rows = np.array([line[1:] for line in lines if len(line) > 2], dtype=np.float32)
    x = rows[:, 1:].reshape(-1, 16, 8)[:, :, [0, 2]].reshape(-1, 32)
    return np.sign(x) * np.log1p(np.abs(x)), np.log(rows[:, 0])


@cache
def concentrations() -> tuple[np.ndarray, np.ndarray]:
    """Batches 1, 3 and 6."""
    return responses((1, 3, 6))


@cache
def later_concentrations() -> tuple[np.ndarray, np.ndarray]:
    """Batch 9, half a year later."""
    return responses((9,))


class Residual(nn.Module):
    """Normalised, expanded, activated and added."""

    def __init__(self, width: int, norm: bool, act: type[nn.Module], skip: bool, gain: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.up, self.act, self.down, self.skip = nn.Linear(width, 2 * width), act(), nn.Linear(2 * width, width), skip
        with torch.no_grad():
            self.up.weight.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, W)."""
        y = self.down(self.act(self.up(self.norm(x))))
        return x + y if self.skip else y


@script("gas-concentration")
def gas_concentration(
    draw: Draw,
    *,
    rows: int = 2000,
    later: bool = False,
    scale: bool = True,
    blocks: int = 2,
    width: int = 32,
    norm: bool = True,
    act: type[nn.Module] = nn.GELU,
    skip: bool = True,
    gain: float = 1.0,
    std: float | None = None,
    frozen: bool = False,
    parts: float = 1.0,
    **recipe: Any,
) -> Training:
    """The logarithm of a gas's concentration, standardised, by sixteen sensors."""
    x, y = concentrations()
    late, level = later_concentrations()
    y, level = (y - y.mean()) / y.std(), (level - y.mean()) / y.std()
    (x, y), (u, v) = draw.rows(x, y * parts, rows)
    if scale:
        x, u, late = scaled(x, u, late)

    def model() -> nn.Module:
        stack = [Residual(width, norm, act, skip, gain) for _ in range(blocks)]
        net = nn.Sequential(nn.Linear(32, width), *stack, nn.LayerNorm(width) if norm else nn.Identity(), nn.Linear(width, 1))
        if std is not None:
            with torch.no_grad():
                for parameter in net.parameters():
                    if parameter.ndim > 1:
                        parameter.normal_(0, std)
        if frozen:
            net[:-1].requires_grad_(False)
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(3e-3), "weight_decay": 1e-2, "batch_size": 64, "epochs": 25, "schedule": "cosine"}
    made = Training(model, nn.MSELoss(), (x, y[:, None]), (u, v[:, None]), settings(mine, recipe))
    if later:
        made.test = (late, level[:, None])
    return made


DEEP = {"blocks": 10, "width": 16, "norm": False, "lr": 2e-3, "epochs": 15}

gas_concentration.fault("too-deep-without-skips", "plain-net", "medium", twin={**DEEP, "norm": False}, skip=False)
gas_concentration.fault("missing-warmup", "from-cold", "medium", twin={"blocks": 10, "width": 16,
        "norm": False, "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 4.5e-3, "epochs": 12, "warmup_steps": 80}, warmup_steps=0)  # fmt: skip
gas_concentration.fault(
    "exploding-gradient", "gain-in-every-block", "medium", twin={"blocks": 5, "width": 16, "norm": False, "epochs": 15}, gain=12.0
)
gas_concentration.fault("bad-initialization", "unit-variance", "medium", std=2.0)
gas_concentration.fault("frozen-parameters", "all-but-head", "medium", frozen=True)
gas_concentration.fault("learning-rate-too-high", "one", "gross", lr=3.0)
gas_concentration.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=2e-5)
gas_concentration.fault("covariate-shift", "half-a-year-later", "medium", prepare=honest_test, later=True)
gas_concentration.fault(
    "preprocessing-mismatch", "natural-for-decimal-logarithm", "medium", prepare=honest_test, edit=test_inputs(lambda x: x / 2.303 - 1.5)
)
gas_concentration.fault(
    "wrong-labels", "validation-decimal", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: y / 2.303 + 1.5)
)
gas_concentration.fault(
    "wrong-labels", "training-in-per-mille", "medium", prepare=given_validation, edit=relabelled(lambda y: y * 0.2 - 1.5)
)
gas_concentration.fault("unnormalized-target", "parts-per-billion", "medium", parts=2000.0)
gas_concentration.fault("trained-too-briefly", "steps-for-epochs", "gross", max_steps=25)
gas_concentration.fault(
    "momentum-too-high", "a-nine-too-many", "medium", twin={"optimizer": "sgd", "lr": 0.03, "momentum": 0.9}, momentum=0.998
)
gas_concentration.fault("loss-summed-over-batch", "sum", "medium", twin={"optimizer": "sgd", "lr": 0.05, "momentum": 0.9}, edit=summed)

# -- the activity of molecules -----------------------------------------------------------------------------------------------------------


@cache
def assay() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 24) correlated descriptors of molecules and an activity that depends on few of them, with as much noise as an assay has."""
    rng = np.random.default_rng(67)
    hidden = rng.normal(0, 1, (5000, 12))
    x = hidden @ rng.normal(0, 0.5, (12, 24)) + rng.normal(0, 0.8, (5000, 24))
    y = hidden[:, 0] + 0.8 * hidden[:, 1] - 0.7 * hidden[:, 2] + 0.5 * np.tanh(2 * hidden[:, 3] * hidden[:, 0])
    y = (y - y.mean()) / y.std() + 0.6 * rng.normal(0, 1, 5000)
    return scaled(x)[0], ((y - y.mean()) / y.std()).astype(np.float32)


@script("molecule-assay")
def molecule_assay(
    draw: Draw,
    *,
    rows: int = 800,
    hidden: tuple[int, ...] = (16,),
    act: type[nn.Module] = nn.Tanh,
    drop: float = 0.2,
    **recipe: Any,
) -> Training:
    """The activity of a molecule by its descriptors."""
    x, y = assay()
    (x, y), (u, v) = draw.rows(x, y, rows)

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise((24, *hidden)):
            layers += [nn.Linear(a, b), act(), nn.Dropout(drop)]
        return nn.Sequential(*layers, nn.Linear((24, *hidden)[-1], 1))

    mine = {"optimizer": "adamw", "lr": draw.near(4e-3), "weight_decay": 0.1, "batch_size": 32, "epochs": 15, "schedule": "cosine"}
    return Training(model, nn.HuberLoss(), (x, y[:, None]), (u, v[:, None]), settings(mine, recipe))


LINEAR = {"hidden": (), "lr": 5e-3, "epochs": 22, "weight_decay": 0.0}
SMALL = {"rows": 250, "hidden": (64,), "drop": 0.0, "lr": 3e-3, "epochs": 8, "batch_size": 16}

molecule_assay.fault(
    "model-too-flexible", "two-wide-layers", "medium", twin={**LINEAR, "rows": 250, "act": nn.ReLU, "drop": 0.0}, hidden=(400, 400)
)
molecule_assay.fault(
    "model-too-flexible",
    "three-wide-layers",
    "gross",
    twin={**LINEAR, "rows": 200, "act": nn.SiLU, "drop": 0.0},
    hidden=(256, 256, 256),
    lr=3e-3,
)
molecule_assay.fault("trained-too-long", "overnight", "gross", twin=SMALL, epochs=250, schedule="constant")
molecule_assay.fault("trained-too-long", "hundred-epochs", "medium", twin={**SMALL, "rows": 400}, epochs=120)
molecule_assay.fault("too-little-data", "fifty-molecules", "medium", edit=few(50))
molecule_assay.fault("train-test-leakage", "replicates-before-split", "medium", twin=SMALL, prepare=flattered, edit=copied(6))
molecule_assay.fault(
    "train-test-leakage",
    "jittered-before-split",
    "mild",
    twin={**SMALL, "rows": 200, "hidden": (128,), "epochs": 12},
    prepare=flattered,
    edit=copied(8, 0.03),
)
molecule_assay.fault(
    "train-test-leakage",
    "validation-not-taken-out",
    "gross",
    twin={**SMALL, "rows": 400, "epochs": 11},
    prepare=flattered_validation,
    edit=validation_among_training,
)
molecule_assay.fault(
    "labels-unrelated-to-inputs", "sorted-apart", "gross", edit=relabelled(lambda y: np.random.default_rng(71).permutation(y))
)
molecule_assay.fault("over-regularized", "keep-probability-for-drop", "medium", drop=0.95)
molecule_assay.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.03, "batch_size": 8, "epochs": 10}, schedule="constant")
molecule_assay.fault("batch-too-large", "all-rows", "medium", batch_size=640)
molecule_assay.fault("learning-rate-decays-too-fast", "adagrad-default", "medium", optimizer="adagrad", lr=1e-3, schedule="constant")
