"""Scripts of a recording studio, with the mistakes that are made in them."""

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
    freeze_below_out,
    given_validation,
    honest_test,
    initialized,
    judged_by_validation,
    kept,
    redraw,
    relabelled,
    script,
    settings,
    test_inputs,
    validation_among_training,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.mistakes import (
    beyond,
    flattered,
    flattered_validation,
    missing,
    moving,
    noisy,
    other_shares,
    quantities,
    still,
    summed,
)
from zoo.scripts.pictures import Softmax

# -- which instrument plays --------------------------------------------------------------------------------------------------------------

BANDS, FRAMES, INSTRUMENTS = 12, 12, 6


@cache
def notes() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 12, 12) decibels of a note by bands, four an octave, and moments; (5000,) the instrument: plucked, blown or trembling, with
    all overtones or the odd ones."""
    rng = np.random.default_rng(227)
    n = 5000
    y = rng.integers(0, INSTRUMENTS, n)
    manner, odd = y // 2, (y % 2)[:, None, None] == 1
    t, bands = np.arange(FRAMES), np.arange(BANDS)
    since = t - rng.integers(0, 4, n)[:, None]
    pluck = np.exp(-since / rng.uniform(2.5, 6.0, (n, 1)))
    blown = 1 - np.exp(-(since + 0.5) / rng.uniform(0.8, 2.5, (n, 1)))
    tremble = 0.62 + 0.38 * np.sin(2 * np.pi * since / rng.uniform(3.0, 5.0, (n, 1)) + rng.uniform(0, 2 * np.pi, (n, 1)))
    envelope = np.choose(manner[:, None], [pluck, blown, tremble]) * (since >= 0)
    base, fall = rng.uniform(0, 3, n), rng.uniform(0.5, 1.2, n)
    spectrum = np.zeros((n, BANDS))
    for k in range(1, 8):
        height = k**-fall * np.where((k % 2 == 0) & odd[:, 0, 0], 0.12, 1.0) * np.exp(0.3 * rng.normal(0, 1, n))
        spectrum += height[:, None] * np.exp(-((bands - base[:, None] - 4 * np.log2(k)) ** 2) / 0.6)
    x = 20 * np.log10(spectrum[:, :, None] * envelope[:, None] + 0.02 * rng.gamma(2, 1.0, (n, BANDS, FRAMES)))
    return (x[:, None] + rng.normal(-20, 5, (n, 1, 1, 1))).astype(np.float32), y


class Separable(nn.Module):
    """Every channel on its own over bands and moments, then all of them at a point; channels are weighed by what they say on the whole."""

    def __init__(self, a: int, b: int, act: type[nn.Module], norm: bool, skip: bool) -> None:
        super().__init__()
        self.depthwise, self.pointwise = nn.Conv2d(a, a, 3, padding=1, groups=a), nn.Conv2d(a, b, 1)
        self.norm, self.act = nn.BatchNorm2d(b) if norm else nn.Identity(), act()
        self.weigh = nn.Linear(b, b)
        self.skip = skip and a == b

    def forward(self, x: Tensor) -> Tensor:
        """(N, a, H, W) -> (N, b, H, W)."""
        y = self.act(self.norm(self.pointwise(self.depthwise(x))))
        y = y * self.weigh(y.mean((2, 3))).sigmoid()[:, :, None, None]
        return x + y if self.skip else y


class NoteNet(nn.Module):
    """Separable convolutions in two stages and a mean over all places."""

    def __init__(
        self, channels: int, more: int, act: type[nn.Module], norm: bool, skip: bool, drop: float, neck: int, outputs: int
    ) -> None:
        super().__init__()
        c = channels
        self.stem = nn.Sequential(nn.Conv2d(1, c, 4, stride=2, padding=1), nn.BatchNorm2d(c) if norm else nn.Identity(), act())
        stages: list[nn.Module] = [Separable(c, 2 * c, act, norm, skip)]
        stages += [Separable(2 * c, 2 * c, act, norm, skip) for _ in range(more)]
        self.body = nn.Sequential(*stages, nn.AvgPool2d(2), Separable(2 * c, 3 * c, act, norm, skip))
        self.neck = nn.Sequential(nn.Linear(3 * c, neck), act()) if neck else nn.Identity()
        self.drop, self.out = nn.Dropout(drop), nn.Linear(neck or 3 * c, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 12, 12) -> (N, outputs)."""
        return self.out(self.drop(self.neck(self.body(self.stem(x)).mean((2, 3)))))


