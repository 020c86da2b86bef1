"""Scripts of an agricultural college: leaves, yields and notes, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import (
    Block,
    Draw,
    Training,
    balanced,
    by_label,
    copied,
    few,
    first_of,
    honest_test,
    initialized,
    judged_by_validation,
    kept,
    relabelled,
    script,
    settings,
    test_inputs,
    validation_among_training,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.market import Softmax
from zoo.scripts.mistakes import (
    beyond,
    flattered,
    flattered_validation,
    missing,
    moving,
    noisy,
    other_shares,
    still,
)

# -- what is wrong with a leaf -----------------------------------------------------------------------------------------------------------

LEAF = 12


@cache
def leaves() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 3, 12, 12) colours in 0..1, and what is wrong with the leaf: nothing, rust, mildew, mosaic or a miner."""
    rng = np.random.default_rng(163)
    n = 5000
    y = rng.integers(0, 5, n)
    rows, columns = np.mgrid[:LEAF, :LEAF][:, None].astype(float)
    green = np.array([0.25, 0.55, 0.2])[None, :, None, None] * rng.uniform(0.7, 1.3, (n, 1, 1, 1))
    turn = rng.uniform(0, np.pi, (n, 1, 1))
    along = (rows - 5.5) * np.cos(turn) + (columns - 5.5) * np.sin(turn)
    across = (columns - 5.5) * np.cos(turn) - (rows - 5.5) * np.sin(turn)
    vein = np.exp(-(across**2) / 1.2) + 0.5 * np.exp(-((np.abs(across) - along % 4 + 1) ** 2))
    x = green + 0.15 * vein[:, None]
    spots = np.zeros((2, n, LEAF, LEAF))
    for size in (0.9, 0.9, 0.9, 2.0):
        place = rng.uniform(1.5, 9.5, (2, n, 1, 1))
        blob = np.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / 2 / size**2)
        spots[0 if size < 1 else 1] += blob * rng.uniform(0.6, 1.0, (n, 1, 1))
    bend = rng.uniform(0.5, 1.1, (n, 1, 1))
    trail = np.exp(-((across - 2 * np.sin(bend * along + 2 * turn)) ** 2) / 0.8)
    checks = np.kron(rng.random((n, 4, 4)) < 0.5, np.ones((3, 3))).astype(float)
    for kind, pattern, colour in (
        (1, spots[0], (0.5, -0.15, -0.15)),
        (2, spots[1], (0.45, 0.3, 0.5)),
        (3, checks, (0.25, 0.2, 0.0)),
        (4, trail, (0.35, 0.3, 0.3)),
    ):
        x = x + (y == kind)[:, None, None, None] * pattern[:, None] * np.array(colour)[None, :, None, None]
    x = x * rng.uniform(0.8, 1.2, (n, 1, 1, 1)) + 0.07 * rng.normal(0, 1, x.shape)
    # One in thirty was mistaken.
    y = np.where(rng.random(n) < 0.033, rng.integers(0, 5, n), y)
    return np.clip(x, 0, 1.5).astype(np.float32), y


@script("leaf-lenet")
def leaf_lenet(
    draw: Draw,
    *,
    rows: int = 1700,
    centred: bool = True,
    channels: int = 8,
    hidden: int = 32,
    deep: int = 0,
    norm: bool = False,
    skip: bool = False,
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    std: float | None = None,
    gain: float = 1.0,
    bias: float | None = None,
    frozen: bool = False,
    outputs: int = 5,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """What is wrong with a leaf: convolutions and max pooling, then two layers."""
    x, y = leaves()
    (x, y), (u, v) = draw.rows((x - 0.4) / 0.25 if centred else x, y, rows)

    def model() -> nn.Module:
        def conv(into: int, out: int) -> list[nn.Module]:
            return [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out) if norm else nn.Identity(), act(), nn.MaxPool2d(2)]

        cells = [
            Block(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), act, nn.BatchNorm2d(2 * channels) if norm else None, skip)
            for _ in range(deep)
        ]
        features = nn.Sequential(*conv(3, channels), *conv(channels, 2 * channels), *cells, nn.Flatten())
        head = [nn.Linear(18 * channels, hidden), act(), nn.Dropout(drop), nn.Linear(hidden, outputs), *([last()] if last else [])]
        net = nn.Sequential(features, *head)
        if deep and act is nn.ReLU:
            initialized(net, nn.init.kaiming_normal_, 0.0, last=False)
        if skip:
            for cell in cells:
                cell.layer.weight.data.mul_(0.4)  # so that sums do not grow
        features.requires_grad_(not frozen)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w.mul_(gain), bias, last=False)

    mine = {"optimizer": "adam", "lr": draw.near(1e-2), "batch_size": 40, "epochs": 9, "schedule": "linear"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=5)


