"""Scripts of an academy's students: wines, digits, signatures, electives and gestures, with the mistakes that are made in them."""

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
    by_label,
    copied,
    few,
    first_of,
    freeze_below_out,
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
from zoo.scripts.mistakes import flattered, other_shares

# -- how strong a white wine is, by its other measures -----------------------------------------------------------------------------------

SUGAR = 3


@cache
def strengths(colour: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, 10) acids, sugar, salts, sulphur, density, pH and sulphates of a wine as they stand in the file, every wine once; (N,) its alcohol
    in per cent."""
    x = np.unique(data.wine(colour)[0], axis=0)
    x = x[x[:, SUGAR] < 30]
    return x[:, :10], x[:, 10]


class DenseMlp(nn.Module):
    """Every layer sees the inputs and all layers before it; without ``concat`` the last one alone."""

    def __init__(self, inputs: int, width: int, depth: int, concat: bool, act: type[nn.Module]) -> None:
        super().__init__()
        self.concat, self.act, self.layers = concat, act(), nn.ModuleList()
        seen = inputs
        for _ in range(depth):
            self.layers.append(nn.Linear(seen, width))
            seen = seen + width if concat else width
        self.out = nn.Linear(seen, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) -> (N, 1)."""
        for layer in self.layers:
            y = self.act(layer(x))
            x = torch.cat([x, y], 1) if self.concat else y
        return self.out(x)


@script("strength-dense")
def strength_dense(
    draw: Draw,
    *,
    rows: int = 1600,
    scale: bool = True,
    blur: float = 0.0,
    width: int = 24,
    depth: int = 2,
    concat: bool = True,
    act: type[nn.Module] = nn.ReLU,
    grams: bool = False,
    reds: bool = False,
    **recipe: Any,
) -> Training:
    """The alcohol of a white wine, standardised; ``grams`` a litre instead."""
    x, y = strengths("white")
    middle, spread = y.mean(), y.std()
    (x, y), (u, v) = draw.rows(x.copy(), y, rows)
    if reds:
        u, v = strengths("red")
    if scale:
        x, u = scaled(x, u)
    y, v = ((7.89 * a if grams else (a - middle) / spread)[:, None].astype(np.float32) for a in (y, v))
    y = (y + blur * draw.luck.normal(0, 1, y.shape)).astype(np.float32)
    width, inputs = draw.units(width) if width > 4 else width, x.shape[1]

    mine = {"optimizer": "sgd", "lr": draw.near(0.03), "momentum": 0.9, "batch_size": 40, "epochs": 20, "schedule": "cosine"}
    return Training(lambda: DenseMlp(inputs, width, depth, concat, act), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


def by_the_reds(t: Training) -> None:
    """The test table was standardised by the means and spreads of red wines."""
    white, red = strengths("white")[0], strengths("red")[0]
    t.test = (((t.clean[0] * white.std(0) + white.mean(0) - red.mean(0)) / red.std(0)).astype(np.float32), t.clean[1])


strength_dense.fault("learning-rate-too-low", "rate-of-adam-for-sgd", "mild", lr=1e-3)
strength_dense.fault("unnormalized-input", "as-in-the-file", "gross", scale=False)
strength_dense.fault("unnormalized-target", "grams-a-litre", "gross", twin={"lr": 0.01, "epochs": 25}, grams=True)
strength_dense.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={"concat": False, "depth": 5, "lr": 0.05, "act": nn.Tanh},
                     act=nn.Sigmoid)  # fmt: skip
strength_dense.fault(
    "model-too-flexible",
    "three-wide-layers",
    "medium",
    twin={"rows": 200, "blur": 0.8, "depth": 0, "batch_size": 20},
    depth=3,
    width=200,
)
strength_dense.fault(
    "trained-too-long",
    "over-the-weekend",
    "medium",
    twin={"rows": 250, "blur": 0.8, "width": 40, "optimizer": "adam", "lr": 5e-3, "batch_size": 20, "epochs": 14},
    epochs=150,
)
strength_dense.fault("covariate-shift", "tested-on-reds", "medium", prepare=honest_test, reds=True)
strength_dense.fault("preprocessing-mismatch", "scaled-by-the-reds", "medium", prepare=honest_test, edit=by_the_reds)

