"""Scripts of a brewery: a survey of guests, crown caps and tasters' notes, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
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
from zoo.scripts.market import Softmax
from zoo.scripts.mistakes import (
    beyond,
    missing,
    other_shares,
    summed,
)

# -- how many go out, by what else a survey asks ----------------------------------------------------------------------------------------

# Of eighteen shares a day: who shops, eats out, spends time with others, goes to large events.
OUTINGS = (7, 8, 9, 10)
OTHERS = tuple(i for i in range(18) if i not in OUTINGS)


@cache
def outings() -> tuple[np.ndarray, np.ndarray]:
    """(2700, 82) forty states one-hot and fourteen other shares in per cent on three days; (2700, 4) shares who go out on the third."""
    x, positive = data.covid()
    days = np.concatenate([x, positive[:, None]], 1)[:, 40:].reshape(-1, 3, 18)
    return np.concatenate([x[:, :40], days[:, :, OTHERS].reshape(len(x), -1)], 1), days[:, 2, OUTINGS]


class Twofold(nn.Module):
    """Two layers beside a shortcut."""

    def __init__(self, width: int, act: type[nn.Module], norm: bool, skip: bool, drop: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.one, self.two, self.act = nn.Linear(width, width), nn.Linear(width, width), act()
        self.drop, self.skip = nn.Dropout(drop), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) -> (N, width)."""
        y = self.two(self.drop(self.act(self.one(self.norm(x)))))
        return x + y if self.skip else self.act(y)


