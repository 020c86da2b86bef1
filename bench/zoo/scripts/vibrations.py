"""Scripts on vibrations and sounds, with the mistakes that are made in them."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    few,
    first_of,
    given_validation,
    honest_test,
    initialized,
    kept,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    wrong_share,
)
from zoo.scripts.mistakes import missing, moving, noisy, other_shares, still, summed

# -- the fault of a bearing --------------------------------------------------------------------------------------------------------------


@cache
def bearings() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 64) accelerations in m/s2, and what is worn: nothing, the outer ring, the inner ring or a ball."""
    rng, t = np.random.default_rng(53), np.arange(64)
    y = rng.integers(0, 4, 5000)
    # A worn part rings once in every so many samples, at its own pitch; the inner ring's blows swell as it turns.
    periods, pitches = np.array([0.0, 16.0, 11.0, 23.0]), np.array([0.0, 0.9, 1.5, 2.1])
    x = rng.normal(0, 1.0, (5000, 64)) + 0.8 * np.sin(0.2 * t + rng.uniform(0, 2 * np.pi, (5000, 1)))
    for i in np.flatnonzero(y):
        period = periods[y[i]] * rng.uniform(0.95, 1.05)
        for start in np.arange(-rng.uniform(0, period), 64, period):
            since = t - start
            swell = 1 + 0.6 * np.sin(0.2 * start) if y[i] == 2 else 1.0
            x[i] += np.where(since >= 0, 3.6 * swell * np.exp(-np.maximum(since, 0) / 4) * np.sin(pitches[y[i]] * since), 0)
    return (x[:, None] * 1.6).astype(np.float32), y


class BearingNet(nn.Module):
    """Convolutions over time, halved once, and an average."""

    def __init__(self, channels: int, depth: int, norm: bool, act: type[nn.Module], skip: bool, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, channels, 9, stride=2, padding=4)
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, 5, padding=2) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) if norm else nn.Identity() for _ in range(depth))
        self.act, self.skip = act(), skip
        self.head = nn.Linear(2 * channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 64) -> (N, outputs)."""
        x = self.act(self.stem(x))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = self.act(norm(conv(x)))
            x = x + y if self.skip else y
        return self.head(F.adaptive_max_pool1d(x, 2).flatten(1))


@script("bearing-conv")
def bearing_conv(
    draw: Draw,
    *,
    rows: int = 1800,
    depth: int = 2,
    channels: int = 16,
    norm: bool = True,
    act: type[nn.Module] = nn.ReLU,
    skip: bool = False,
    bias: float | None = None,
    std: float | None = None,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """What is worn in a bearing, by how it shakes."""
    (x, y), (u, v) = draw.rows(*bearings(), rows)
    spread = x.std()
    x, u = x / spread, u / spread
    channels = draw.units(channels) if channels > 4 else channels

    def model() -> nn.Module:
        net: nn.Module = BearingNet(channels, depth, norm, act, skip, outputs)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        elif bias is not None:
            initialized(net, lambda w: w, bias, last=False)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 32, "epochs": 8, "schedule": "cosine"}
    return Training(model, loss or nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


SGD = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9}

bearing_conv.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "gross", twin={"norm": False, "lr": 3e-3}, lr=0.3)
bearing_conv.fault("missing-normalization", "no-batch-norm", "medium", twin={**SGD, "depth": 7, "channels": 12}, norm=False)
bearing_conv.fault("dead-units", "low-biases", "medium", twin={"norm": False, "lr": 3e-3}, bias=-6.0)
bearing_conv.fault("bad-initialization", "unit-variance", "mild", twin={"norm": False, "lr": 3e-3}, std=1.0, bias=0.0)
bearing_conv.fault("model-too-simple", "one-channel", "mild", channels=1)
bearing_conv.fault("batch-too-small", "one-window", "mild", twin={"depth": 1}, batch_size=1, epochs=1)
bearing_conv.fault("output-width-wrong", "no-class-for-healthy", "mild", outputs=3)
bearing_conv.fault("wrong-loss", "log-likelihood-of-logits", "medium", loss=nn.NLLLoss())
bearing_conv.fault("label-noise", "hasty-inspectors", "gross", edit=relabelled(wrong_share(0.6, 4)))
bearing_conv.fault("wrong-labels", "counted-from-one", "gross", edit=relabelled(lambda y: y + 1))
bearing_conv.fault("wrong-labels", "another-order-of-parts", "medium", prepare=given_validation, edit=relabelled(lambda y: (y + 1) % 4))
bearing_conv.fault("class-imbalance", "few-worn-balls", "medium", prepare=balanced, edit=kept(first_of(8, 3)))
bearing_conv.fault("label-shift", "worn-machines-later", "medium", prepare=honest_test, edit=other_shares((2, 3), 6))
bearing_conv.fault("data-not-shuffled", "rig-by-rig", "gross", prepare=by_label, shuffle=False)
bearing_conv.fault("too-little-data", "sixty-windows", "medium", edit=few(60))
bearing_conv.fault("missing-augmentation", "same-start-always", "mild", prepare=moving(150, 8, (2,), 10), edit=still(150, 10))
bearing_conv.fault("covariate-shift", "louder-hall", "medium", prepare=honest_test, edit=noisy(0.8))
bearing_conv.fault("preprocessing-mismatch", "in-units-of-gravity", "medium", prepare=honest_test, edit=test_inputs(lambda x: x / 9.81))

# -- the notes of a chord ----------------------------------------------------------------------------------------------------------------


@cache
def chords() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 48) power in bands of a quarter octave and less, and (6000, 6) which notes of a scale sound; two or three do as a rule."""
    rng, bands = np.random.default_rng(59), np.arange(48)
    y = (rng.random((6000, 6)) < 0.4).astype(np.float32)
    places = np.array([0.0, 2, 4, 5, 7, 9])
    power = np.zeros((6000, 48))
    for note, overtone in itertools.product(range(6), range(1, 6)):
        centre = 4 + 1.1 * places[note] + 12 * np.log2(overtone)
        loud = y[:, note] * np.exp(rng.normal(0, 0.5, 6000)) / overtone
        power += loud[:, None] * np.exp(-(((bands - centre) / 0.8) ** 2))
    power = (power + 0.02) * np.exp(rng.normal(0, 1.4, power.shape))
    return (300 * power).astype(np.float32), y


