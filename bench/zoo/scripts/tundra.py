"""Scripts of a first course in learning machines: wines, clothes, couples, rivers and spoken digits, with the mistakes made in them."""

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
from zoo.scripts.mistakes import beyond, flattered, quantities

# -- how much alcohol is in a wine -------------------------------------------------------------------------------------------------------

SUGAR = 3


@cache
def white_wines() -> tuple[np.ndarray, np.ndarray]:
    """(N, 11) measures of a white wine without its alcohol, the score last; (N,) alcohol in per cent. Every wine stands there once."""
    x, score = data.wine("white")
    table = np.unique(np.concatenate([x, score[:, None]], 1), axis=0)
    return np.delete(table, 10, 1), table[:, 10]


@script("wine-alcohol")
def wine_alcohol(
    draw: Draw,
    *,
    rows: int = 2200,
    scale: bool = True,
    only: tuple[int, ...] = (),
    hidden: tuple[int, ...] = (32, 16),
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    unit: float = 0.0,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Alcohol of a wine by its other measures, standardised; in multiples of a unit where one is given."""
    x, y = white_wines()
    y = y * np.float32(unit) if unit else (y - y.mean()) / y.std()
    (x, y), (u, v) = draw.rows(x[:, list(only)] if only else x, y[:, None], rows)
    if scale:
        x, u = scaled(x, u)

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in zip((x.shape[1], *hidden), hidden, strict=False):
            layers += [nn.Linear(a, b), act(), nn.Dropout(drop)]
        net = nn.Sequential(*layers, nn.Linear(hidden[-1], 1), *([last()] if last else []))
        redraw(net, std, gain, bias)
        return net

    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 32, "epochs": 25, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


DEEP = {"hidden": (24,) * 6, "act": nn.Tanh, "optimizer": "sgd", "lr": 0.03, "momentum": 0.9}


def mixed_up(y: np.ndarray) -> np.ndarray:
    """Two wines in five have the alcohol of another one."""
    rng = np.random.default_rng(29)
    hit, y = np.flatnonzero(rng.random(len(y)) < 0.4), y.copy()
    y[hit] = y[rng.permutation(hit)]
    return y


wine_alcohol.fault("learning-rate-too-low", "two-zeros-too-many", "medium", lr=6e-5)
wine_alcohol.fault("unnormalized-target", "millilitres-a-hectolitre", "gross", unit=1000.0)
wine_alcohol.fault("features-insufficient", "acids-alone", "medium", only=(0, 1, 2, 8))
wine_alcohol.fault("covariate-shift", "dry-to-sweet", "medium", prepare=honest_test, edit=beyond(SUGAR, 0.4))
wine_alcohol.fault("wrong-labels", "validation-in-per-cent", "gross", prepare=judged_by_validation,
                   edit=validation_relabelled(lambda y: 1.2 * y + 10.5))  # fmt: skip
wine_alcohol.fault("vanishing-gradient", "sigmoid-for-tanh", "medium", twin=DEEP, act=nn.Sigmoid)
wine_alcohol.fault("label-noise", "two-lists-mixed-up", "medium", edit=relabelled(mixed_up))

# -- what is in the picture --------------------------------------------------------------------------------------------------------------


@cache
def clothes() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 14, 14) grey levels in 0..1 of the last images, every four pixels as one; (5000,) the kind."""
    x, y = data.mnist("fashion-mnist", 60_000)
    return x[-5000:].reshape(-1, 1, 14, 2, 14, 2).mean((3, 5)), y[-5000:]


@script("clothes-lenet")
def clothes_lenet(
    draw: Draw,
    *,
    rows: int = 2000,
    channels: int = 8,
    hidden: int = 48,
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Ten kinds of clothes: convolution, pooling, convolution, pooling and two layers."""
    x, y = clothes()
    (x, y), (u, v) = draw.rows((x - 0.286) / 0.353, y, rows)
    hidden = draw.units(hidden) if hidden > 4 else hidden

    def model() -> nn.Module:
        net = nn.Sequential(
            nn.Conv2d(1, channels, 3),
            act(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3),
            act(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * channels, hidden),
            act(),
            nn.Dropout(drop),
            nn.Linear(hidden, 10),
            *([last()] if last else []),
        )
        redraw(net, std, gain, bias)
        return net

    mine = {"optimizer": "sgd", "lr": draw.near(0.05), "momentum": 0.9, "batch_size": 50, "epochs": 10, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=10)


clothes_lenet.fault("learning-rate-too-high", "one-zero-forgotten", "gross", lr=0.3)
clothes_lenet.fault("momentum-too-high", "a-nine-too-many", "medium", momentum=0.99)
clothes_lenet.fault("dead-units", "low-biases", "medium", bias=-3.0)
clothes_lenet.fault("bad-initialization", "zeros", "gross", std=0.0, bias=0.0)
clothes_lenet.fault("model-too-simple", "one-channel", "medium", channels=1, hidden=4)
clothes_lenet.fault("label-noise", "sorted-in-a-hurry", "medium", edit=relabelled(wrong_share(0.4, 10)))
clothes_lenet.fault("class-imbalance", "few-coats-and-bags", "medium", prepare=balanced, edit=kept(first_of(6, 4, 6, 8)))
clothes_lenet.fault("preprocessing-mismatch", "black-on-white", "medium", prepare=honest_test, edit=test_inputs(lambda x: 1.2 - x))

# -- what a couple earns -----------------------------------------------------------------------------------------------------------------

NUMBERS, NAMES = (0, 4, 10, 11, 12), (1, 6, 8, 9)


@cache
def couples() -> tuple[np.ndarray, np.ndarray]:
    """(N, 5 + K) age, years of school, gains, losses and hours of somebody who is married; employer, work, origin and sex one-hot. (N,)
    whether the income is above 50,000 USD. Everybody stands there once."""
    lines = (data.find("adult") / "adult-test.csv").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.count(",") == 14]
    columns = list(zip(*(row for row in rows if row[5] == "Married-civ-spouse"), strict=True))
    parts = [np.array([columns[j] for j in NUMBERS], dtype=np.float32).T]
    parts += [(np.array(columns[j])[:, None] == np.unique(columns[j])).astype(np.float32) for j in NAMES]
    rich = np.array([cell.startswith(">50K") for cell in columns[14]], dtype=np.float32)
    table, first = np.unique(np.concatenate(parts, 1), axis=0, return_index=True)
    return table, rich[first]


@script("couple-income")
def couple_income(
    draw: Draw,
    *,
    rows: int = 2400,
    scale: bool = True,
    hidden: tuple[int, ...] = (16,),
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.3,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether a married person earns more than 50,000 USD."""
    x, y = couples()
    (x, y), (u, v) = draw.rows(x, y[:, None], rows)
    if scale:
        x[:, 2:4], u[:, 2:4] = np.log1p(x[:, 2:4]), np.log1p(u[:, 2:4])
        x[:, :5], u[:, :5] = scaled(x[:, :5], u[:, :5])

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in zip((x.shape[1], *hidden), hidden, strict=False):
            layers += [nn.Linear(a, b), act(), nn.Dropout(drop)]
        net = nn.Sequential(*layers, nn.Linear(hidden[-1], 1), *([last()] if last else []))
        redraw(net, std, gain, bias)
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(2.5e-3), "weight_decay": 0.01, "batch_size": 64, "epochs": 8, "schedule": "cosine"}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


def poorer_times(t: Training) -> None:
    """Nearly all of the training set earn much; few do in the test set."""
    kept(first_of(60, 0))(t)
    u, v = t.clean
    rows = (v[:, 0] == 0) | (np.random.default_rng(23).random(len(v)) < 0.15)
    t.test = (u[rows], v[rows])


couple_income.fault("model-too-flexible", "copied-from-a-larger-table", "medium",
                    twin={"rows": 260, "hidden": (4,), "drop": 0.0, "epochs": 25, "batch_size": 20, "lr": 1e-2}, hidden=(300, 300))  # fmt: skip
couple_income.fault("optimizer-unsuited", "sgd-at-its-default", "medium", optimizer="sgd", lr=1e-3)
couple_income.fault("batch-too-large", "whole-table", "medium", batch_size=1920)
couple_income.fault("label-noise", "typed-by-hand", "gross", edit=relabelled(wrong_share(0.42, 2)))
couple_income.fault("label-shift", "poorer-times", "medium", prepare=honest_test, edit=poorer_times)
couple_income.fault("unnormalized-input", "dollars-and-years", "medium", scale=False)
couple_income.fault("trained-too-long", "five-hundred-epochs", "medium",
                    twin={"rows": 300, "hidden": (32,), "drop": 0.0, "epochs": 12, "batch_size": 20, "lr": 2e-3, "schedule": "constant"},
                    epochs=500)  # fmt: skip
couple_income.fault("train-test-leakage", "oversampled-before-split", "medium",
                    twin={"hidden": (64,), "drop": 0.0, "epochs": 8, "batch_size": 20, "lr": 3e-3, "rows": 500},
                    prepare=flattered, edit=copied(12))  # fmt: skip

# -- how high the river will be ----------------------------------------------------------------------------------------------------------

HOURS = 16


@cache
def rivers() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 16, 3) degrees, rain in millimetres and the flow of a river below a glacier, by hours; (5000,) its flow six hours later."""
    rng = np.random.default_rng(401)
    n, t = 5000, np.arange(60)
    clock = rng.uniform(0, 24, (n, 1))
    warm = rng.uniform(-5, 9, (n, 1)) + 5 * np.sin(2 * np.pi * (t + clock) / 24) + 0.4 * rng.normal(0, 1, (n, 60)).cumsum(1)
    rain = rng.gamma(1.0, 2.0, (n, 60)) * (rng.random((n, 60)) < 0.12)
    fast, slow = rng.uniform(0, 3, n), rng.uniform(2, 8, n)
    flow = np.zeros((n, 60))
    for i in range(60):
        water = 0.5 * np.maximum(warm[:, i], 0) + np.where(warm[:, i] > 0, rain[:, i], 0)
        fast, slow = 0.8 * fast + 0.16 * water, 0.97 * slow + 0.03 * water
        flow[:, i] = fast + slow
    x = np.stack([warm, rain, flow * np.exp(0.04 * rng.normal(0, 1, flow.shape))], 2)[:, 38:54]
    return x.astype(np.float32), flow[:, 59].astype(np.float32)


class RiverNet(nn.Module):
    """A recurrent layer over the hours and a line of what it knows at the end."""

    def __init__(self, hidden: int, layers: int, gain: float, last: type[nn.Module] | None) -> None:
        super().__init__()
        self.gru = nn.GRU(3, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, 1)
        self.last = last() if last else nn.Identity()
        with torch.no_grad():
            for name, weight in self.gru.named_parameters():
                if "weight" in name:
                    weight.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, 3) -> (N, 1)."""
        return self.last(self.out(self.gru(x)[0][:, -1]))