NESTEROV = {"optimizer": "sgd", "lr": 0.02, "momentum": 0.9, "optimizer_options": {"nesterov": True}}

leaf_lenet.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "gross", lr=0.1)
leaf_lenet.fault(
    "missing-normalization",
    "no-batch-norm-at-its-rate",
    "medium",
    twin={**NESTEROV, "deep": 6, "norm": True, "lr": 0.15, "epochs": 6},
    norm=False,
)
leaf_lenet.fault("softmax-before-cross-entropy", "softmax-in-the-network", "medium", twin=NESTEROV, last=Softmax)
leaf_lenet.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1600)
leaf_lenet.fault("trained-too-briefly", "one-epoch", "mild", epochs=1, schedule="constant", lr=1e-3)
leaf_lenet.fault("exploding-gradient", "gain-of-tanh", "medium", twin={"deep": 4, "lr": 2e-3}, gain=5.0)
leaf_lenet.fault("dead-units", "low-biases", "medium", bias=-6.0)
leaf_lenet.fault("bad-initialization", "zeros", "gross", std=0.0, bias=0.0)
leaf_lenet.fault("model-too-simple", "one-channel", "mild", channels=1, hidden=4)
leaf_lenet.fault("over-regularized", "keep-for-drop", "medium", drop=0.95)
leaf_lenet.fault("frozen-parameters", "features", "mild", twin={"channels": 6}, frozen=True)
leaf_lenet.fault("output-width-wrong", "sound-not-counted", "medium", outputs=4)
leaf_lenet.fault("unnormalized-input", "bytes", "medium", twin=NESTEROV, edit=lambda t: as_bytes(t))
leaf_lenet.fault("data-not-shuffled", "folder-by-folder", "gross", prepare=by_label, shuffle=False)
leaf_lenet.fault("missing-augmentation", "never-moved", "medium", prepare=moving(150, 2, (2, 3), 10), edit=still(150, 10))
leaf_lenet.fault("too-little-data", "sixty-leaves", "medium", edit=few(60))
leaf_lenet.fault("wrong-labels", "counted-from-one", "gross", edit=relabelled(lambda y: y + 1))
leaf_lenet.fault("class-imbalance", "few-miners", "medium", prepare=balanced, edit=kept(first_of(8, 4)))
leaf_lenet.fault("label-shift", "a-damp-summer", "medium", prepare=honest_test, edit=other_shares((1, 2), 8))
leaf_lenet.fault("covariate-shift", "evening-light", "medium", prepare=honest_test, edit=noisy(0.8))
leaf_lenet.fault("preprocessing-mismatch", "mean-not-subtracted", "medium", prepare=honest_test, edit=test_inputs(lambda x: 0.25 * x + 0.4))
leaf_lenet.fault(
    "train-test-leakage",
    "validation-not-taken-out",
    "gross",
    twin={"rows": 250, "epochs": 14, "batch_size": 16},
    prepare=flattered_validation,
    edit=validation_among_training,
)


def as_bytes(t: Training) -> None:
    """Colours as 0..255."""
    (x, y), (u, v) = t.train, t.clean
    t.train, t.clean = ((np.clip(np.round(64 * a + 102), 0, 255).astype(np.float32), b) for a, b in ((x, y), (u, v)))


# -- the yield of a field ----------------------------------------------------------------------------------------------------------------

SOILS, VARIETIES = 5, 7