@script("instrument-separable")
def instrument_separable(
    draw: Draw,
    *,
    rows: int = 1300,
    scale: bool = True,
    moments: int = FRAMES,
    channels: int = 12,
    more: int = 0,
    act: type[nn.Module] = nn.ReLU,
    norm: bool = True,
    skip: bool = True,
    drop: float = 0.0,
    neck: int = 0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    outputs: int = INSTRUMENTS,
    odd: bool = False,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Which instrument plays a note; with ``odd`` whether overtones are the odd ones."""
    x, y = notes()
    x = (x + 46) / np.float32(12.0) if scale else x.copy()
    x[..., moments:] = 0
    if odd:
        y, outputs = (y % 2).astype(np.float32)[:, None], 1
    (x, y), (u, v) = draw.rows(x, y, rows)
    channels = draw.units(channels) if channels > 4 else channels

    def model() -> nn.Module:
        net: nn.Module = NoteNet(channels, more, act, norm, skip, drop, neck, outputs)
        if frozen:
            freeze_below_out(net)
        redraw(net, std, gain, bias)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "rmsprop", "lr": draw.near(1.2e-2), "batch_size": 80, "epochs": 10, "schedule": "cosine"}
    loss = loss or (nn.BCEWithLogitsLoss() if odd else nn.CrossEntropyLoss())
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=2 if odd else INSTRUMENTS)


PLAIN = {"norm": False, "optimizer": "adam", "lr": 2e-2, "epochs": 14, "channels": 16}
SGD = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "epochs": 10}


instrument_separable.fault("learning-rate-too-high", "rate-of-sgd-for-rmsprop", "medium", lr=0.5)
instrument_separable.fault("learning-rate-decays-too-fast", "step-every-epoch", "medium", schedule="step:1:0.1")
instrument_separable.fault("optimizer-unsuited", "adadelta-with-a-small-rate", "gross", optimizer="adadelta", lr=0.01)
instrument_separable.fault("batch-too-small", "two-notes", "mild", batch_size=2, epochs=1)
instrument_separable.fault("trained-too-briefly", "fifteen-updates", "medium", max_steps=15)
instrument_separable.fault("momentum-too-high", "averaging-weight", "medium", twin=SGD, momentum=0.997)
instrument_separable.fault("gradient-clipping-too-tight", "a-thousandth", "medium", twin=SGD, clip_norm=1e-3)
instrument_separable.fault("missing-normalization", "no-batch-norm", "gross", twin={"more": 3, "skip": False}, norm=False)
instrument_separable.fault("bad-initialization", "a-hundredth", "medium", twin=PLAIN, std=3e-3, bias=0.0)
instrument_separable.fault("softmax-before-cross-entropy", "softmax-twice", "mild", twin=SGD, last=Softmax)
instrument_separable.fault("single-unit-softmax", "softmax-of-one", "gross", twin={"odd": True}, last=Softmax, loss=nn.BCELoss())
instrument_separable.fault("wrong-loss", "names-as-quantities", "gross", outputs=1, edit=quantities)
instrument_separable.fault("output-width-wrong", "two-instruments-forgotten", "medium", outputs=4)
instrument_separable.fault("frozen-parameters", "all-but-head", "medium", frozen=True)
instrument_separable.fault("bottleneck", "one-number-a-note", "medium", twin={"neck": 16}, neck=1)
instrument_separable.fault("model-too-simple", "one-channel", "medium", channels=1)
instrument_separable.fault("over-regularized", "drop-nearly-all", "medium", twin={"neck": 16}, drop=0.97)
instrument_separable.fault("too-little-data", "thirty-notes", "medium", edit=few(30))
instrument_separable.fault("features-insufficient", "two-moments", "medium", moments=2)
instrument_separable.fault(
    "missing-augmentation", "never-delayed", "medium", twin={"epochs": 5}, prepare=moving(60, 4, (3,), 8), edit=still(60, 8)
)
instrument_separable.fault("covariate-shift", "noisy-room", "medium", prepare=honest_test, edit=noisy(1.2))
instrument_separable.fault("preprocessing-mismatch", "sign-of-decibels", "medium", prepare=honest_test, edit=test_inputs(lambda x: -x))
instrument_separable.fault("label-shift", "string-orchestra", "medium", prepare=honest_test, edit=other_shares((0, 1), 5))
instrument_separable.fault("class-imbalance", "few-flutes", "gross", prepare=balanced, edit=kept(first_of(4, 2, 3)))
instrument_separable.fault(
    "labels-unrelated-to-inputs", "files-listed-apart", "gross", edit=relabelled(lambda y: np.random.default_rng(11).permutation(y))
)
instrument_separable.fault("label-noise", "students-by-ear", "medium", edit=relabelled(wrong_share(0.65, 6)))
instrument_separable.fault(
    "train-test-leakage",
    "cut-into-copies",
    "medium",
    twin={"rows": 150, "epochs": 15, "lr": 3e-3, "batch_size": 20},
    prepare=flattered,
    edit=copied(5, 0.02),
)

# -- which note comes next ---------------------------------------------------------------------------------------------------------------

PITCHES, PAST = 9, 8


@cache
def melodies() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 8) notes past as steps of a scale; (7000,) the next one: tunes run on in their direction, turn at the ends of the scale, and
    after a root or a fifth take up what came four notes before; one note in eight is as it likes."""
    rng = np.random.default_rng(229)
    n = 7000
    tune = rng.integers(0, PITCHES, (n, 30))
    for i in range(4, 30):
        last, before = tune[:, i - 1], tune[:, i - 2]
        step = np.where(last >= before, 1, -1) * np.where(np.abs(last - before) > 2, -1, 1)
        step = np.where(last + step < 0, 1, np.where(last + step >= PITCHES, -1, step))
        follow = np.where(np.isin(last, (0, 4, 7)), tune[:, i - 4], last + step)
        tune[:, i] = np.where(rng.random(n) < 0.125, rng.integers(0, PITCHES, n), follow)
    return tune[:, 30 - PAST - 1 : -1].astype(np.float32), tune[:, -1]


class Gated(nn.Module):
    """What a note and an earlier one say together, times how far it is let through, beside a shortcut."""

    def __init__(self, width: int, reach: int, act: type[nn.Module], norm: bool, skip: bool) -> None:
        super().__init__()
        self.say, self.gate, self.mix = nn.Linear(2 * width, width), nn.Linear(2 * width, width), nn.Linear(width, width)
        self.norm, self.act, self.reach, self.skip = nn.LayerNorm(width) if norm else nn.Identity(), act(), reach, skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) -> (N, T - reach, width)."""
        z = self.norm(x)
        z = torch.cat([z[:, self.reach :], z[:, : z.shape[1] - self.reach]], 2)
        y = self.mix(self.act(self.say(z)) * self.gate(z).sigmoid())
        return x[:, self.reach :] + y if self.skip else y


class TuneNet(nn.Module):
    """Notes as vectors, gated layers that look less far back each, and scores of the next note."""

    def __init__(
        self, width: int, reaches: tuple[int, ...], act: type[nn.Module], norm: bool, skip: bool, drop: float, outputs: int
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(PITCHES, width)
        self.blocks = nn.Sequential(*(Gated(width, reach, act, norm, skip) for reach in reaches))
        self.drop, self.hidden, self.out = nn.Dropout(drop), nn.Linear(width, width), nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8) -> (N, outputs)."""
        y = self.blocks(self.table(x.long()))[:, -1]
        return self.out(self.drop(self.hidden(y.relu()).relu()))


