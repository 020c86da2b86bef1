"""Scripts on drawn and photographed pictures, with the mistakes that are made in them."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor, nn

import data
from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    few,
    first_of,
    honest_test,
    initialized,
    kept,
    relabelled,
    script,
    settings,
    test_inputs,
    wrong_share,
)
from zoo.scripts.mistakes import moving, other_shares, still, summed

# -- a shape in a noisy picture ----------------------------------------------------------------------------------------------------------


@cache
def shapes() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 1, 16, 16) grey levels in 0..1 and what is drawn there, in any size and nearly anywhere: disc, square, triangle or cross."""
    rng = np.random.default_rng(73)
    y = rng.integers(0, 4, 6000)
    size = rng.uniform(3.2, 5.0, (6000, 1, 1))
    rows, columns = np.mgrid[:16, :16][:, None] - rng.uniform(5.5, 9.5, (2, 6000, 1, 1))
    inside = np.stack([
        rows**2 + columns**2 < (1.1 * size) ** 2,
        np.maximum(np.abs(rows), np.abs(columns)) < 0.95 * size,
        (rows < 0.8 * size) & (rows > 2 * np.abs(columns) - size),
        (np.minimum(np.abs(rows), np.abs(columns)) < 0.35 * size) & (np.maximum(np.abs(rows), np.abs(columns)) < 1.1 * size),
    ])  # fmt: skip
    drawn = inside[y, np.arange(6000)]
    ink = rng.uniform(0.25, 0.5, (6000, 1, 1))
    x = np.clip(0.3 + ink * drawn + 0.17 * rng.normal(0, 1, drawn.shape), 0, 1)
    return x[:, None].astype(np.float32), y


class ShapeNet(nn.Module):
    """Two convolutions with pooling, and a hidden layer."""

    def __init__(self, channels: int, act: type[nn.Module], drop: float, outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, channels, 5, padding=2), act(), nn.MaxPool2d(2), nn.Conv2d(channels, 2 * channels, 3, padding=1), act(), nn.MaxPool2d(2)
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(32 * channels, 32), act(), nn.Dropout(drop), nn.Linear(32, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 16, 16) -> (N, outputs)."""
        return self.head(self.features(x))


@script("shape-pictures")
def shape_pictures(
    draw: Draw,
    *,
    rows: int = 2000,
    bytes_: bool = False,
    channels: int = 8,
    act: type[nn.Module] = nn.LeakyReLU,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    frozen: bool = False,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """A disc, a square, a triangle or a cross."""
    x, y = shapes()
    x = np.round(x * 255).astype(np.float32) if bytes_ else (x - 0.45) / 0.25
    (x, y), (u, v) = draw.rows(x, y, rows)
    channels = draw.units(channels) if channels > 4 else channels

    def model() -> nn.Module:
        net: nn.Module = ShapeNet(channels, act, drop, outputs)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        elif bias is not None:
            initialized(net, lambda w: w, bias, last=False)
        if frozen:
            for parameter in list(net.parameters())[:-2]:
                parameter.requires_grad_(False)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.04), "momentum": 0.9, "batch_size": 32, "epochs": 8, "schedule": "cosine"}
    mine["weight_decay"] = 5e-4
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


class Softmax(nn.Softmax):
    """Over classes."""

    def __init__(self) -> None:
        super().__init__(1)


shape_pictures.fault("unnormalized-input", "bytes", "gross", bytes_=True)
shape_pictures.fault("learning-rate-too-high", "one", "gross", lr=1.0)
shape_pictures.fault("momentum-too-high", "averaging-weight", "medium", momentum=0.998)
shape_pictures.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", clip_norm=5e-3)
shape_pictures.fault("loss-summed-over-batch", "sum", "gross", edit=summed)
shape_pictures.fault("softmax-before-cross-entropy", "probabilities", "medium", last=Softmax)
shape_pictures.fault("saturating-activation", "unit-variance-weights", "medium", twin={"act": nn.Tanh}, std=1.0, bias=0.0)
shape_pictures.fault("dead-units", "low-biases", "gross", twin={"act": nn.ReLU}, bias=-8.0)
shape_pictures.fault("bad-initialization", "zeros", "gross", std=0.0, bias=0.0)
shape_pictures.fault("vanishing-gradient", "sigmoid-everywhere", "medium", act=nn.Sigmoid)
shape_pictures.fault("frozen-parameters", "all-but-last", "medium", frozen=True)
shape_pictures.fault("output-width-wrong", "cross-forgotten", "mild", outputs=3)
shape_pictures.fault("data-not-shuffled", "folder-by-folder", "gross", prepare=by_label, shuffle=False)
shape_pictures.fault("batch-too-small", "one-picture", "medium", batch_size=1, epochs=2)
shape_pictures.fault("label-noise", "annotators-guess", "gross", edit=relabelled(wrong_share(0.55, 4)))
shape_pictures.fault("wrong-labels", "counted-from-one", "gross", edit=relabelled(lambda y: y + 1))
shape_pictures.fault("class-imbalance", "few-triangles", "medium", prepare=balanced, edit=kept(first_of(10, 2)))
shape_pictures.fault("label-shift", "crosses-later", "medium", prepare=honest_test, edit=other_shares((3,), 8))
shape_pictures.fault("preprocessing-mismatch", "not-centred", "medium", prepare=honest_test, edit=test_inputs(lambda x: x * 0.25 + 0.45))
shape_pictures.fault("covariate-shift", "blurred-camera", "medium", prepare=honest_test, edit=test_inputs(
    lambda x: sum(np.roll(x, (i, j), (2, 3)) for i in (-1, 0, 1) for j in (-2, -1, 0, 1, 2)) / 15
))  # fmt: skip
shape_pictures.fault("missing-augmentation", "never-moved", "medium", prepare=moving(150, 3, (2, 3), 8), edit=still(150, 8))
shape_pictures.fault("too-little-data", "eighty-pictures", "medium", edit=few(80))

# -- digits out of noise -----------------------------------------------------------------------------------------------------------------


@cache
def noisy_digits() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 196) noisy and clean pixels of handwritten digits at half the resolution, both in 0..1 where there is no noise."""
    pixels = data.mnist("mnist", 5000)[0].reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)
    return (pixels + 0.4 * np.random.default_rng(79).normal(0, 1, pixels.shape)).astype(np.float32), pixels.astype(np.float32)


