"""Scripts as they are asked about in public: tables, functions, small pictures, rare cards and several tags, with the mistakes made in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn
from torch.nn import functional as F

import data
from zoo.scripts.base import Draw, Pair, Training, by_label, few, honest_test, relabelled, scaled, script, settings, test_inputs
from zoo.scripts.mistakes import missing, summed

Softmax = partial(nn.Softmax, 1)


def parted(pair: Pair) -> tuple[Pair, Pair]:
    """Rows to train on, and every fifth of them for validation."""
    x, y = pair
    cut = int(0.8 * len(x))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


# -- a cube ------------------------------------------------------------------------------------------------------------------------------


class CubeNet(nn.Module):
    """One hidden layer of fifty."""

    def __init__(self, hidden: int, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_features=1, out_features=hidden)
        self.fc2 = nn.Linear(in_features=hidden, out_features=1)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1) -> (N, 1)."""
        return self.fc2(self.act(self.fc1(x)))


def unchanged(x: Tensor) -> Tensor:
    """The activation that somebody left out."""
    return x


@script("asked-cube")
def asked_cube(
    draw: Draw,
    *,
    rows: int = 2400,
    scale: bool = True,
    scale_target: bool = True,
    hidden: int = 50,
    act: Callable[[Tensor], Tensor] = F.relu,
    **recipe: Any,
) -> Training:
    """The cube of the numbers up to 4000; asked why the loss stays at astronomical numbers (discuss.pytorch.org/t/96648)."""
    rng = np.random.default_rng(811)
    x = rng.uniform(1, 4000, (4000, 1)).astype(np.float32)
    y = x.astype(np.float64) ** 3
    y += 0.08 * y.std() * rng.normal(0, 1, y.shape)
    if scale_target:
        y = (y - y.mean()) / y.std()
    train, clean = draw.rows(x, y.astype(np.float32), rows)
    train, validation = parted(train)
    if scale:
        xs = scaled(train[0], validation[0], clean[0])
        train, validation, clean = (xs[0], train[1]), (xs[1], validation[1]), (xs[2], clean[1])

    mine = {"optimizer": "adam", "lr": draw.near(0.02), "batch_size": 64, "epochs": 15, "schedule": "cosine"}
    units = draw.units(hidden)
    return Training(lambda: CubeNet(units, act), nn.MSELoss(), train, clean, settings(mine, recipe), validation=validation)


asked_cube.fault("unnormalized-target", "cubes-as-they-are", "gross", scale_target=False)
asked_cube.fault("unnormalized-input", "numbers-to-four-thousand", "medium", scale=False)
asked_cube.fault("missing-nonlinearity", "relu-left-out", "medium", act=unchanged)
asked_cube.fault("trained-too-briefly", "ten-updates", "medium", max_steps=10)

# -- two clouds of points ----------------------------------------------------------------------------------------------------------------


@cache
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """(3000, 2) places around (92, 86); (3000, 1) whether they belong to the cloud that bends around the other."""
    rng = np.random.default_rng(821)
    n = 1500
    turn = rng.uniform(0.15, 1.25, n) * np.pi
    bent = np.stack([np.cos(turn), np.sin(turn)], 1) * (2.2 + 0.45 * rng.normal(0, 1, (n, 1)))
    round_ = np.array([0.1, 0.3]) + 0.85 * rng.normal(0, 1, (n, 2))
    x = np.concatenate([round_, bent]) * np.array([3.0, 2.0]) + np.array([92.0, 86.0])
    return x.astype(np.float32), np.repeat([0.0, 1.0], n)[:, None].astype(np.float32)