@script("outings-residual")
def outings_residual(
    draw: Draw,
    *,
    rows: int = 1800,
    scale: bool = True,
    only: tuple[int, ...] = (),
    levels: int = 0,
    width: int = 32,
    depth: int = 3,
    norm: bool = True,
    skip: bool = True,
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    neck: int = 0,
    std: float | None = None,
    bias: float | None = None,
    blur: float = 0.0,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Four shares of those who go out, standardised."""
    x, y = outings()
    y = (y - y.mean(0)) / y.std(0)
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        x, u = scaled(x, u)
    if only:
        x, u = x[:, list(only)], u[:, list(only)]
    if levels:
        x, u = (np.round(a * levels).clip(-levels, levels) for a in (x, u))
    y = y + blur * np.random.default_rng(271).normal(0, 1, y.shape)
    width = draw.units(width) if width > 4 else width
    inputs = x.shape[1]

    def model() -> nn.Module:
        if not width:
            return nn.Linear(inputs, len(OUTINGS))
        entry = [nn.Linear(inputs, neck), nn.Linear(neck, width)] if neck else [nn.Linear(inputs, width)]
        blocks = [Twofold(width, act, norm, skip, drop) for _ in range(depth)]
        end = [act(), nn.Dropout(drop), nn.Linear(width, len(OUTINGS)), *([last()] if last else [])]
        net = nn.Sequential(*entry, *blocks, *end)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(6e-3), "weight_decay": 1e-2, "batch_size": 60, "epochs": 14, "schedule": "cosine"}
    train, clean = (x.astype(np.float32), y.astype(np.float32)), (u.astype(np.float32), v)
    return Training(model, nn.HuberLoss(), train, clean, settings(mine, recipe))


DESCENT = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
STACK = {"norm": False, "skip": False, "depth": 2, "lr": 6e-3, "epochs": 18}

outings_residual.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=0.3)
outings_residual.fault("learning-rate-decays-too-fast", "per-step-for-per-epoch", "gross", schedule="exponential:0.05", lr=1e-3)
outings_residual.fault(
    "missing-warmup",
    "long-memory-from-cold",
    "medium",
    twin={
        "depth": 6,
        "norm": False,
        "optimizer": "rmsprop",
        "optimizer_options": {"alpha": 0.999},
        "weight_decay": 0.0,
        "lr": 6e-3,
        "warmup_steps": 70,
    },
    warmup_steps=0,
)
outings_residual.fault("momentum-too-high", "averaging-weight", "medium", twin=DESCENT, momentum=0.998)
outings_residual.fault("optimizer-unsuited", "plain-gradient-descent", "medium", optimizer="sgd", lr=5e-3)
outings_residual.fault("batch-too-large", "all-rows", "medium", batch_size=1440)
outings_residual.fault("trained-too-briefly", "steps-for-epochs", "gross", max_steps=14)
outings_residual.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin=STACK, act=nn.Sigmoid)
outings_residual.fault("too-deep-without-skips", "shortcuts-left-out", "gross", twin={"norm": False, "depth": 12, "lr": 2e-3}, skip=False)
outings_residual.fault(
    "saddle-point",
    "around-the-origin",
    "medium",
    twin={**DESCENT, "norm": False, "skip": False, "depth": 1, "act": nn.Tanh, "lr": 0.15, "epochs": 20},
    std=3e-3,
    bias=0.0,
)
outings_residual.fault("unnormalized-input", "per-cent-as-they-are", "medium", twin={**DESCENT, "norm": False, "lr": 0.05}, scale=False)
outings_residual.fault("wrong-output-activation", "shares-are-below-one", "medium", last=nn.Sigmoid)
outings_residual.fault("model-too-simple", "one-unit", "medium", width=1, depth=0)
outings_residual.fault("bottleneck", "code-of-one", "medium", twin={"neck": 24}, neck=1)
outings_residual.fault("features-insufficient", "anxiety-in-steps", "medium", only=(48, 62), levels=2)
outings_residual.fault("over-regularized", "decay-copied-from-l2", "gross", weight_decay=30.0)
outings_residual.fault("too-little-data", "hundred-rows", "medium", edit=few(100))
outings_residual.fault(
    "model-too-flexible",
    "four-wide-blocks",
    "gross",
    twin={"rows": 250, "blur": 1.0, "only": (43, 49, 55, 60, 66, 72), "width": 0, "lr": 1e-2, "epochs": 30, "batch_size": 16},
    width=200,
    lr=2e-3,
)
outings_residual.fault(
    "trained-too-long",
    "over-the-weekend",
    "medium",
    twin={"rows": 300, "blur": 1.0, "depth": 1, "lr": 1e-3, "epochs": 8, "batch_size": 16, "schedule": "constant"},
    epochs=150,
)
outings_residual.fault("covariate-shift", "masks-to-come", "medium", prepare=honest_test, edit=beyond(44, 0.4))
outings_residual.fault("preprocessing-mismatch", "shares-for-per-cent", "medium", prepare=honest_test, edit=test_inputs(
    lambda x: np.concatenate([x[:, :40], 0.3 * x[:, 40:] - 1.0], 1)
))  # fmt: skip
outings_residual.fault("labels-unrelated-to-inputs", "joined-by-another-order", "gross",
                       edit=relabelled(lambda y: np.random.default_rng(11).permutation(y)))  # fmt: skip
outings_residual.fault("non-finite-data", "unanswered-questions", "medium", edit=missing(0.01))

# -- whose crown cap it is ---------------------------------------------------------------------------------------------------------------

CAP, BRANDS = 12, 5


@cache
def caps() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 3, 12, 12) colours in 0..1 of crown caps on a belt, turned and lit any way, and the brand: a ring, stripes, checks, two halves
    or a cross; one in fifty was booked wrongly."""
    rng = np.random.default_rng(277)
    n = 5000
    y = rng.integers(0, BRANDS, n)
    rows, columns = np.mgrid[:CAP, :CAP][:, None].astype(float)
    middle = 5.5 + 0.7 * rng.normal(0, 1, (2, n, 1, 1))
    down, right, turn = rows - middle[0], columns - middle[1], rng.uniform(0, np.pi, (n, 1, 1))
    along, across = right * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - right * np.sin(turn)
    far, phase = np.hypot(down, right), rng.uniform(0, 2 * np.pi, (2, n, 1, 1))
    motifs = np.stack(
        [
            np.exp(-((far - 2.8) ** 2) / 0.9),
            0.5 + 0.5 * np.sin(1.8 * along + phase[0]),
            0.5 + 0.5 * np.sign(np.sin(1.15 * along + phase[0]) * np.sin(1.15 * across + phase[1])),
            1 / (1 + np.exp(-3 * along)),
            np.maximum(np.exp(-(along**2) / 0.9), np.exp(-(across**2) / 0.9)),
        ]
    )
    inside = 1 / (1 + np.exp(3 * (far - 4.8)))
    motif = motifs[y, np.arange(n)] * rng.uniform(0.7, 1.1, (n, 1, 1)) * inside
    ground, ink = rng.uniform(0.0, 0.5, (n, 3, 1, 1)), rng.uniform(0.6, 1.0, (n, 3, 1, 1))
    belt = 0.35 + 0.05 * rng.normal(0, 1, (n, 1, CAP, CAP))
    x = belt * (1 - inside[:, None]) + ground * inside[:, None] + (ink - ground) * motif[:, None]
    x = x * rng.uniform(0.7, 1.2, (n, 1, 1, 1)) + 0.06 * rng.normal(0, 1, x.shape)
    y = np.where(rng.random(n) < 0.02, rng.integers(0, BRANDS, n), y)
    return np.clip(x, 0, 1).astype(np.float32), y


class CapNet(nn.Module):
    """Convolutions alone, two of them with stride; the mean over places is the answer."""

    def __init__(self, channels: tuple[int, ...], groups: int, act: type[nn.Module], drop: float, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip((3, *channels), channels, strict=False)):
            layers += [nn.Conv2d(a, b, 3, stride=2 if i in (1, 2) else 1, padding=1)]
            layers += [nn.GroupNorm(groups, b)] if groups else []
            layers += [act()]
        self.body, self.drop = nn.Sequential(*layers), nn.Dropout2d(drop)
        self.classes = nn.Conv2d(channels[-1], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 12, 12) -> (N, outputs)."""
        return self.classes(self.drop(self.body(x))).mean((2, 3))


@script("cap-conv")
def cap_conv(
    draw: Draw,
    *,
    rows: int = 1600,
    bytes_: bool = False,
    channels: tuple[int, ...] = (12, 20, 20),
    groups: int = 4,
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    bias: float | None = None,
    frozen: bool = False,
    outputs: int = BRANDS,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The brand of a crown cap."""
    x, y = caps()
    x = np.round(255 * x) if bytes_ else (x - 0.42) / 0.25
    (x, y), (u, v) = draw.rows(x.astype(np.float32), y, rows)

    def model() -> nn.Module:
        net: nn.Module = CapNet(channels, groups, act, drop, outputs)
        if frozen:
            net.body.requires_grad_(False)
        if bias is not None:
            initialized(net, lambda w: w, bias, last=False)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.1), "momentum": 0.9, "batch_size": 40, "epochs": 10, "schedule": "cosine"}
    mine |= {"weight_decay": 5e-4, "optimizer_options": {"nesterov": True}}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=BRANDS)