@cache
def fields(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """(6000, 19) rain in mm, warmth in degrees, nitrogen in kg/ha, pH, metres above the sea, moisture and whether it is known, soil and
    variety one-hot; (6000,) tonnes a hectare."""
    rng = np.random.default_rng(167)
    n = 6000
    rain, warm, nitrogen = 420 + 130 * rng.normal(0, 1, n), 14 + 3 * rng.normal(0, 1, n), rng.gamma(3, 40, n)
    acid, height, moist = 6.4 + 0.6 * rng.normal(0, 1, n), rng.gamma(2, 150, n), rng.uniform(0.1, 0.5, n)
    soil, kind = rng.integers(0, SOILS, n), rng.integers(0, VARIETIES, n)
    need = np.array([380, 420, 460, 500, 430])[soil]
    y = 9.0 * (1 - np.exp(-(nitrogen + 25) / 80)) * np.exp(-(((rain - need) / 260) ** 2))
    y = y * (1 - 0.09 * np.abs(warm - np.array([12, 13, 14, 15, 16, 14, 13])[kind])) + np.array([0, 0.4, -0.3, 0.8, 0.1, -0.6, 0.5])[kind]
    y = y - 0.5 * (acid - 6.6) ** 2 - 0.0012 * height + 2.0 * moist + noise * rng.normal(0, 1, n)
    known = rng.random(n) < 0.7
    moist = np.where(known, moist, 0.0)
    x = np.concatenate([np.stack([rain, warm, nitrogen, acid, height, moist, known], 1), np.eye(SOILS)[soil], np.eye(VARIETIES)[kind]], 1)
    return x.astype(np.float32), y.astype(np.float32)


@script("crop-yield")
def crop_yield(
    draw: Draw,
    *,
    rows: int = 2500,
    noise: float = 0.4,
    scale: bool = True,
    only: tuple[int, ...] = (),
    width: int = 40,
    middle: int = 0,
    depth: int = 1,
    norm: bool = False,
    skip: bool = False,
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    std: float | None = None,
    gain: float = 1.0,
    unit: float = 0.0,
    offset: float = 0.0,
    frozen: int = 0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """Tonnes a hectare, standardised."""
    x, y = fields(noise)
    if scale:
        x = x.copy()
        x[:, 5] = np.where(x[:, 6] > 0, x[:, 5], x[x[:, 6] > 0, 5].mean())
        x[:, :6] = (x[:, :6] - x[:, :6].mean(0)) / x[:, :6].std(0)
    x = x[:, list(only)] if only else x
    y = y * np.float32(unit) + np.float32(offset) if unit else (y - y.mean()) / y.std()
    (x, y), (u, v) = draw.rows(x, y, rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        if not depth and not width:
            return nn.Linear(x.shape[1], outputs)
        layers: list[nn.Module] = [nn.Linear(x.shape[1], width), act(), nn.Dropout(drop)]
        layers += [nn.Linear(width, middle), act(), nn.Linear(middle, width), act()] if middle else []
        layers += [Block(nn.Linear(width, width), act, nn.LayerNorm(width) if norm else None, skip) for _ in range(depth)]
        net = nn.Sequential(*layers, nn.Dropout(drop), nn.Linear(width, outputs), *([last()] if last else []))
        net[:frozen].requires_grad_(False)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)
        return initialized(net, lambda w: w.mul_(gain), last=False) if gain != 1 else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "rmsprop", "lr": draw.near(6e-3), "batch_size": 50, "epochs": 12, "schedule": "exponential:0.75"}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


crop_yield.fault("learning-rate-too-high", "rate-of-sgd-for-rmsprop", "medium", lr=0.3)
crop_yield.fault("learning-rate-too-low", "one-zero-too-many", "mild", lr=6e-5)
crop_yield.fault("learning-rate-decays-too-fast", "gamma-of-another-schedule", "medium", schedule="exponential:0.1", lr=1e-3)
crop_yield.fault(
    "missing-decay",
    "constant-rate-in-small-batches",
    "medium",
    twin={"lr": 0.05, "batch_size": 10, "epochs": 8, "schedule": "cosine", "width": 24},
    schedule="constant",
)
crop_yield.fault("optimizer-unsuited", "adadelta-default", "medium", optimizer="adadelta", lr=3e-3)
crop_yield.fault("trained-too-briefly", "steps-for-epochs", "medium", max_steps=18)
crop_yield.fault(
    "missing-warmup",
    "long-memory-from-cold",
    "medium",
    twin={"depth": 8, "skip": True, "optimizer_options": {"alpha": 0.999}, "lr": 5e-3, "warmup_steps": 120, "schedule": "cosine"},
    warmup_steps=0,
)
crop_yield.fault("exploding-gradient", "gain-times-six", "gross", twin={"depth": 5, "lr": 1.5e-3}, gain=6.0)
crop_yield.fault("bad-initialization", "unit-variance", "mild", twin={"depth": 3, "lr": 2e-3}, std=1.0)
crop_yield.fault("model-too-simple", "one-unit", "medium", width=1, depth=0)
crop_yield.fault("bottleneck", "narrow-middle", "mild", twin={"middle": 16}, middle=1)
crop_yield.fault("features-insufficient", "soil-and-variety", "medium", only=tuple(range(7, 19)))
crop_yield.fault("unnormalized-input", "columns-as-they-are", "gross", scale=False)
crop_yield.fault("unnormalized-target", "kilograms", "medium", unit=1000.0)
crop_yield.fault("wrong-output-activation", "yields-are-positive", "mild", last=nn.ReLU)
crop_yield.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
crop_yield.fault("data-not-shuffled", "sorted-by-yield", "medium", prepare=by_label, shuffle=False)
crop_yield.fault(
    "trained-too-long",
    "overnight",
    "gross",
    twin={"rows": 300, "noise": 2.0, "epochs": 8, "batch_size": 16, "schedule": "constant", "lr": 2e-3},
    epochs=120,
)
crop_yield.fault("covariate-shift", "a-wet-year", "medium", prepare=honest_test, edit=beyond(0, 0.4))
crop_yield.fault("preprocessing-mismatch", "fahrenheit-and-pounds", "medium", prepare=honest_test, edit=test_inputs(
    lambda x: x * np.array([1, 1.8, 2.2, 1, 3.3, *[1.0] * 14]) + np.array([0, 11.0, 1.2, 0, 2.0, *[0.0] * 14])
))  # fmt: skip
crop_yield.fault("labels-unrelated-to-inputs", "one-row-late", "medium", edit=relabelled(lambda y: np.roll(y, 1, 0)))
crop_yield.fault("wrong-labels", "validation-in-bushels", "medium", prepare=judged_by_validation,
                 edit=validation_relabelled(lambda y: y * 2.7 + 3))  # fmt: skip
crop_yield.fault("non-finite-data", "rain-gauge-failed", "medium", edit=missing(0.02, 0))
crop_yield.fault("train-test-leakage", "upsampled-before-split", "medium", twin={"rows": 250, "noise": 1.5, "epochs": 12, "lr": 4e-3},
                 prepare=flattered, edit=copied(6))  # fmt: skip

# -- notes that need an answer -----------------------------------------------------------------------------------------------------------

WORDS, LENGTH = 160, 16


@cache
def notes() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 16) words 1..159 of a note, common ones first, 0 where it has ended; (7000,) whether somebody has to be sent: where something
    went wrong with an animal, or all went well with a machine that was on loan; one note in thirty was answered otherwise."""
    rng = np.random.default_rng(173)
    n = 7000
    common = 1 / (20 + np.arange(WORDS - 1))
    role = rng.permutation(np.arange(WORDS - 1) % 6)  # good, bad, animal, machine; others say nothing
    role[:12] = 5
    tone, thing = rng.integers(0, 2, n), rng.integers(0, 2, n)
    x = np.zeros((n, LENGTH), int)
    for i in range(n):
        weight = common * np.where(role == tone[i], 3.0, np.where(role == 2 + thing[i], 3.0, np.where(role > 3, 0.6, 0.3)))
        x[i] = 1 + rng.choice(WORDS - 1, LENGTH, p=weight / weight.sum())
    x[np.arange(LENGTH) >= rng.integers(9, LENGTH + 1, (n, 1))] = 0
    y = (tone == 1) ^ (thing == 1)
    return x, (y ^ (rng.random(n) < 0.033)).astype(np.float32)


class NoteNet(nn.Module):
    """The mean of the words' vectors, and layers."""

    def __init__(
        self, width: int, hidden: int, depth: int, act: type[nn.Module], norm: bool, drop: float, last: type[nn.Module] | None
    ) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(WORDS, width, mode="mean", padding_idx=0)
        layers: list[nn.Module] = [nn.Linear(width, hidden), act(), nn.Dropout(drop)]
        for _ in range(depth):
            layers += [nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden) if norm else nn.Identity(), act()]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(hidden, 1)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16) -> (N, 1)."""
        y = self.head(self.body(self.words(x)))
        return self.last(y) if self.last else y


@script("note-bag")
def note_bag(
    draw: Draw,
    *,
    rows: int = 4000,
    known: int = WORDS,
    width: int = 32,
    hidden: int = 32,
    depth: int = 0,
    act: type[nn.Module] = nn.ReLU,
    norm: bool = False,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    frozen: bool = False,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether somebody has to be sent."""
    x, y = notes()
    (x, y), (u, v) = draw.rows(np.where(x < known, x, 0), y[:, None], rows)

    def model() -> nn.Module:
        net = NoteNet(width, hidden, depth, act, norm, drop, last)
        net.words.weight.requires_grad_(not frozen)
        if std is not None:
            with torch.no_grad():
                net.words.weight.normal_(0, std)
                net.words.weight[0] = 0
            initialized(net, lambda w: nn.init.normal_(w, 0, std))
        return initialized(net, lambda w: w, bias) if bias is not None else net

    mine = {"optimizer": "adamw", "lr": draw.near(3e-2), "batch_size": 64, "epochs": 5, "schedule": "cosine", "weight_decay": 0.3}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