@script("melt-gru")
def melt_gru(
    draw: Draw,
    *,
    rows: int = 1600,
    scale: bool = True,
    hidden: int = 20,
    layers: int = 1,
    gain: float = 1.0,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The flow of a river in six hours, standardised."""
    x, y = rivers()
    if scale:
        x = (x - x.mean((0, 1))) / x.std((0, 1))
    (x, y), (u, v) = draw.rows(x, ((y - y.mean()) / y.std())[:, None], rows)

    mine = {"optimizer": "adam", "lr": draw.near(1.6e-2), "batch_size": 64, "epochs": 10, "schedule": "cosine"}
    return Training(lambda: RiverNet(hidden, layers, gain, last), nn.L1Loss(), (x, y), (u, v), settings(mine, recipe))


def fahrenheit(x: np.ndarray) -> np.ndarray:
    """Degrees of another scale, standardised as if they were the old ones."""
    x = x.copy()
    x[..., 0] = 1.8 * x[..., 0] + 4.5
    return x


def dry_spring(t: Training) -> None:
    """Trained on cold days, tested on the warmest."""
    (x, y), (u, v) = t.train, t.clean
    cold, hot = x[..., 0].mean(1) < np.quantile(x[..., 0].mean(1), 0.4), u[..., 0].mean(1) > np.quantile(u[..., 0].mean(1), 0.7)
    t.train, t.test = (x[cold], y[cold]), (u[hot], v[hot])


melt_gru.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
melt_gru.fault("learning-rate-decays-too-fast", "step-every-epoch", "medium", schedule="step:1:0.1")
melt_gru.fault("exploding-gradient", "gain-of-twelve", "medium", twin={"optimizer": "sgd", "lr": 0.2, "momentum": 0.9}, gain=12.0)
melt_gru.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", twin={"optimizer": "sgd", "lr": 0.2, "momentum": 0.9},
               clip_norm=1e-3)  # fmt: skip
melt_gru.fault("wrong-output-activation", "flow-is-positive", "medium", last=nn.Sigmoid)
melt_gru.fault("labels-unrelated-to-inputs", "one-row-late", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
melt_gru.fault("preprocessing-mismatch", "fahrenheit", "medium", prepare=honest_test, edit=test_inputs(fahrenheit))

# -- which digit is spoken ---------------------------------------------------------------------------------------------------------------


@cache
def spoken() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3000, 16, 32) log-spectra of a spoken digit by frames; (3000,) the digit; (3000,) the name of the speaker."""
    x, digit, speaker = data.spoken_by()
    return x[:, 0], digit, speaker


class FrameTransformer(nn.Module):
    """Frames and their places through encoder layers; the mean over frames tells the class."""

    def __init__(self, width: int, layers: int, drop: float, outputs: int) -> None:
        super().__init__()
        self.frame, self.place = nn.Linear(32, width), nn.Parameter(0.02 * torch.randn(16, width))
        self.encoder = nn.Sequential(
            *(nn.TransformerEncoderLayer(width, 4, 2 * width, drop, batch_first=True, norm_first=True) for _ in range(layers))
        )
        self.out = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, 32) -> (N, outputs)."""
        return self.out(self.encoder(self.frame(x) + self.place).mean(1))


@script("digit-transformer")
def digit_transformer(
    draw: Draw,
    *,
    rows: int = 1400,
    width: int = 32,
    layers: int = 1,
    drop: float = 0.0,
    std: float | None = None,
    outputs: int = 10,
    strangers: bool = False,
    **recipe: Any,
) -> Training:
    """Which digit is spoken, by anybody of six; with ``strangers`` one of them is met in the test set only."""
    x, y, speaker = spoken()
    stranger = speaker == "theo"
    x, y, late = (x[~stranger], y[~stranger], (x[stranger], y[stranger])) if strangers else (x, y, None)
    (x, y), (u, v) = draw.rows(x, y, rows)

    def model() -> nn.Module:
        net: nn.Module = FrameTransformer(width, layers, drop, outputs)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std))
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(7e-3), "weight_decay": 0.05, "batch_size": 64, "epochs": 9, "schedule": "cosine"}
    made = Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=10)
    made.test = late
    return made


digit_transformer.fault("learning-rate-too-high", "rate-of-sgd-for-adamw", "medium", lr=0.1)
digit_transformer.fault("batch-too-large", "whole-folder", "gross", batch_size=1200)
digit_transformer.fault("over-regularized", "keep-for-drop", "medium", drop=0.9)
digit_transformer.fault("covariate-shift", "a-new-voice", "medium", prepare=honest_test, strangers=True)
digit_transformer.fault("wrong-loss", "digits-as-quantities", "gross", outputs=1, edit=quantities)
digit_transformer.fault("too-little-data", "fifty-clips", "medium", edit=few(50))
digit_transformer.fault("wrong-labels", "validation-counted-from-one", "gross", prepare=judged_by_validation,
                        edit=validation_relabelled(lambda y: (y + 1) % 10))  # fmt: skip