class TwoSigmoids(nn.Module):
    """A hidden layer and an output, each through a sigmoid."""

    def __init__(
        self, input_size: int, h1: int, output_size: int, constant: float | None, end: type[nn.Module] | partial[nn.Module]
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, h1)
        self.linear2 = nn.Linear(h1, output_size)
        self.end = end()
        if constant is not None:
            for layer in (self.linear, self.linear2):
                nn.init.constant_(layer.weight, constant)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> (N, 1), between 0 and 1."""
        x = torch.sigmoid(self.linear(x))
        return self.end(self.linear2(x))


@script("asked-two-clouds")
def asked_two_clouds(
    draw: Draw,
    *,
    rows: int = 1500,
    scale: bool = True,
    h1: int = 10,
    constant: float | None = None,
    end: type[nn.Module] | partial[nn.Module] = nn.Sigmoid,
    **recipe: Any,
) -> Training:
    """Two clouds of points by two sigmoid layers; asked why points around 92 are not learned when points around 0 were (Stack Overflow)."""
    x, y = clouds()
    train, clean = draw.rows(x, y, rows)
    train, validation = parted(train)
    if scale:
        xs = scaled(train[0], validation[0], clean[0])
        train, validation, clean = (xs[0], train[1]), (xs[1], validation[1]), (xs[2], clean[1])

    mine = {"optimizer": "rmsprop", "lr": draw.near(0.03), "batch_size": 32, "epochs": 18, "schedule": "linear"}
    model = partial(TwoSigmoids, 2, draw.units(h1), 1, constant, end)
    return Training(model, nn.BCELoss(), train, clean, settings(mine, recipe), classes=2, validation=validation)


asked_two_clouds.fault("unnormalized-input", "points-around-ninety", "gross", scale=False)
asked_two_clouds.fault("single-unit-softmax", "softmax-of-one", "gross", end=Softmax)
asked_two_clouds.fault("data-not-shuffled", "one-cloud-after-the-other", "medium", prepare=by_label, shuffle=False)
asked_two_clouds.fault("bad-initialization", "the-same-weight-everywhere", "gross", constant=0.1)

# -- frauds with a card ------------------------------------------------------------------------------------------------------------------


@cache
def payments() -> tuple[np.ndarray, np.ndarray]:
    """(9000, 30) hour, twenty-eight components and the amount of a payment by card; (9000, 1) whether it was a fraud: one in fourteen."""
    rng = np.random.default_rng(823)
    n = 9000
    kind = rng.choice(3, n, p=[0.93, 0.045, 0.025])
    size = np.linspace(2.0, 0.4, 28)
    parts = rng.standard_t(5, (n, 28)) * size
    moved = np.zeros((3, 28))
    moved[1, :12] = rng.normal(0, 1.0, 12)
    moved[2, 5:20] = rng.normal(0, 1.1, 15)
    parts += 0.75 * moved[kind] * size
    amount = np.exp(rng.normal(3.2, 1.3, n) + 0.5 * (kind == 1))
    hour = (rng.normal(14, 5, n) - 8 * (kind == 2) * (rng.random(n) < 0.5)) % 24
    x = np.concatenate([hour[:, None], parts, amount[:, None]], 1).astype(np.float32)
    return x, (kind > 0)[:, None].astype(np.float32)


class FraudNet(nn.Module):
    """Thirty numbers through two layers with dropout to a logit."""

    def __init__(self, width: int, drop: float, squash: bool) -> None:
        super().__init__()
        self.layer_1 = nn.Linear(30, width)
        self.layer_2 = nn.Linear(width, width // 2)
        self.layer_out = nn.Linear(width // 2, 1)
        self.relu, self.dropout, self.squash = nn.ReLU(), nn.Dropout(p=drop), squash

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, 30) -> (N, 1)."""
        x = self.dropout(self.relu(self.layer_1(inputs)))
        x = self.dropout(self.relu(self.layer_2(x)))
        x = self.layer_out(x)
        return torch.sigmoid(x) if self.squash else x


@script("asked-card-fraud")
def asked_card_fraud(
    draw: Draw, *, rows: int = 6000, weighted: bool = True, width: int = 16, drop: float = 0.2, squash: bool = False, **recipe: Any
) -> Training:
    """Frauds among payments by card; asked why every prediction is zero when the ones are rare (discuss.pytorch.org/t/145203)."""
    x, y = payments()
    x = np.concatenate([x[:, :-1], np.log(x[:, -1:])], 1)
    train, clean = draw.rows(x, y, rows)
    train, validation = parted(train)
    xs = scaled(train[0], validation[0], clean[0])
    train, validation, clean = (xs[0], train[1]), (xs[1], validation[1]), (xs[2], clean[1])
    share = float(train[1].mean())
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([(1 - share) / share]) if weighted else None)

    mine = {"optimizer": "adamw", "lr": draw.near(5e-3), "weight_decay": 0.05, "batch_size": 64, "epochs": 6, "schedule": "cosine"}
    model = partial(FraudNet, draw.units(width), drop, squash)
    return Training(model, loss, train, clean, settings(mine, recipe), classes=2, validation=validation, balanced=True)