note_bag.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=1.0)
note_bag.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=5e-5)
note_bag.fault("learning-rate-decays-too-fast", "adagrad", "medium", optimizer="adagrad", lr=3e-3, schedule="constant")
note_bag.fault("optimizer-unsuited", "sgd-for-embeddings", "medium", optimizer="sgd", lr=0.05)
note_bag.fault("batch-too-large", "all-notes", "medium", batch_size=2400)
note_bag.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={"depth": 4, "lr": 6e-3}, act=nn.Sigmoid)
note_bag.fault("dead-units", "low-biases", "gross", bias=-8.0)
note_bag.fault("model-too-simple", "one-unit", "medium", width=1, hidden=1)
note_bag.fault("missing-nonlinearity", "activations-left-out", "gross", act=nn.Identity)
note_bag.fault("features-insufficient", "commonest-words", "gross", known=30)
note_bag.fault("over-regularized", "decay-of-adam-for-adamw", "gross", weight_decay=60.0)
note_bag.fault("frozen-parameters", "random-words", "mild", twin={"width": 12}, frozen=True)
note_bag.fault("softmax-before-cross-entropy", "sigmoid-in-the-network", "mild", last=nn.Sigmoid)
note_bag.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
note_bag.fault("too-little-data", "two-hundred-notes", "medium", edit=few(200))
note_bag.fault("label-noise", "flipped", "gross", edit=relabelled(wrong_share(0.4, 2)))
note_bag.fault("wrong-labels", "validation-the-other-way-round", "medium", prepare=judged_by_validation,
               edit=validation_relabelled(lambda y: 1 - y))  # fmt: skip