def night_shift(t: Training) -> None:
    """Test pictures with little light, and the noise of a camera that makes up for it."""
    u, rng = t.clean[0], np.random.default_rng(281)
    t.test = ((0.5 * u - 0.6 + 0.5 * rng.normal(0, 1, u.shape)).astype(np.float32), t.clean[1])


ADAM = {"groups": 0, "optimizer": "adam", "lr": 1.5e-2, "epochs": 12, "momentum": 0.0, "weight_decay": 0.0, "optimizer_options": {}}

cap_conv.fault("learning-rate-too-high", "a-zero-lost", "gross", lr=5.0)
cap_conv.fault("learning-rate-decays-too-fast", "step-every-epoch", "medium", schedule="step:1:0.05", lr=0.03)
cap_conv.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.06, "batch_size": 16, "epochs": 7}, schedule="constant")
cap_conv.fault("momentum-too-high", "a-nine-too-many", "medium", momentum=0.998)
cap_conv.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1440)
cap_conv.fault("batch-too-small", "one-cap", "medium", batch_size=1, epochs=1)
cap_conv.fault("dead-units", "low-biases", "medium", twin=ADAM, bias=-4.0)
cap_conv.fault("unnormalized-input", "bytes", "medium", twin={"groups": 0, "epochs": 13}, bytes_=True)
cap_conv.fault("softmax-before-cross-entropy", "softmax-in-the-network", "medium", twin=ADAM, last=Softmax)
cap_conv.fault("loss-summed-over-batch", "sum", "gross", twin={"groups": 0, "epochs": 13}, edit=summed)
cap_conv.fault("gradient-clipping-too-tight", "a-thousandth", "medium", clip_norm=1e-3)
cap_conv.fault("output-width-wrong", "new-brands-not-counted", "medium", outputs=3)
cap_conv.fault("frozen-parameters", "backbone-left-frozen", "medium", frozen=True)
cap_conv.fault("model-too-simple", "two-channels", "medium", channels=(2, 2, 2), groups=1)
cap_conv.fault("bottleneck", "one-channel-passes", "mild", twin={"channels": (12, 24, 24, 12)}, channels=(12, 1, 24, 12), groups=1)
cap_conv.fault("over-regularized", "decay-of-a-tenth", "medium", weight_decay=0.1)
cap_conv.fault("too-little-data", "hundred-caps", "medium", edit=few(100))
cap_conv.fault("label-noise", "clerks-in-a-hurry", "medium", edit=relabelled(wrong_share(0.6, BRANDS)))
cap_conv.fault("class-imbalance", "few-crosses-and-checks", "medium", prepare=balanced, edit=kept(first_of(6, 2, 4)))
cap_conv.fault("label-shift", "brands-of-summer", "medium", prepare=honest_test, edit=other_shares((0, 3), 6))
cap_conv.fault("covariate-shift", "night-shift", "medium", prepare=honest_test, edit=night_shift)
cap_conv.fault(
    "preprocessing-mismatch", "mean-not-subtracted", "gross", prepare=honest_test, edit=test_inputs(lambda x: (0.25 * x + 0.42) * 255)
)
cap_conv.fault("wrong-labels", "brands-counted-from-one", "gross", edit=relabelled(lambda y: y + 1))