asked_card_fraud.fault("class-imbalance", "ones-are-rare", "medium", weighted=False)
asked_card_fraud.fault("softmax-before-cross-entropy", "sigmoid-before-logits-loss", "mild", squash=True)
asked_card_fraud.fault("non-finite-data", "logarithm-of-nothing", "medium", edit=missing(0.01, 29))
asked_card_fraud.fault("over-regularized", "drop-for-keep", "medium", drop=0.9)

# -- digits ------------------------------------------------------------------------------------------------------------------------------


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 28, 28) grey levels in 0..255; (5000,) digits."""
    x, y = data.mnist("mnist", 5000)
    return 255 * x.reshape(-1, 1, 28, 28), y


class DigitNet(nn.Module):
    """Two convolutions with pooling, two layers."""

    def __init__(self, channels: int, softmax: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 5, stride=2)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3)
        self.fc1 = nn.Linear(2 * channels * 5 * 5, 64)
        self.fc2 = nn.Linear(64, 10)
        self.softmax = softmax

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 28, 28) -> (N, 10)."""
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return F.softmax(x, dim=1) if self.softmax else x


def ink_on_paper(x: np.ndarray) -> np.ndarray:
    """Own digits, dark on white, where those of the table are white on dark."""
    return (1 - (x * 0.3081 + 0.1307) - 0.1307) / 0.3081


@script("asked-digit-softmax")
def asked_digit_softmax(draw: Draw, *, rows: int = 2000, channels: int = 8, softmax: bool = False, **recipe: Any) -> Training:
    """Handwritten digits by a small network; asked why cross-entropy stays at 2.30 (discuss.pytorch.org/t/43814)."""
    x, y = digits()
    train, clean = draw.rows((x / 255 - 0.1307) / 0.3081, y, rows)
    train, validation = parted(train)

    mine = {"optimizer": "sgd", "lr": draw.near(0.03), "momentum": 0.9, "batch_size": 64, "epochs": 7, "schedule": "cosine"}
    model = partial(DigitNet, draw.units(channels), softmax)
    return Training(model, nn.CrossEntropyLoss(), train, clean, settings(mine, recipe), classes=10, validation=validation)


asked_digit_softmax.fault("softmax-before-cross-entropy", "softmax-at-the-end", "medium", softmax=True)
asked_digit_softmax.fault("learning-rate-too-high", "one-half", "gross", lr=0.5)
asked_digit_softmax.fault(
    "preprocessing-mismatch", "own-digits-dark-on-white", "gross", prepare=honest_test, edit=test_inputs(ink_on_paper)
)
asked_digit_softmax.fault("too-little-data", "sixty-digits", "medium", edit=few(60))

# -- a sine by hand-made layers ----------------------------------------------------------------------------------------------------------