class Denoiser(nn.Module):
    """Down to a code and up again."""

    def __init__(self, sizes: tuple[int, ...], act: type[nn.Module], last: type[nn.Module] | None) -> None:
        super().__init__()
        down = [196, *sizes]
        self.encoder = nn.Sequential(*(m for a, b in itertools.pairwise(down) for m in (nn.Linear(a, b), act())))
        up = down[::-1]
        self.decoder = nn.Sequential(*(m for a, b in itertools.pairwise(up[:-1]) for m in (nn.Linear(a, b), act())))
        self.out = nn.Linear(up[-2], 196)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 196) -> (N, 196)."""
        y = self.out(self.decoder(self.encoder(x)))
        return self.last(y) if self.last else y


@script("digit-denoiser")
def digit_denoiser(
    draw: Draw,
    *,
    rows: int = 2500,
    sizes: tuple[int, ...] = (96, 32),
    act: type[nn.Module] = nn.ELU,
    std: float | None = None,
    gain: float = 1.0,
    grey: float = 1.0,
    centred: bool = False,
    frozen: str = "",
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Clean digits from noisy ones."""
    x, y = noisy_digits()
    y = (y - y.mean()) / y.std() if centred else y * np.float32(grey)
    (x, y), (u, v) = draw.rows(x, y, rows)
    sizes = tuple(draw.units(size) if size > 8 else size for size in sizes)

    def model() -> nn.Module:
        net: nn.Module = Denoiser(sizes, act, last)
        if std is not None:
            initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)
        elif gain != 1:
            initialized(net, lambda w: w.mul_(gain), last=False)
        if frozen:
            net.get_submodule(frozen).requires_grad_(False)
        return net

    mine = {"optimizer": "adam", "lr": draw.near(3e-3), "batch_size": 64, "epochs": 18, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


digit_denoiser.fault("bottleneck", "narrow-code", "mild", sizes=(96, 2))
digit_denoiser.fault("bottleneck", "narrowest-code", "gross", sizes=(96, 1))
digit_denoiser.fault("bottleneck", "funnel-in-the-middle", "medium", twin={"sizes": (96, 48, 32)}, sizes=(96, 2, 32))
digit_denoiser.fault("vanishing-gradient", "sigmoid-everywhere", "medium", sizes=(96, 64, 48, 32), act=nn.Sigmoid)
digit_denoiser.fault("saturating-activation", "unit-variance-weights", "medium", twin={"act": nn.Tanh}, std=1.5)
digit_denoiser.fault("exploding-gradient", "gain-in-every-layer", "medium", twin={"sizes": (96, 64, 48, 32)}, gain=12.0)
digit_denoiser.fault(
    "saddle-point",
    "around-the-origin",
    "medium",
    twin={"optimizer": "sgd", "lr": 0.3, "momentum": 0.9, "centred": True, "epochs": 36},
    std=1e-4,
)
digit_denoiser.fault("frozen-parameters", "encoder", "medium", frozen="encoder")
digit_denoiser.fault("unnormalized-target", "bytes", "medium", grey=2550.0)
digit_denoiser.fault("wrong-output-activation", "tanh-for-standardised-pixels", "medium", twin={"centred": True}, last=nn.Tanh)
digit_denoiser.fault("optimizer-unsuited", "plain-gradient-descent", "medium", optimizer="sgd", lr=0.05)
digit_denoiser.fault("learning-rate-too-low", "one-zero-too-many", "medium", lr=2e-5)
digit_denoiser.fault("learning-rate-decays-too-fast", "halved-every-epoch", "mild", schedule="exponential:0.3")
digit_denoiser.fault("missing-decay", "schedule-forgotten", "mild", twin={"lr": 0.01, "batch_size": 16, "epochs": 6}, schedule="constant")
digit_denoiser.fault("over-regularized", "decay-copied", "medium", weight_decay=0.05)
digit_denoiser.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
digit_denoiser.fault("labels-unrelated-to-inputs", "one-picture-late", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
digit_denoiser.fault("batch-too-large", "all-rows", "medium", batch_size=2000)
digit_denoiser.fault("model-too-simple", "four-units", "medium", sizes=(4,))

# -- which of two digits is greater ------------------------------------------------------------------------------------------------------


@cache
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """(8000, 2, 64) pixels of pairs of digits in 0..16, and whether the first is the greater; no two are equal."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(83).integers(0, len(x), (12_000, 2))
    chosen = chosen[y[chosen[:, 0]] != y[chosen[:, 1]]][:8000]
    return x[chosen].astype(np.float32), (y[chosen[:, 0]] > y[chosen[:, 1]]).astype(np.float32)


class Comparer(nn.Module):
    """The same network looks at both; the difference decides."""

    def __init__(self, width: int, act: type[nn.Module], last: type[nn.Module] | None) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(64, width), act(), nn.Linear(width, width), act())
        self.out = nn.Linear(width, 1)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 64) -> (N, 1)."""
        y = self.out(self.tower(x[:, 0]) - self.tower(x[:, 1]))
        return self.last(y) if self.last else y


@script("digit-pairs")
def digit_pairs(
    draw: Draw,
    *,
    rows: int = 2500,
    width: int = 48,
    act: type[nn.Module] = nn.Tanh,
    std: float | None = None,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether the first of two handwritten digits is the greater."""
    x, y = pairs()
    (x, y), (u, v) = draw.rows(x / 16, y, rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = Comparer(width, act, last)
        return net if std is None else initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)

    mine = {"optimizer": "rmsprop", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 25, "schedule": "cosine"}
    return Training(model, loss or nn.BCEWithLogitsLoss(), (x, y[:, None]), (u, v[:, None]), settings(mine, recipe), classes=2)


digit_pairs.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
digit_pairs.fault("single-unit-softmax", "softmax-of-one-and-squares", "gross", last=Softmax, loss=nn.MSELoss())
digit_pairs.fault("missing-nonlinearity", "activations-left-out", "mild", act=nn.Identity)
digit_pairs.fault("saturating-activation", "forgotten-fan-in", "medium", std=2.0)
digit_pairs.fault("saddle-point", "around-the-origin", "gross", twin={"optimizer": "sgd", "lr": 0.2, "momentum": 0.9}, std=1e-3)
digit_pairs.fault("label-noise", "hasty-judges", "gross", edit=relabelled(wrong_share(0.38, 2)))
digit_pairs.fault("too-little-data", "sixty-pairs", "medium", edit=few(60))
digit_pairs.fault("learning-rate-too-high", "rate-of-sgd-for-rmsprop", "medium", lr=0.3)