@script("melody-gated")
def melody_gated(
    draw: Draw,
    *,
    rows: int = 3600,
    known: int = PAST,
    width: int = 28,
    reaches: tuple[int, ...] = (4, 2, 1),
    act: type[nn.Module] = nn.Tanh,
    norm: bool = False,
    skip: bool = True,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    outputs: int = PITCHES,
    last: type[nn.Module] | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """Which note comes next in a tune."""
    x, y = melodies()
    x = x.copy()
    x[:, : PAST - known] = 0
    (x, y), (u, v) = draw.rows(x, y, rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net: nn.Module = TuneNet(width, reaches, act, norm, skip, drop, outputs)
        if frozen:
            freeze_below_out(net)
        redraw(net, std, gain, bias)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(1e-2), "batch_size": 128, "epochs": 10, "schedule": "cosine", "clip_norm": 5.0}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=PITCHES)


GRADIENT = {"optimizer": "sgd", "lr": 0.4, "momentum": 0.9, "clip_norm": None, "epochs": 14}


def another_key(t: Training) -> None:
    """Notes of the test set are counted from the second step of the scale."""
    t.test = (((t.clean[0] + 1) % PITCHES).astype(np.float32), t.clean[1])


def high_register(t: Training) -> None:
    """Learned from tunes that lie low, tested on those that lie high."""
    (x, y), (u, v) = t.train, t.clean
    low, high = x.mean(1) < np.quantile(x.mean(1), 0.4), u.mean(1) > np.quantile(u.mean(1), 0.7)
    t.train, t.test = (x[low], y[low]), (u[high], v[high])