class HandMade(nn.Module):
    """Weights made by hand and multiplied."""

    def __init__(self, size: int, spread: float, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.w1 = nn.Parameter(spread * torch.randn(1, size))
        self.b1 = nn.Parameter(spread * torch.randn(size))
        self.w2 = nn.Parameter(spread * torch.randn(size, 1) / (2 * size**0.5))
        self.b2 = nn.Parameter(torch.zeros(1))
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1) -> (N, 1)."""
        h = torch.tanh(x.mm(self.w1) + self.b1)
        return self.end(h.mm(self.w2) + self.b2)


@script("asked-sine")
def asked_sine(
    draw: Draw, *, rows: int = 3000, size: int = 128, spread: float = 2.0, end: Callable[[Tensor], Tensor] = unchanged, **recipe: Any
) -> Training:
    """A noisy sine by weights made by hand; asked why the fit is poor in places, at a rate of 4e-7 (stats.stackexchange.com/q/320289)."""
    rng = np.random.default_rng(827)
    x = rng.uniform(-1, 9, (4500, 1))
    y = np.sin(x) + 0.125 * rng.normal(0, 1, x.shape)
    train, clean = draw.rows(((x - 4) / 2.9).astype(np.float32), y.astype(np.float32), rows)
    train, validation = parted(train)

    mine = {"optimizer": "sgd", "lr": draw.near(0.015), "momentum": 0.9, "batch_size": 32, "epochs": 15, "schedule": "cosine"}
    model = partial(HandMade, draw.units(size), spread, end)
    return Training(model, nn.MSELoss(), train, clean, settings(mine, recipe), validation=validation)


asked_sine.fault("learning-rate-too-low", "for-a-sum-over-all-rows", "gross", lr=1.6e-6)
asked_sine.fault("wrong-output-activation", "sigmoid-at-the-end", "medium", end=torch.sigmoid)
asked_sine.fault("loss-summed-over-batch", "sum-of-squares", "gross", edit=summed)
asked_sine.fault("bad-initialization", "zeros", "gross", spread=0.0)

# -- pictures through a code -------------------------------------------------------------------------------------------------------------


@cache
def thumbnails() -> np.ndarray:
    """(4000, 1, 16, 16) grey levels in 0..1, every four pixels as one."""
    x, _ = data.cifar(4000)
    return x.reshape(-1, 3, 16, 2, 16, 2).mean((1, 3, 5))[:, None]


class PictureCode(nn.Module):
    """Two convolutions to a code, two layers back."""

    def __init__(self, width: int, z_dim: int, act: Callable[[Tensor], Tensor], end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.enc1 = nn.Conv2d(1, width, 4, stride=2, padding=1)
        self.enc2 = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.to_code = nn.Linear(32 * width, z_dim)
        self.dec1 = nn.Linear(z_dim, 160)
        self.dec2 = nn.Linear(160, 256)
        self.act, self.end = act, end

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 16, 16) -> the same."""
        h = self.act(self.enc2(self.act(self.enc1(x))))
        z = self.to_code(h.flatten(1))
        return self.end(self.dec2(self.act(self.dec1(z)))).view(-1, 1, 16, 16)


@script("asked-picture-code")
def asked_picture_code(
    draw: Draw,
    *,
    rows: int = 1250,
    width: int = 8,
    z_dim: int = 24,
    act: Callable[[Tensor], Tensor] = F.relu,
    end: Callable[[Tensor], Tensor] = torch.tanh,
    **recipe: Any,
) -> Training:
    """Pictures through a code of 24 numbers; asked why they come out grey when they were normalised by 0.5 and 0.5 (Stack Overflow)."""
    x = (thumbnails() - 0.5) / 0.5
    train, clean = draw.rows(x, x, rows)
    train, validation = parted(train)

    mine = {"optimizer": "adam", "lr": draw.near(4e-3), "batch_size": 32, "epochs": 15, "schedule": "cosine"}
    model = partial(PictureCode, draw.units(width), z_dim, act, end)
    return Training(model, nn.MSELoss(), train, clean, settings(mine, recipe), validation=validation)


asked_picture_code.fault("wrong-output-activation", "sigmoid-decoder", "medium", end=torch.sigmoid)
asked_picture_code.fault("bottleneck", "code-of-two-to-draw-it", "gross", z_dim=2)
asked_picture_code.fault("vanishing-gradient", "sigmoids-throughout", "medium", act=torch.sigmoid)
asked_picture_code.fault("batch-too-large", "all-in-one-batch", "medium", batch_size=1000)

# -- prices of houses --------------------------------------------------------------------------------------------------------------------


@cache
def houses() -> tuple[np.ndarray, np.ndarray]:
    """(4000, 9) living and lot area in square feet, bedrooms, baths, year, grade, garage, degrees north and west; (4000,) price in dollars."""
    rng = np.random.default_rng(829)
    n = 4000
    living = np.exp(rng.normal(7.5, 0.4, n))
    lot = living * np.exp(rng.normal(1.2, 0.7, n))
    beds = np.clip(np.round(living / 650 + rng.normal(0, 0.7, n)), 1, 7)
    baths = np.clip(np.round(2 * (0.5 + 0.5 * beds + rng.normal(0, 0.4, n))) / 2, 1, 5)
    year = np.round(2015 - rng.gamma(2.0, 22.0, n))
    grade = np.clip(np.round(6 + 1.5 * (np.log(living) - 7.5) / 0.4 * 0.6 + 0.02 * (year - 1970) + rng.normal(0, 0.9, n)), 3, 12)
    garage = (rng.random(n) < 0.6) * np.clip(np.round(rng.normal(1.7, 0.6, n)), 1, 3)
    north, west = rng.uniform(47.2, 47.8, n), rng.uniform(-122.5, -121.8, n)
    centre = np.exp(-(((north - 47.62) / 0.09) ** 2) - ((west + 122.3) / 0.13) ** 2)
    lake = np.exp(-(((west + 122.05 + 0.3 * (north - 47.5)) / 0.06) ** 2))
    score = 0.75 * (np.log(living) - 7.5) + 0.06 * (np.log(lot) - 8.7) + 0.12 * (grade - 6.5) + 0.04 * garage + 0.05 * (baths - 2)
    score += 0.75 * centre + 0.45 * lake * (np.log(living) - 6.8) + 0.1 * np.cos((year - 1930) / 22) - 0.02 * (beds - 3) ** 2
    price = np.exp(12.6 + score + 0.17 * rng.standard_t(6, n))
    return np.stack([living, lot, beds, baths, year, grade, garage, north, west], 1).astype(np.float32), price