@script("chords")
def chord_notes(
    draw: Draw,
    *,
    rows: int = 2500,
    log: bool = True,
    only: tuple[int, ...] = (),
    width: int = 48,
    depth: int = 2,
    act: type[nn.Module] = nn.SiLU,
    norm: bool = False,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    outputs: int = 6,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Which of six notes sound, by a spectrum."""
    x, y = chords()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if log:
        x, u = scaled(np.log(x), np.log(u))
    if only:
        x, u = np.round(x[:, only] / 2), np.round(u[:, only] / 2)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        sizes = [x.shape[1], *([width] * depth)]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), *([nn.LayerNorm(b)] if norm else []), act(), *([nn.Dropout(drop)] if drop else [])]
        net = nn.Sequential(*layers, nn.Linear(sizes[-1], outputs), *([last()] if last else []))
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w.mul_(gain), bias, last=False) if gain != 1 or bias is not None else net

    mine = {"optimizer": "adamw", "lr": draw.near(3e-3), "weight_decay": 0.05, "batch_size": 64, "epochs": 12, "schedule": "cosine"}
    loss = loss or nn.BCEWithLogitsLoss()
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=6, multilabel=True)


PLAIN = {"optimizer": "sgd", "lr": 0.2, "momentum": 0.9, "weight_decay": 1e-4}

chord_notes.fault("wrong-loss", "one-note-a-chord", "medium", loss=nn.CrossEntropyLoss())
chord_notes.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", twin=PLAIN, last=nn.Sigmoid)
chord_notes.fault("unnormalized-input", "raw-power", "medium", log=False)
chord_notes.fault("unnormalized-input", "raw-power-by-sgd", "gross", twin=PLAIN, log=False)
chord_notes.fault("vanishing-gradient", "sigmoid-everywhere", "medium", depth=6, act=nn.Sigmoid)
chord_notes.fault("saturating-activation", "unit-variance-weights", "medium", twin={"act": nn.Tanh}, std=2.0)
chord_notes.fault("exploding-gradient", "doubled-gain-per-layer", "medium", twin={"depth": 6, "act": nn.ReLU, "lr": 2e-3}, gain=8.0)
chord_notes.fault("missing-normalization", "no-layer-norm", "medium", twin={**PLAIN, "lr": 0.05, "depth": 9, "norm": True}, norm=False)
chord_notes.fault("bad-initialization", "zeros", "gross", std=0.0, bias=0.0)
chord_notes.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", twin=PLAIN, clip_norm=2e-3)
chord_notes.fault("loss-summed-over-batch", "sum", "medium", twin=PLAIN, edit=summed)
chord_notes.fault("learning-rate-too-low", "rate-of-adam-for-sgd", "medium", twin=PLAIN, lr=1e-3)
chord_notes.fault("momentum-too-high", "a-nine-too-many", "mild", twin=PLAIN, momentum=0.999)
chord_notes.fault("features-insufficient", "three-bands", "medium", only=(4, 9, 17))
chord_notes.fault("over-regularized", "decay-of-adam-for-adamw", "medium", weight_decay=40.0)
chord_notes.fault("label-noise", "hurried-listeners", "gross", edit=relabelled(wrong_share(0.4, 2)))
chord_notes.fault("labels-unrelated-to-inputs", "one-row-late", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
chord_notes.fault("non-finite-data", "logarithm-of-zero", "medium", edit=missing(0.002))
chord_notes.fault("bottleneck", "narrow-layer", "mild", twin={"width": 24}, width=2)