melody_gated.fault("learning-rate-too-high", "decimal-slip", "mild", lr=0.2)
melody_gated.fault("learning-rate-too-low", "cautious", "medium", lr=2e-4)
melody_gated.fault("learning-rate-decays-too-fast", "impatient", "mild", schedule="exponential:0.3")
melody_gated.fault("optimizer-unsuited", "sgd-for-embeddings", "medium", optimizer="sgd", lr=0.03)
melody_gated.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1000)
melody_gated.fault("batch-too-small", "one-tune", "gross", twin=GRADIENT, batch_size=1, epochs=1)
melody_gated.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.03, "batch_size": 32, "epochs": 6}, schedule="constant")
melody_gated.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
melody_gated.fault("gradient-clipping-too-tight", "by-value-for-norm", "mild", twin=GRADIENT, clip_norm=5e-3)
melody_gated.fault("exploding-gradient", "gain-in-every-layer", "medium", twin={**GRADIENT, "act": nn.ReLU, "lr": 0.1}, gain=5.0)
melody_gated.fault("saturating-activation", "unit-variance-weights", "medium", std=3.0)
melody_gated.fault(
    "too-deep-without-skips", "shortcuts-left-out", "medium", twin={"reaches": (1,) * 7, "epochs": 9, "lr": 8e-3}, skip=False
)
melody_gated.fault("bad-initialization", "zeros", "gross", std=0.0, bias=0.0)
melody_gated.fault("frozen-parameters", "all-but-head", "mild", frozen=True)
melody_gated.fault("softmax-before-cross-entropy", "softmax-twice", "gross", twin=GRADIENT, last=Softmax)
melody_gated.fault("output-width-wrong", "five-notes", "gross", outputs=5)
melody_gated.fault("wrong-loss", "notes-as-quantities", "mild", outputs=1, edit=quantities)
melody_gated.fault("model-too-simple", "one-number-a-note", "medium", width=2)
melody_gated.fault("features-insufficient", "last-note-alone", "medium", known=1)
melody_gated.fault("over-regularized", "decay-copied", "medium", weight_decay=0.03)
melody_gated.fault("too-little-data", "sixty-tunes", "medium", edit=few(60))
melody_gated.fault("label-noise", "sloppy-transcripts", "medium", edit=relabelled(wrong_share(0.6, PITCHES)))
melody_gated.fault("labels-unrelated-to-inputs", "one-tune-early", "medium", edit=relabelled(lambda y: np.roll(y, -1, 0)))
melody_gated.fault("wrong-labels", "counted-from-one", "gross", edit=relabelled(lambda y: y + 1))
melody_gated.fault(
    "wrong-labels",
    "validation-in-another-key",
    "medium",
    prepare=judged_by_validation,
    edit=validation_relabelled(lambda y: (y + 2) % PITCHES),
)
melody_gated.fault("class-imbalance", "few-high-notes", "medium", prepare=balanced, edit=kept(first_of(2, 6, 7, 8)))
melody_gated.fault("label-shift", "high-notes-later", "gross", prepare=honest_test, edit=other_shares((2, 6, 8), 3))
melody_gated.fault("covariate-shift", "high-register", "medium", prepare=honest_test, edit=high_register)
melody_gated.fault("preprocessing-mismatch", "counted-from-the-second", "medium", prepare=honest_test, edit=another_key)
melody_gated.fault("data-not-shuffled", "sorted-by-note", "medium", prepare=by_label, shuffle=False)
melody_gated.fault(
    "train-test-leakage",
    "validation-not-taken-out",
    "gross",
    twin={"rows": 500, "batch_size": 20, "epochs": 15},
    prepare=flattered_validation,
    edit=validation_among_training,
)