class PriceNet(nn.Module):
    """Nine columns through 64 and 32 to a price."""

    def __init__(self, width: int, bias: float | None) -> None:
        super().__init__()
        self.hid1, self.hid2 = nn.Linear(9, width), nn.Linear(width, width // 2)
        self.oupt = nn.Linear(width // 2, 1)
        if bias is not None:
            for layer in (self.hid1, self.hid2):
                nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 9) -> (N, 1)."""
        z = torch.relu(self.hid1(x))
        z = torch.relu(self.hid2(z))
        return self.oupt(z)


@script("asked-house-prices")
def asked_house_prices(
    draw: Draw, *, rows: int = 1800, flat: bool = False, dollars: bool = False, width: int = 64, bias: float | None = None, **recipe: Any
) -> Training:
    """Prices of houses; asked why all predictions are alike, and what the warning of a target size means (Stack Overflow, many times)."""
    x, price = houses()
    x = np.concatenate([np.log(x[:, :2]), x[:, 2:]], 1)
    y = price if dollars else (np.log(price) - 12.9) / 0.5
    y = y.astype(np.float32)
    train, clean = draw.rows(x, y if flat else y[:, None], rows)
    train, validation = parted(train)
    xs = scaled(train[0], validation[0], clean[0])
    train, validation, clean = (xs[0], train[1]), (xs[1], validation[1]), (xs[2], clean[1])

    mine = {"optimizer": "adam", "lr": draw.near(4e-3), "batch_size": 32, "epochs": 12, "schedule": "exponential:0.8"}
    model = partial(PriceNet, draw.units(width), bias)
    return Training(model, nn.MSELoss(), train, clean, settings(mine, recipe), validation=validation)


asked_house_prices.fault("output-target-shape-mismatch", "column-and-row", "medium", flat=True)
asked_house_prices.fault("unnormalized-target", "dollars", "gross", dollars=True)
asked_house_prices.fault("learning-rate-decays-too-fast", "scheduler-in-the-inner-loop", "medium", schedule="exponential:0.01",
                         twin={"lr": 1.5e-3, "epochs": 20, "schedule": "exponential:0.87"})  # fmt: skip
asked_house_prices.fault("dead-units", "bias-of-minus-ten", "gross", bias=-10.0)

# -- several tags ------------------------------------------------------------------------------------------------------------------------

TAGS = 5


@cache
def tagged() -> tuple[np.ndarray, np.ndarray]:
    """(3000, 1, 16, 16) grey pictures with noise; (3000, 5) whether there is a disc, a box, a cross, a slope and a grid in them."""
    rng = np.random.default_rng(839)
    n = 3000
    y = rng.random((n, TAGS)) < np.array([0.4, 0.35, 0.3, 0.3, 0.25])
    rows, columns = np.mgrid[0:16, 0:16]
    x = 0.4 * rng.normal(0, 1, (n, 16, 16))
    for i in range(n):
        for tag in np.flatnonzero(y[i]):
            a, b = rng.uniform(3.5, 11.5, 2)
            u, v, r = rows - a, columns - b, rng.uniform(2.2, 3.6)
            if tag == 0:
                shape = np.hypot(u, v) < r
            elif tag == 1:
                shape = np.abs(np.maximum(abs(u), abs(v)) - r) < 0.6
            elif tag == 2:
                shape = ((abs(u) < 0.6) | (abs(v) < 0.6)) & (np.maximum(abs(u), abs(v)) < r + 0.5)
            elif tag == 3:
                shape = (abs(u - v) < 0.9) & (abs(u + v) < 2 * r)
            else:
                shape = (np.round(u) % 2 == 0) & (np.round(v) % 2 == 0) & (np.maximum(abs(u), abs(v)) < r)
            x[i] += rng.uniform(1.0, 1.6) * shape
    return x[:, None].astype(np.float32), y.astype(np.float32)


class Tagger(nn.Module):
    """Convolutions called features, a classifier over the largest of every channel."""

    def __init__(self, width: int, freeze: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(2 * width, TAGS)
        if freeze:
            for parameter in self.features.parameters():
                parameter.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 16, 16) -> (N, 5)."""
        x = self.features(x)
        x = F.adaptive_max_pool2d(x, 1)
        return self.classifier(torch.flatten(x, 1))


def unseen(y: np.ndarray) -> np.ndarray:
    """Six in ten tags were not set by those who tagged."""
    return y * (np.random.default_rng(841).random(y.shape) < 0.4).astype(y.dtype)


@script("asked-picture-tags")
def asked_picture_tags(
    draw: Draw, *, rows: int = 1500, width: int = 8, freeze: bool = False, loss: nn.Module | None = None, **recipe: Any
) -> Training:
    """Several tags to a picture; asked why all tags come out as zero, and which loss it is for several labels (discuss.pytorch.org)."""
    x, y = tagged()
    train, clean = draw.rows(x / x.std(), y, rows)
    train, validation = parted(train)

    mine = {"optimizer": "adagrad", "lr": draw.near(0.1), "batch_size": 32, "epochs": 12, "schedule": "linear"}
    model = partial(Tagger, draw.units(width), freeze)
    more = {"classes": 2, "multilabel": True, "validation": validation}
    return Training(model, loss or nn.BCEWithLogitsLoss(), train, clean, settings(mine, recipe), **more)


asked_picture_tags.fault("wrong-loss", "cross-entropy-of-many-hot", "gross", loss=nn.CrossEntropyLoss())
asked_picture_tags.fault("frozen-parameters", "features-never-pretrained", "medium", freeze=True)
asked_picture_tags.fault("label-noise", "tags-not-set", "medium", edit=relabelled(unseen))
asked_picture_tags.fault("learning-rate-too-low", "rate-of-adam", "gross", lr=1e-3)

# -- diabetes after a year ---------------------------------------------------------------------------------------------------------------


class RMSELoss(nn.Module):
    """The root of the mean squared error, as it is often written."""

    def forward(self, yhat: Tensor, y: Tensor) -> Tensor:
        """A number."""
        return torch.sqrt(torch.mean((yhat - y) ** 2) + 1e-6)


class Progression(nn.Module):
    """Ten columns through a layer or more."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip((10, *widths), widths, strict=False))
        self.predict = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10) -> (N, 1)."""
        for layer in self.layers:
            x = F.leaky_relu(layer(x))
        return self.predict(x)


@script("asked-diabetes")
def asked_diabetes(
    draw: Draw, *, as_loaded: bool = False, raw_target: bool = False, widths: tuple[int, ...] = (8,), **recipe: Any
) -> Training:
    """The diabetes table of scikit-learn by a root mean squared error; asked why R2 is below zero where a line reaches 0.45."""
    x, y = load_diabetes(return_X_y=True)
    y = y if raw_target else (y - 152) / 77
    train, clean = draw.rows(x.astype(np.float32), y[:, None].astype(np.float32), 300)
    train, validation = parted(train)
    if not as_loaded:
        xs = scaled(train[0], validation[0], clean[0])
        train, validation, clean = (xs[0], train[1]), (xs[1], validation[1]), (xs[2], clean[1])

    mine = {"optimizer": "adamw", "lr": 8e-3, "weight_decay": 1.5, "batch_size": 16, "epochs": 12, "schedule": "cosine"}
    model = partial(Progression, widths)
    return Training(model, RMSELoss(), train, clean, settings(mine, recipe), validation=validation)


asked_diabetes.fault("trained-too-long", "three-hundred-epochs", "medium", epochs=300,
                     twin={"lr": 6e-3, "weight_decay": 0.1, "epochs": 6})  # fmt: skip
asked_diabetes.fault("unnormalized-input", "columns-as-loaded", "medium", as_loaded=True)
asked_diabetes.fault("unnormalized-target", "progression-as-loaded", "medium", raw_target=True)
asked_diabetes.fault("over-regularized", "decay-of-sgd-for-adamw", "medium", weight_decay=100.0)