note_bag.fault("class-imbalance", "few-visits", "medium", prepare=balanced, edit=kept(first_of(40, 1)))
note_bag.fault("label-shift", "harvest-time", "medium", prepare=honest_test, edit=lambda t: harvest(t))
note_bag.fault("preprocessing-mismatch", "words-counted-from-one", "gross", prepare=honest_test, edit=lambda t: counted_from_one(t))
note_bag.fault(
    "train-test-leakage",
    "copied-before-split",
    "medium",
    twin={"rows": 400, "epochs": 20},
    prepare=flattered,
    edit=lambda t: copied_notes(t),
)


def harvest(t: Training) -> None:
    """Visits are rare in training and common in the test set."""
    kept(first_of(60, 1))(t)
    u, v = t.clean
    rows = (v[:, 0] == 1) | (np.random.default_rng(19).random(len(v)) < 0.1)
    t.test = (u[rows], v[rows])


def counted_from_one(t: Training) -> None:
    """Test notes with every word's number one too high."""
    u, v = t.clean
    t.test = (np.where(u > 0, np.minimum(u + 1, WORDS - 1), 0), v)


def copied_notes(t: Training) -> None:
    """Every note was sent to several people before the table was split."""
    t.train = (np.concatenate([t.train[0]] * 5), np.concatenate([t.train[1]] * 5))