# -- the sound of a string ---------------------------------------------------------------------------------------------------------------


@cache
def plucks() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 3) moment in a hundredth of a second, how hard and where a string is plucked, in newtons and centimetres; (6000,) where it is."""
    rng = np.random.default_rng(233)
    t, force, place = rng.uniform(0, 1, 6000), rng.uniform(2, 8, 6000), rng.uniform(4, 30, 6000)
    y = 0.12 * rng.normal(0, 1, 6000)
    for k in range(1, 5):
        height = (force / 5) ** (0.7 + 0.25 * k) * np.sin(np.pi * k * place / 64) / k
        y += height * np.exp(-(0.3 + 0.35 * k) * t) * np.sin(2 * np.pi * 3.1 * k * t + 0.3 * k)
    return np.stack([t, force, place], 1).astype(np.float32), y.astype(np.float32)


class StringNet(nn.Module):
    """Partials whose heights a network tells by how a string is plucked; their pace and their fading are learned."""

    def __init__(self, partials: int, sizes: tuple[int, ...], act: type[nn.Module], drop: float, pace: float, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in zip((2, *sizes), sizes, strict=False):
            layers += [nn.Linear(a, b), act(), nn.Dropout(drop)]
        self.heights = nn.Sequential(*layers, nn.Linear((2, *sizes)[-1], 2 * partials))
        self.pace, self.fading = nn.Parameter(torch.tensor(pace)), nn.Parameter(torch.zeros(partials))
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3) -> (N, outputs)."""
        count = torch.arange(1, len(self.fading) + 1)
        angle = 2 * torch.pi * self.pace * count * x[:, :1]
        fade = torch.exp(-nn.functional.softplus(self.fading) * x[:, :1])
        waves = torch.cat([fade * angle.sin(), fade * angle.cos()], 1)
        return (self.heights(x[:, 1:]) * waves).sum(1, keepdim=True).expand(-1, self.outputs)