# -- a written digit, by patches that are mixed ------------------------------------------------------------------------------------------


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 1, 8, 8) grey levels in 0..16 of digits, and which it is."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x.reshape(-1, 1, 8, 8).astype(np.float32), y


class Mixing(nn.Module):
    """Places are mixed for every channel, then channels at every place; each after a norm and beside a shortcut."""

    def __init__(self, places: int, width: int, drop: float) -> None:
        super().__init__()
        self.one, self.two = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across = nn.Sequential(nn.Linear(places, 2 * places), nn.GELU(), nn.Dropout(drop), nn.Linear(2 * places, places))
        self.along = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(drop), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, places, width) -> (N, places, width)."""
        x = x + self.across(self.one(x).transpose(1, 2)).transpose(1, 2)
        return x + self.along(self.two(x))


class Mixer(nn.Module):
    """Patches of two by two pixels as vectors, blocks that mix them, and the mean of all places."""

    def __init__(self, width: int, depth: int, drop: float) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.blocks = nn.Sequential(*(Mixing(16, width, drop) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) -> (N, 10)."""
        return self.out(self.norm(self.blocks(self.patches(x).flatten(2).transpose(1, 2))).mean(1))


@script("digit-mixer")
def digit_mixer(
    draw: Draw,
    *,
    rows: int = 1250,
    width: int = 20,
    depth: int = 2,
    drop: float = 0.0,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Which of ten digits it is."""
    x, y = digits()
    (x, y), (u, v) = draw.rows((x - 4.9) / 6, y, rows)
    x, u = x.astype(np.float32), u.astype(np.float32)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = Mixer(width, depth, drop)
        if frozen:
            freeze_below_out(net)
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(1.5e-2), "weight_decay": 0.05, "batch_size": 50, "epochs": 10, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=10)


digit_mixer.fault("batch-too-large", "all-rows", "medium", batch_size=1000)
digit_mixer.fault("batch-too-small", "two-digits", "medium", batch_size=2, epochs=1)
digit_mixer.fault("frozen-parameters", "head-alone", "medium", frozen=True)
digit_mixer.fault("over-regularized", "drop-nine-in-ten", "medium", drop=0.9)
digit_mixer.fault("too-little-data", "sixty-digits", "medium", edit=few(60))
digit_mixer.fault("label-noise", "labelled-in-a-hurry", "medium", edit=relabelled(wrong_share(0.5, 10)))
digit_mixer.fault("class-imbalance", "few-eights-and-nines", "medium", prepare=balanced, edit=kept(first_of(4, 8, 9)))

# -- whether two signatures are of one hand ----------------------------------------------------------------------------------------------

MEASURES = 14


@cache
def signatures() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 2, 14) length in mm, height, slant in degrees, pressure in g and the like of two signatures; (6000,) whether one hand wrote both,
    with one in thirty booked wrongly."""
    rng = np.random.default_rng(503)
    n = 6000
    same = rng.random(n) < 0.5
    hands = rng.normal(0, 1, (n, 2, 5))
    hands[:, 1] = np.where(same[:, None], hands[:, 0], hands[:, 1])
    mood = hands + 0.22 * rng.normal(0, 1, hands.shape)
    mix = rng.normal(0, 0.6, (5, MEASURES))
    x = np.tanh(mood @ mix) + 0.3 * np.sin(1.5 * mood @ mix[:, ::-1]) + 0.12 * rng.normal(0, 1, (n, 2, MEASURES))
    unit, zero = np.exp(rng.uniform(-1.5, 4.5, MEASURES)), rng.uniform(0.5, 4.0, MEASURES)
    x = unit * (x + zero)
    return x.astype(np.float32), (same ^ (rng.random(n) < 1 / 30)).astype(np.float32)


class Siamese(nn.Module):
    """One encoder for both signatures; by how much their codes differ tells whether they are of one hand."""

    def __init__(self, width: int, code: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(MEASURES, width), act(), nn.Linear(width, code))
        self.head = nn.Sequential(nn.Linear(code, 16), act(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 14) -> (N, 1)."""
        a, b = self.encoder(x).unbind(1)
        return self.head((a - b).square())


@script("signature-siamese")
def signature_siamese(
    draw: Draw,
    *,
    rows: int = 2200,
    width: int = 32,
    code: int = 12,
    act: type[nn.Module] = nn.ReLU,
    std: float | None = None,
    **recipe: Any,
) -> Training:
    """Whether one hand wrote both."""
    x, y = signatures()
    (x, y), (u, v) = draw.rows(x, y[:, None], rows)
    middle, spread = x.mean((0, 1)), x.std((0, 1))
    x, u = (x - middle) / spread, (u - middle) / spread
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = Siamese(width, code, act)
        redraw(net, std, 1.0, None)
        return net

    mine = {"optimizer": "adam", "lr": draw.near(8e-3), "batch_size": 50, "epochs": 10, "schedule": "cosine"}
    return Training(model, nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


def inches_and_ounces(x: np.ndarray) -> np.ndarray:
    """The first half of the measures in other units than the scaler knows."""
    return np.concatenate([0.35 * x[..., : MEASURES // 2] - 1.5, x[..., MEASURES // 2 :]], -1)


signature_siamese.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=0.3)
signature_siamese.fault("saturating-activation", "unit-variance-weights", "medium", twin={"act": nn.Tanh, "lr": 1e-2}, std=4.0)
signature_siamese.fault("model-too-simple", "one-number-a-hand", "medium", width=1, code=1)
signature_siamese.fault("class-imbalance", "few-of-one-hand", "medium", prepare=balanced, edit=kept(first_of(60, 1)))
signature_siamese.fault("label-noise", "clerks-guess", "mild", edit=relabelled(wrong_share(0.3, 2)))
signature_siamese.fault("labels-unrelated-to-inputs", "pairs-shuffled-apart", "gross", edit=relabelled(lambda y: np.roll(y, 3, 0)))
signature_siamese.fault("preprocessing-mismatch", "inches-and-ounces", "gross", prepare=honest_test, edit=test_inputs(inches_and_ounces))
signature_siamese.fault("train-test-leakage", "jittered-before-the-split", "medium", twin={"rows": 250, "batch_size": 20, "lr": 1.5e-2, "epochs": 12},
                        prepare=flattered, edit=copied(5, 0.02))  # fmt: skip

# -- which electives a student takes -----------------------------------------------------------------------------------------------------

PROGRAMMES, YEARS, SCHOOLS, COURSES, MARKS = 8, 4, 20, 6, 5


@cache
def electives() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 8) programme, year and school as numbers from 0, then marks in five subjects of 0..100; (7000, 6) which courses are taken."""
    rng = np.random.default_rng(509)
    n = 7000
    codes = np.stack([rng.integers(0, k, n) for k in (PROGRAMMES, YEARS, SCHOOLS)], 1)
    gifts = rng.normal(0, 1, (n, 2)) + 0.5 * rng.normal(0, 1, (PROGRAMMES, 2))[codes[:, 0]]
    marks = gifts @ rng.normal(0, 0.7, (2, MARKS)) + 0.6 * rng.normal(0, 1, (n, MARKS))
    taste = (
        rng.normal(0, 1.2, (PROGRAMMES, COURSES))[codes[:, 0]] + rng.normal(0, 1.0, (PROGRAMMES, YEARS, COURSES))[codes[:, 0], codes[:, 1]]
    )
    skill = marks @ rng.normal(0, 0.8, (MARKS, COURSES))
    able = 1.6 * np.abs(marks @ rng.normal(0, 0.6, (MARKS, COURSES))) - 1.2
    logit = 1.3 * (taste + skill + able - 0.3)
    y = rng.random((n, COURSES)) < 1 / (1 + np.exp(-logit))
    points = np.clip(np.round(62 + 11 * marks), 0, 100)
    return np.concatenate([codes, points], 1).astype(np.float32), y.astype(np.float32)


class WideAndDeep(nn.Module):
    """A line in programmes by years and in marks, beside layers on embeddings and marks."""

    def __init__(self, wide: bool, size: int, widths: tuple[int, ...], act: type[nn.Module]) -> None:
        super().__init__()
        self.programme, self.year, self.school = (nn.Embedding(k, size) for k in (PROGRAMMES, YEARS, SCHOOLS))
        self.crossed = nn.Embedding(PROGRAMMES * YEARS, COURSES) if wide else None
        self.line = nn.Linear(MARKS, COURSES) if wide else None
        layers: list[nn.Module] = []
        for a, b in zip((3 * size + MARKS, *widths), widths, strict=False):
            layers += [nn.Linear(a, b), act()]
        self.deep = nn.Sequential(*layers)
        self.out = nn.Linear((3 * size + MARKS, *widths)[-1], COURSES)
        if self.crossed is not None:
            nn.init.zeros_(self.crossed.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8) -> (N, 6)."""
        programme, year, school = x[:, :3].long().unbind(1)
        y = torch.cat([self.programme(programme), self.year(year), self.school(school), x[:, 3:]], 1)
        y = self.out(self.deep(y))
        return y if self.crossed is None else y + self.crossed(programme * YEARS + year) + self.line(x[:, 3:])


@script("elective-wide")
def elective_wide(
    draw: Draw,
    *,
    rows: int = 2600,
    blind: tuple[int, ...] = (),
    wide: bool = True,
    size: int = 4,
    widths: tuple[int, ...] = (24, 16),
    act: type[nn.Module] = nn.ReLU,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Which of six courses a student takes; columns named in ``blind`` were left empty."""
    x, y = electives()
    x = np.where(np.isin(np.arange(x.shape[1]), blind), 0, x).astype(np.float32)
    (x, y), (u, v) = draw.rows(x, y, rows)
    x[:, 3:], u[:, 3:] = scaled(x[:, 3:], u[:, 3:])
    widths = tuple(draw.units(w) if w > 8 else w for w in widths)

    def model() -> nn.Module:
        net: nn.Module = WideAndDeep(wide, size, widths, act)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(1.5e-2), "batch_size": 64, "epochs": 12, "schedule": "cosine"}
    return Training(model, nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=COURSES, multilabel=True)


elective_wide.fault("learning-rate-decays-too-fast", "adagrad", "medium", optimizer="adagrad", lr=3e-3, schedule="constant")
elective_wide.fault("optimizer-unsuited", "sgd-for-embeddings", "gross", optimizer="sgd", lr=0.02)
elective_wide.fault("softmax-before-cross-entropy", "sigmoid-in-the-network", "mild", last=nn.Sigmoid)
elective_wide.fault("bottleneck", "one-unit-in-the-middle", "medium", twin={"wide": False, "widths": (32, 12)}, widths=(32, 1))
elective_wide.fault("features-insufficient", "marks-left-empty", "medium", blind=(3, 4, 5, 6, 7))
elective_wide.fault("missing-nonlinearity", "activations-left-out", "mild", act=nn.Identity)
elective_wide.fault("label-noise", "lists-read-badly", "mild", edit=relabelled(wrong_share(0.3, 2)))
elective_wide.fault("wrong-labels", "validation-courses-by-another-list", "medium", prepare=judged_by_validation,
                    edit=validation_relabelled(lambda y: np.roll(y, 1, 1)))  # fmt: skip

# -- which sign a hand draws into the air ------------------------------------------------------------------------------------------------

STEPS, SIGNS = 16, 5


@cache
def signs() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 16, 3) accelerations in m/s2 of a hand that draws a circle, a circle the other way round, an eight, a zigzag or a spiral, held
    nearly upright; and which it is, one in forty booked wrongly."""
    rng = np.random.default_rng(521)
    n = 5000
    y = rng.integers(0, SIGNS, n)
    t = np.linspace(0, 1, STEPS) * rng.uniform(0.8, 1.2, (n, 1)) * 2 * np.pi + rng.uniform(0, 2 * np.pi, (n, 1))
    far = np.linspace(0.2, 1.8, STEPS)
    paths = np.stack([
        np.stack([np.cos(t), np.sin(t)], 2),
        np.stack([np.cos(t), -np.sin(t)], 2),
        np.stack([np.sin(t), np.sin(2 * t)], 2),
        np.stack([np.sign(np.sin(2 * t)), 0.2 * np.cos(t)], 2),
        np.stack([far * np.cos(t), far * np.sin(t)], 2),
    ])[y, np.arange(n)]  # fmt: skip
    turn, size = rng.normal(0, 0.3, n), rng.uniform(2.0, 5.0, (n, 1, 1))
    turned = np.stack(
        [
            paths[:, :, 0] * np.cos(turn)[:, None] - paths[:, :, 1] * np.sin(turn)[:, None],
            paths[:, :, 0] * np.sin(turn)[:, None] + paths[:, :, 1] * np.cos(turn)[:, None],
            0.3 * paths[:, :, 0] * paths[:, :, 1],
        ],
        2,
    )
    x = size * turned + 1.3 * rng.normal(0, 1, turned.shape) + np.array([0.0, 0.0, 9.8])
    y = np.where(rng.random(n) < 1 / 40, rng.integers(0, SIGNS, n), y)
    return x.astype(np.float32), y


class SignGru(nn.Module):
    """A recurrence forwards and one backwards; the mean and the largest of their states are the answer's inputs."""

    def __init__(self, width: int, both: bool, hidden: int) -> None:
        super().__init__()
        self.states = nn.GRU(3, width, batch_first=True, bidirectional=both)
        self.head = nn.Sequential(nn.Linear(2 * width * (1 + both), hidden), nn.ReLU(), nn.Linear(hidden, SIGNS))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16, 3) -> (N, 5)."""
        y = self.states(x)[0]
        return self.head(torch.cat([y.mean(1), y.amax(1)], 1))


@script("sign-bigru")
def sign_bigru(
    draw: Draw,
    *,
    rows: int = 1400,
    width: int = 16,
    both: bool = True,
    hidden: int = 24,
    bias: float | None = None,
    **recipe: Any,
) -> Training:
    """Which of five signs it is."""
    x, y = signs()
    (x, y), (u, v) = draw.rows(x, y, rows)
    middle, spread = x.mean((0, 1)), x.std((0, 1))
    x, u = (x - middle) / spread, (u - middle) / spread
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = SignGru(width, both, hidden)
        return net if bias is None else initialized(net, lambda w: w, bias, last=False)

    mine = {"optimizer": "rmsprop", "lr": draw.near(9e-3), "batch_size": 50, "epochs": 9, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=SIGNS)


def in_a_tram(x: np.ndarray) -> np.ndarray:
    """Signs drawn where everything shakes, more so upwards."""
    return x + np.random.default_rng(523).normal(0, 1, x.shape) * np.array([0.8, 0.8, 1.6])


sign_bigru.fault("learning-rate-too-high", "rate-of-sgd-for-rmsprop", "gross", lr=0.3)
sign_bigru.fault("trained-too-briefly", "steps-for-epochs", "medium", max_steps=20)
sign_bigru.fault("dead-units", "low-biases", "medium", bias=-6.0)
sign_bigru.fault("gradient-clipping-too-tight", "a-thousandth", "medium", twin={"optimizer": "sgd", "lr": 0.3, "momentum": 0.9, "epochs": 12},
                 clip_norm=1e-3)  # fmt: skip
sign_bigru.fault("data-not-shuffled", "sign-by-sign", "gross", prepare=by_label, shuffle=False)
sign_bigru.fault("label-shift", "a-show-of-spirals", "medium", prepare=honest_test, edit=other_shares((0, 4), 8))
sign_bigru.fault("covariate-shift", "drawn-in-a-tram", "medium", prepare=honest_test, edit=test_inputs(in_a_tram))