# -- whether a beer is faulty, by a taster's note ----------------------------------------------------------------------------------------

WORDS, LENGTH = 180, 18
# Words 1..4 deny the word after them, the next ones name a fault; all others say nothing.
DENIALS, FAULTY = 4, 12


@cache
def tastings() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 18) words 1..179 of a note, common ones first, 0 where it has ended; (7000,) whether it names a fault that it does not deny; one
    note in fifty was judged otherwise."""
    rng = np.random.default_rng(283)
    n = 7000
    others = np.arange(1 + DENIALS + FAULTY, WORDS)
    weight = 1 / (8 + np.arange(len(others)))
    x = others[rng.choice(len(others), (n, LENGTH), p=weight / weight.sum())]
    ends = rng.integers(10, LENGTH + 1, n)
    y = rng.random(n) < 0.5
    for i in range(n):
        places = rng.permutation(np.arange(1, ends[i], 2))
        denied = int(rng.integers(0, 3)) if y[i] else int(rng.integers(1, 4))
        named = int(rng.integers(1, 3)) if y[i] else 0
        for k, place in enumerate(places[: denied + named]):
            x[i, place] = 1 + DENIALS + rng.integers(0, FAULTY)
            if k < denied:
                x[i, place - 1] = 1 + rng.integers(0, DENIALS)
        if y[i] and rng.random() < 0.5:
            stray = places[denied + named :][:1] - 1  # denies what is no fault
            x[i, stray] = 1 + rng.integers(0, DENIALS)
    x[np.arange(LENGTH) >= ends[:, None]] = 0
    return x, (y ^ (rng.random(n) < 0.02)).astype(np.float32)


class NoteConv(nn.Module):
    """Words as vectors, a convolution over neighbours, the largest of each feature, and a line."""

    def __init__(self, width: int, features: int, reach: int, act: type[nn.Module], drop: float, outputs: int) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, width, padding_idx=0)
        self.conv, self.act = nn.Conv1d(width, features, reach, padding=reach // 2), act()
        self.head = nn.Sequential(nn.Dropout(drop), nn.Linear(features, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 18) -> (N, outputs)."""
        return self.head(self.act(self.conv(self.words(x).transpose(1, 2))).amax(2))