@script("string-partials")
def string_partials(
    draw: Draw,
    *,
    rows: int = 2000,
    scale: bool = True,
    blind: bool = False,
    partials: int = 4,
    sizes: tuple[int, ...] = (20,),
    act: type[nn.Module] = nn.Tanh,
    drop: float = 0.0,
    pace: float = 3.0,
    fixed: bool = False,
    std: float | None = None,
    outputs: int = 1,
    unit: float = 1.0,
    offset: float = 0.0,
    flat: bool = False,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Where a plucked string is at a moment."""
    x, y = plucks()
    middle, spread = ((0, 5, 17), (1, 1.7, 7.5)) if scale else ((0, 0, 0), (1, 1, 0.1))
    x = (x - np.array(middle, np.float32)) / np.array(spread, np.float32)
    if blind:
        x = x * np.array([1, 0, 0], np.float32)
    (x, y), (u, v) = draw.rows(x, y * np.float32(unit) + np.float32(offset), rows)
    sizes = tuple(draw.units(size) if size > 4 else size for size in sizes)

    def model() -> nn.Module:
        net: nn.Module = StringNet(partials, sizes, act, drop, pace, outputs)
        if fixed:
            net.pace.requires_grad_(False)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std))
        return nn.Sequential(net, last()) if last else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(2e-2), "batch_size": 64, "epochs": 20, "schedule": "cosine"}
    return Training(model, loss or nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


SMALL = {"rows": 120, "sizes": (12,), "batch_size": 16, "epochs": 25}
STEEP = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}

string_partials.fault("local-minimum", "an-octave-low", "medium", pace=1.6)
string_partials.fault("local-minimum", "an-octave-high", "gross", pace=6.4)
string_partials.fault("local-minimum", "a-fifth-off", "mild", pace=4.5)
string_partials.fault("frozen-parameters", "tuned-by-ear", "medium", twin={"pace": 2.9}, fixed=True)
string_partials.fault("learning-rate-too-low", "one-zero-too-many", "gross", lr=1e-4)
string_partials.fault("learning-rate-too-high", "one", "gross", lr=1.0)
string_partials.fault("learning-rate-decays-too-fast", "gamma-of-another-script", "gross", schedule="exponential:0.02")
string_partials.fault("momentum-too-high", "a-nine-too-many", "gross", twin=STEEP, momentum=0.999)
string_partials.fault("missing-decay", "schedule-forgotten", "mild", twin={"lr": 0.05, "batch_size": 16, "epochs": 7}, schedule="constant")
string_partials.fault("trained-too-briefly", "one-epoch", "medium", epochs=1)
string_partials.fault("saddle-point", "heights-of-zero", "medium", twin={**STEEP, "sizes": (20, 20), "epochs": 25}, std=1e-3)
string_partials.fault("saturating-activation", "unit-variance-weights", "medium", std=8.0)
string_partials.fault("unnormalized-input", "newtons-and-millimetres", "mild", scale=False)
string_partials.fault("unnormalized-target", "micrometres", "medium", unit=500.0, offset=1500.0)
string_partials.fault("wrong-output-activation", "microphone-of-one-sign", "medium", last=nn.ReLU)
string_partials.fault("wrong-output-activation", "a-sigmoid-at-the-end", "gross", last=nn.Sigmoid)
string_partials.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
string_partials.fault("output-width-wrong", "two-channels", "medium", outputs=2)
string_partials.fault("loss-summed-over-batch", "sum", "gross", twin=STEEP, edit=summed)
string_partials.fault("gradient-clipping-too-tight", "a-thousandth", "gross", twin=STEEP, clip_norm=1e-3)
string_partials.fault("model-too-simple", "one-partial", "medium", partials=1)
string_partials.fault("bottleneck", "one-unit", "mild", sizes=(1,))
string_partials.fault("features-insufficient", "moment-alone", "medium", blind=True)
string_partials.fault("over-regularized", "decay-copied", "mild", weight_decay=0.15)
string_partials.fault("too-little-data", "sixty-samples", "medium", edit=few(60))
string_partials.fault("model-too-flexible", "forty-partials", "gross", twin=SMALL, partials=40, sizes=(128, 128))
string_partials.fault(
    "trained-too-long",
    "all-night",
    "medium",
    twin={"rows": 160, "batch_size": 16, "partials": 8, "sizes": (32, 32), "epochs": 30},
    epochs=250,
)
string_partials.fault(
    "labels-unrelated-to-inputs", "shuffled-apart", "gross", edit=relabelled(lambda y: np.random.default_rng(11).permutation(y))
)
string_partials.fault("wrong-labels", "other-side-up", "medium", prepare=given_validation, edit=relabelled(lambda y: -2 * y))
string_partials.fault("covariate-shift", "early-then-late", "medium", prepare=honest_test, edit=beyond(0, 0.5))
string_partials.fault(
    "preprocessing-mismatch", "another-clock", "medium", prepare=honest_test, edit=test_inputs(lambda x: x * np.array([1.1, 1, 1]))
)
string_partials.fault("non-finite-data", "clipped-samples", "medium", edit=missing(0.01))
string_partials.fault(
    "train-test-leakage",
    "jittered-before-split",
    "mild",
    twin={**SMALL, "partials": 10, "sizes": (32,)},
    prepare=flattered,
    edit=copied(6, 0.01),
)