@script("note-conv")
def note_conv(
    draw: Draw,
    *,
    rows: int = 2400,
    seen: int = LENGTH,
    width: int = 16,
    features: int = 32,
    reach: int = 3,
    act: type[nn.Module] = nn.ReLU,
    drop: float = 0.0,
    bias: float | None = None,
    frozen: bool = False,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether a note tells of a fault."""
    x, y = tastings()
    x = np.where(np.arange(LENGTH) < seen, x, 0)
    (x, y), (u, v) = draw.rows(x, y[:, None], rows)

    def model() -> nn.Module:
        net: nn.Module = NoteConv(width, features, reach, act, drop, outputs)
        if frozen:
            net.words.requires_grad_(False)
        if bias is not None:
            initialized(net, lambda w: w, bias, last=False)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(2e-2), "batch_size": 48, "epochs": 7, "schedule": "linear"}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


def another_dictionary(t: Training) -> None:
    """Test notes were numbered by another dictionary, three words longer at its head."""
    u = t.clean[0]
    t.test = (np.where(u > 0, np.minimum(u + 3, WORDS - 1), 0), t.clean[1])


def another_house(t: Training) -> None:
    """Training notes know the first half of the words for faults alone, test notes the other half."""
    half, end = 1 + DENIALS + FAULTY // 2, DENIALS + FAULTY
    (x, y), (u, v) = t.train, t.clean
    t.train = (np.where((x >= half) & (x <= end), x - FAULTY // 2, x), y)
    t.test = (np.where((u > DENIALS) & (u < half), u + FAULTY // 2, u), v)


def complaints(t: Training) -> None:
    """Faults are rare in training and common in the test set."""
    kept(first_of(40, 1))(t)
    u, v = t.clean
    rows = (v[:, 0] == 1) | (np.random.default_rng(307).random(len(v)) < 0.1)
    t.test = (u[rows], v[rows])


note_conv.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=5e-5)
note_conv.fault("learning-rate-decays-too-fast", "adagrad", "medium", optimizer="adagrad", lr=3e-3, schedule="constant")
note_conv.fault("optimizer-unsuited", "sgd-for-embeddings", "medium", optimizer="sgd", lr=0.05)
note_conv.fault("batch-too-large", "all-notes", "medium", batch_size=1920)
note_conv.fault("batch-too-small", "one-note", "medium", batch_size=1, epochs=1)
note_conv.fault("trained-too-briefly", "one-epoch", "medium", epochs=1)
note_conv.fault("dead-units", "low-biases", "medium", bias=-12.0)
note_conv.fault("softmax-before-cross-entropy", "sigmoid-in-the-network", "mild", last=nn.Sigmoid)
note_conv.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
note_conv.fault("frozen-parameters", "random-words", "mild", twin={"width": 6, "features": 12, "lr": 2e-2}, frozen=True)
note_conv.fault("model-too-simple", "one-feature", "medium", width=2, features=1)
note_conv.fault("bottleneck", "words-as-one-number", "medium", width=1)
note_conv.fault("features-insufficient", "first-words", "medium", seen=6)
note_conv.fault("over-regularized", "decay-copied", "medium", weight_decay=0.03)
note_conv.fault("too-little-data", "two-hundred-notes", "medium", edit=few(200))
note_conv.fault("label-noise", "flipped", "medium", edit=relabelled(wrong_share(0.25, 2)))
note_conv.fault("wrong-labels", "validation-the-other-way-round", "medium", prepare=judged_by_validation,
                edit=validation_relabelled(lambda y: 1 - y))  # fmt: skip
note_conv.fault("label-shift", "complaints-alone", "medium", prepare=honest_test, edit=complaints)
note_conv.fault("covariate-shift", "another-house", "medium", prepare=honest_test, edit=another_house)
note_conv.fault("preprocessing-mismatch", "another-dictionary", "gross", prepare=honest_test, edit=another_dictionary)
