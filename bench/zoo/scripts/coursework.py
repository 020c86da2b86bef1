"""Scripts of a course: homeworks with letters, digits, spots, demand, ratings, districts and pairs, with the mistakes made in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

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
    redraw,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    wrong_share,
)
from zoo.scripts.mistakes import flattered_validation, missing, noisy, other_shares, summed, validation_among_training

Function = Callable[[Tensor], Tensor]

# -- the next letter ---------------------------------------------------------------------------------------------------------------------

LETTERS, CONTEXT = 18, 5


@cache
def babble() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 5) letters of a made-up tongue, a blank being 0, and (7000,) the letter that follows."""
    rng = np.random.default_rng(1103)
    lexicon = [rng.integers(1, LETTERS, rng.integers(2, 7)) for _ in range(45)]
    share = 1 / np.arange(1, 46) ** 0.8
    follows = rng.dirichlet(4 * share, 45)
    text, word = [], 0
    while len(text) < 7000 + CONTEXT:
        word = int(rng.choice(45, p=follows[word]))
        text += [*lexicon[word], 0]
    letters = np.array(text[: 7000 + CONTEXT])
    slips = rng.random(len(letters)) < 0.03
    letters[slips] = rng.integers(0, LETTERS, slips.sum())
    return np.lib.stride_tricks.sliding_window_view(letters, CONTEXT)[:7000].copy(), letters[CONTEXT:]


class NextLetter(nn.Module):
    """A table of vectors for letters, side by side through one hidden layer."""

    def __init__(self, size: int, hidden: int, last: bool) -> None:
        super().__init__()
        self.lookup = nn.Embedding(LETTERS, size)
        self.hidden, self.logits = nn.Linear(CONTEXT * size, hidden), nn.Linear(hidden, LETTERS)
        self.last = last

    def forward(self, idx: Tensor) -> Tensor:
        """(N, 5) -> (N, 18)."""
        emb = self.lookup(idx).view(idx.shape[0], -1)
        scores = self.logits(torch.relu(self.hidden(emb)))
        return F.softmax(scores, dim=1) if self.last else scores


@script("hw-next-letter", held_out=True)
def next_letter(
    draw: Draw, *, rows: int = 4000, size: int = 8, hidden: int = 64, seen: int = CONTEXT, last: bool = False, **recipe: Any
) -> Training:
    """A neural language model of letters, by the five before."""
    x, y = babble()
    x = np.where(np.arange(CONTEXT) >= CONTEXT - seen, x, 0)
    (x, y), (u, v) = draw.rows(x, y, rows)
    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 8, "schedule": "cosine"}
    model = partial(NextLetter, size, draw.units(hidden), last)
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=LETTERS)


next_letter.fault("learning-rate-too-high", "rate-of-the-lecture-on-sgd", "gross", lr=0.5)
next_letter.fault("optimizer-unsuited", "plain-sgd", "medium", optimizer="sgd", lr=0.02)
next_letter.fault("bottleneck", "letters-as-one-number", "medium", size=1)
next_letter.fault("features-insufficient", "bigram", "medium", seen=1)
next_letter.fault("softmax-before-cross-entropy", "softmax-in-forward", "medium", last=True)

# -- small digits ------------------------------------------------------------------------------------------------------------------------


@cache
def scans() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 8, 8) grey levels 0..16 of digits with the noise of a scanner, and which they are."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8) + np.random.default_rng(1109).normal(0, 3.5, (len(x), 8, 8))
    return x.clip(0, 16).astype(np.float32), y.astype(np.int64)


class LeNetty(nn.Module):
    """Two convolutions, pooled once, and two layers on top."""

    def __init__(self, act: Function, bias: float | None, stuck: bool) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 24, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(24 * 16, 48), nn.Linear(48, 10)
        self.act = act
        if bias is not None:
            redraw(self, None, 1.0, bias)
        if stuck:
            for layer in (self.c1, self.c2, self.fc1):
                layer.requires_grad_(False)

    def forward(self, img: Tensor) -> Tensor:
        """(N, 8, 8) -> (N, 10)."""
        h = self.act(self.c1(img.unsqueeze(1)))
        h = F.max_pool2d(self.act(self.c2(h)), 2)
        return self.fc2(self.act(self.fc1(h.reshape(len(h), -1))))


@script("hw-scanned-digits", held_out=True)
def scanned_digits(draw: Draw, *, act: Function = F.relu, bias: float | None = None, stuck: bool = False, **recipe: Any) -> Training:
    """Small noisy digits by a convolutional network after LeNet."""
    x, y = scans()
    (x, y), (u, v) = draw.rows((x - 5.5) / 5.5, y, 1200)
    mine = {"optimizer": "sgd", "lr": draw.near(0.04), "momentum": 0.9, "weight_decay": 1e-3, "batch_size": 32, "epochs": 8}
    more = {"schedule": "cosine"}
    return Training(
        lambda: LeNetty(act, bias, stuck), nn.CrossEntropyLoss(), (x, y), (u, v), settings({**mine, **more}, recipe), classes=10
    )


scanned_digits.fault("dead-units", "threshold-in-every-bias", "medium", bias=-3.0)
scanned_digits.fault("frozen-parameters", "backbone-never-trained", "medium", stuck=True)
scanned_digits.fault("momentum-too-high", "three-nines", "medium", momentum=0.999)
scanned_digits.fault("gradient-clipping-too-tight", "a-thousandth", "medium", clip_norm=1e-3)
scanned_digits.fault("preprocessing-mismatch", "test-scans-left-in-grey-levels", "gross", prepare=honest_test,
                     edit=test_inputs(lambda x: x * 5.5 + 5.5))  # fmt: skip
scanned_digits.fault("batch-too-small", "one-scan-at-a-time", "gross", batch_size=1, epochs=2)

# -- spots under a microscope ------------------------------------------------------------------------------------------------------------


@cache
def spots() -> tuple[np.ndarray, np.ndarray]:
    """(2400, 1, 12, 12) noisy pictures of round cells and of rings, and (2400, 1, 12, 12) where the cells are; rings are none."""
    rng = np.random.default_rng(1117)
    n, grid = 2400, np.arange(12.0)
    picture, mask = np.zeros((n, 12, 12)), np.zeros((n, 12, 12), bool)
    for kind in ("cell", "ring", "cell"):
        place, radius = rng.uniform(1, 11, (n, 2)), rng.uniform(1.4, 2.8, n)
        there = rng.random(n) < 0.8
        far = np.hypot(grid[None, :, None] - place[:, :1, None], grid[None, None] - place[:, 1:, None]) / radius[:, None, None]
        if kind == "cell":
            disc = (far < 1) & there[:, None, None]
            picture += disc
            mask |= disc
        else:
            picture += (far < 1.1) * (far > 0.6) * there[:, None, None]
    picture = np.minimum(picture, 1) + rng.normal(0, 0.35, picture.shape) + rng.normal(0, 0.1, (n, 1, 1))
    picture = (picture - picture.mean()) / picture.std()
    return picture[:, None].astype(np.float32), mask[:, None].astype(np.float32)


class TinyUNet(nn.Module):
    """One step down, one up, and a shortcut."""

    def __init__(self, c: int, act: Function, squash: bool) -> None:
        super().__init__()
        self.enc, self.mid = nn.Conv2d(1, c, 3, padding=1), nn.Conv2d(c, 2 * c, 3, padding=1)
        self.dec, self.head = nn.Conv2d(3 * c, c, 3, padding=1), nn.Conv2d(c, 1, 1)
        self.act, self.squash = act, squash

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 12, 12) -> (N, 1, 12, 12)."""
        skip = self.act(self.enc(x))
        low = self.act(self.mid(F.avg_pool2d(skip, 2)))
        up = F.interpolate(low, scale_factor=2.0)
        out = self.head(self.act(self.dec(torch.cat([skip, up], dim=1))))
        return torch.sigmoid(out) if self.squash else out


@script("project-cell-masks", held_out=True)
def cell_masks(draw: Draw, *, c: int = 8, act: Function = F.relu, squash: bool = False, **recipe: Any) -> Training:
    """Which pixels belong to a cell: a small U-net."""
    (x, y), (u, v) = draw.rows(*spots(), 900)
    mine = {"optimizer": "adam", "lr": draw.near(0.01), "batch_size": 20, "epochs": 8, "schedule": "cosine"}
    model = partial(TinyUNet, c, act, squash)
    return Training(model, nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=144, multilabel=True)


cell_masks.fault("softmax-before-cross-entropy", "sigmoid-twice", "mild", squash=True)
cell_masks.fault("learning-rate-too-low", "rate-of-a-big-model", "gross", lr=2e-5)
cell_masks.fault("batch-too-large", "all-pictures", "medium", batch_size=720)
cell_masks.fault("missing-nonlinearity", "activations-forgotten", "medium", act=lambda x: x)
cell_masks.fault("trained-too-briefly", "fifteen-steps", "medium", max_steps=15, epochs=1)

# -- demand for bicycles -----------------------------------------------------------------------------------------------------------------


@cache
def demand() -> tuple[np.ndarray, np.ndarray]:
    """(3500, 24, 2) bicycles lent in each of the last 24 hours and whether it rained; (3500, 4) those of the next four hours."""
    rng = np.random.default_rng(1123)
    hours = np.arange(3527)
    rain = np.zeros(len(hours))
    for t in hours[1:]:
        rain[t] = rng.random() < (0.8 if rain[t - 1] else 0.06)
    day = np.exp(1.1 * np.sin(2 * np.pi * (hours - 9) / 24) + 0.5 * np.sin(4 * np.pi * (hours - 5) / 24))
    drift = np.zeros(len(hours))
    for t in hours[1:]:
        drift[t] = 0.96 * drift[t - 1] + 0.09 * rng.normal()
    lent = rng.poisson(45 * day * np.exp(drift) * np.where(rain > 0, 0.55, 1.0))
    both = np.stack([lent, rain], 1)
    x = np.lib.stride_tricks.sliding_window_view(both, 24, 0)[:3500].transpose(0, 2, 1)
    y = np.lib.stride_tricks.sliding_window_view(lent[24:], 4)[:3500]
    return x.astype(np.float32), y.astype(np.float32)


class Forecaster(nn.Module):
    """A recurrent network whose last state foretells four hours."""

    def __init__(self, width: int, stuck: bool, clamp: bool) -> None:
        super().__init__()
        self.rnn, self.readout = nn.GRU(2, width, batch_first=True), nn.Linear(width, 4)
        self.clamp = clamp
        if stuck:
            self.rnn.requires_grad_(False)

    def forward(self, series: Tensor) -> Tensor:
        """(N, 24, 2) -> (N, 4)."""
        _, state = self.rnn(series)
        out = self.readout(state.squeeze(0))
        return out.clamp(min=0.0) if self.clamp else out


@script("project-bicycles", held_out=True)
def bicycles(draw: Draw, *, width: int = 24, stuck: bool = False, clamp: bool = False, counts: bool = False, **recipe: Any) -> Training:
    """How many bicycles are lent in the next four hours: a GRU."""
    x, y = demand()
    mean, std = x[..., 0].mean(), x[..., 0].std()
    if not counts:
        y = (y - mean) / std
    x = (x - np.array([mean, 0.0], np.float32)) / np.array([std, 0.5], np.float32)
    (x, y), (u, v) = draw.rows(x, y, 1200)
    mine = {"optimizer": "adam", "lr": draw.near(0.012), "batch_size": 40, "epochs": 12, "schedule": "cosine", "clip_norm": 1.0}
    return Training(lambda: Forecaster(width, stuck, clamp), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


bicycles.fault("unnormalized-target", "counts-as-they-are", "gross", twin={"clip_norm": None}, counts=True)
bicycles.fault("labels-unrelated-to-inputs", "targets-shuffled-apart", "gross",
               edit=relabelled(lambda y: np.random.default_rng(41).permutation(y)))  # fmt: skip
bicycles.fault("wrong-output-activation", "no-negative-demand", "medium", clamp=True)
bicycles.fault("learning-rate-decays-too-fast", "gamma-of-a-step-scheduler", "medium", schedule="exponential:0.1")
bicycles.fault("frozen-parameters", "recurrence-frozen", "medium", stuck=True)

# -- ratings of films --------------------------------------------------------------------------------------------------------------------

USERS, FILMS = 90, 70


@cache
def ratings() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 2) who rates which film, and (6000,) one to five stars."""
    rng = np.random.default_rng(1129)
    user, film = rng.integers(0, USERS, 6000), rng.integers(0, FILMS, 6000)
    p, q = rng.normal(0, 1, (USERS, 2)), rng.normal(0, 1, (FILMS, 2))
    stars = 3.2 + 0.5 * rng.normal(0, 1, USERS)[user] + 0.7 * rng.normal(0, 1, FILMS)[film] + 0.45 * (p[user] * q[film]).sum(1)
    stars = np.rint(stars + 0.5 * rng.normal(0, 1, 6000)).clip(1, 5)
    return np.stack([user, film], 1), stars.astype(np.float32)


class Recommender(nn.Module):
    """Biases and the product of two short vectors around the mean."""

    def __init__(self, rank: int, squash: bool, column: bool) -> None:
        super().__init__()
        self.P, self.Q = (nn.Parameter(0.1 * torch.randn(n, rank)) for n in (USERS, FILMS))
        self.bu, self.bi = nn.Parameter(torch.zeros(USERS)), nn.Parameter(torch.zeros(FILMS))
        self.mu = nn.Parameter(torch.tensor(3.0))
        self.squash, self.column = squash, column

    def forward(self, pair: Tensor) -> Tensor:
        """(N, 2) -> (N,)."""
        who, what = pair[:, 0].long(), pair[:, 1].long()
        stars = self.mu + self.bu[who] + self.bi[what] + (self.P[who] * self.Q[what]).sum(dim=-1)
        if self.squash:
            stars = torch.sigmoid(stars)
        return stars.unsqueeze(1) if self.column else stars


@script("hw-film-ratings", held_out=True)
def film_ratings(draw: Draw, *, rank: int = 2, squash: bool = False, column: bool = False, **recipe: Any) -> Training:
    """Stars of films by a factorization of the table."""
    (x, y), (u, v) = draw.rows(*ratings(), 4200)
    mine = {"optimizer": "adamw", "lr": draw.near(0.07), "weight_decay": 0.1, "batch_size": 128, "epochs": 12, "schedule": "cosine"}
    return Training(lambda: Recommender(rank, squash, column), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


film_ratings.fault("output-target-shape-mismatch", "a-column-against-a-row", "gross", column=True)
film_ratings.fault("over-regularized", "decay-of-ten", "medium", weight_decay=10.0)
film_ratings.fault("wrong-output-activation", "sigmoid-for-stars", "gross", squash=True)
film_ratings.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=3e-4)
film_ratings.fault("optimizer-unsuited", "sgd-on-tables", "medium", optimizer="sgd", lr=0.05, weight_decay=0.0)

# -- the value of districts --------------------------------------------------------------------------------------------------------------


def log_cosh(output: Tensor, target: Tensor) -> Tensor:
    """Quadratic for small errors, linear for large ones."""
    error = output - target
    return (error + F.softplus(-2 * error) - 0.6931472).mean()


class LogCosh(nn.Module):
    """The loss as a module."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(N, 1), (N, 1) -> ()."""
        return log_cosh(output, target)


class FromScratch(nn.Module):
    """Two hidden layers out of bare parameters."""

    def __init__(self, widths: tuple[int, ...], gain: float, act: Function) -> None:
        super().__init__()
        sizes = (8, *widths, 1)
        self.W = nn.ParameterList(gain * torch.randn(a, b) * (2 / a) ** 0.5 for a, b in pairwise(sizes))
        self.b = nn.ParameterList(torch.zeros(b) for b in sizes[1:])
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8) -> (N, 1)."""
        for W, b in zip(self.W[:-1], self.b[:-1], strict=False):
            x = self.act(x @ W + b)
        return x @ self.W[-1] + self.b[-1]


@script("hw-districts-from-scratch", held_out=True)
def districts(
    draw: Draw,
    *,
    widths: tuple[int, ...] = (32, 16),
    gain: float = 1.0,
    act: Function = torch.relu,
    scale: bool = True,
    **recipe: Any,
) -> Training:
    """What a house is worth, by a network written with matrices and a robust loss."""
    x, y, _ = data.california()
    (x, y), (u, v) = draw.rows(x, (((y - y.mean()) / y.std())[:, None]).astype(np.float32), 1800)
    if scale:
        for table in (x, u):
            table[:, 3:7] = np.log1p(table[:, 3:7])
        x, u = scaled(x, u)
    mine = {"optimizer": "rmsprop", "lr": draw.near(4e-3), "batch_size": 36, "epochs": 14, "schedule": "cosine"}
    return Training(lambda: FromScratch(widths, gain, act), LogCosh(), (x, y), (u, v), settings(mine, recipe))


districts.fault("unnormalized-input", "columns-as-in-the-file", "gross", scale=False)
districts.fault("bad-initialization", "matrices-of-zeros", "gross", gain=0.0)
districts.fault("saturating-activation", "randn-without-its-root", "medium", twin={"act": torch.tanh}, gain=12.0)
districts.fault("missing-decay", "scheduler-never-stepped", "medium", twin={"lr": 0.012}, schedule="constant")
districts.fault("too-little-data", "first-sixty-lines", "medium", edit=few(60))
districts.fault("model-too-simple", "one-unit", "medium", widths=(1,))

# -- pairs of digits ---------------------------------------------------------------------------------------------------------------------


@cache
def small_mnist() -> tuple[np.ndarray, np.ndarray]:
    """(10000, 1, 14, 14) digits of half the size, standardised, and which they are."""
    x, y = data.mnist()
    x = x.reshape(-1, 1, 14, 2, 14, 2).mean((3, 5))
    return ((x - x.mean()) / x.std()).astype(np.float32), y


@cache
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """(4000, 2, 14, 14) two digits of 0..4, and (4000, 1) whether they are the same."""
    rng = np.random.default_rng(1151)
    x, y = small_mnist()
    x, y = x[y < 5], y[y < 5]
    a = rng.integers(0, len(x), 4000)
    like = rng.random(4000) < 0.45
    b = np.array([rng.choice(np.flatnonzero((y == y[i]) == same)) for i, same in zip(a, like, strict=True)])
    return np.stack([x[a, 0], x[b, 0]], 1), like[:, None].astype(np.float32)


class Siamese(nn.Module):
    """One encoder for both digits, and a verdict on how they differ."""

    def __init__(self, last: str) -> None:
        super().__init__()
        self.conv, self.embed = nn.Conv2d(1, 8, 3, stride=2), nn.Linear(8 * 36, 24)
        self.verdict = nn.Linear(48, 24)
        self.final = nn.Linear(24, 1)
        self.last = last

    def encode(self, digit: Tensor) -> Tensor:
        """(N, 14, 14) -> (N, 24)."""
        return self.embed(F.relu(self.conv(digit[:, None])).flatten(1))

    def forward(self, both: Tensor) -> Tensor:
        """(N, 2, 14, 14) -> (N, 1)."""
        left, right = self.encode(both[:, 0]), self.encode(both[:, 1])
        out = self.final(F.relu(self.verdict(torch.cat([(left - right).abs(), left * right], dim=1))))
        if self.last == "softmax":
            return F.softmax(out, dim=1)
        return torch.tanh(out) if self.last == "tanh" else out


@script("project-same-digit", held_out=True)
def same_digit(draw: Draw, *, rows: int = 2400, last: str = "", loss: nn.Module | None = None, **recipe: Any) -> Training:
    """Whether two pictures show the same digit: a siamese network."""
    (x, y), (u, v) = draw.rows(*pairs(), rows)
    mine = {"optimizer": "adamw", "lr": draw.near(4e-3), "weight_decay": 0.05, "batch_size": 40, "epochs": 7, "schedule": "cosine"}
    return Training(lambda: Siamese(last), loss or nn.BCEWithLogitsLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


same_digit.fault("single-unit-softmax", "softmax-of-one", "gross", last="softmax", loss=nn.BCELoss())
same_digit.fault("class-imbalance", "few-alike", "medium", prepare=balanced, edit=kept(first_of(25, 1)))
same_digit.fault("label-noise", "clicked-in-haste", "gross", edit=relabelled(wrong_share(0.35, 2)))
same_digit.fault("train-test-leakage", "validation-not-taken-out", "medium", twin={"rows": 500, "epochs": 8}, prepare=flattered_validation,
                 edit=validation_among_training)  # fmt: skip
same_digit.fault("data-not-shuffled", "alike-after-different", "gross", prepare=by_label, shuffle=False)

# -- digits without the noise ------------------------------------------------------------------------------------------------------------


@cache
def smeared() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 64) digits under noise, and (1797, 64) as they were, by the mean and spread of all pixels."""
    x = load_digits().data.astype(np.float32)
    x = (x - x.mean()) / x.std()
    return (x + np.random.default_rng(1153).normal(0, 0.6, x.shape)).astype(np.float32), x


class Denoiser(nn.Module):
    """Down to a code and back, layer by layer."""

    def __init__(self, widths: tuple[int, ...], act: Function, gain: float) -> None:
        super().__init__()
        sizes = (64, *widths)
        self.steps = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, widths, strict=False))
        self.back = nn.Linear(widths[-1], 64)
        self.act = act
        if gain != 1:
            initialized(self, lambda w: w.mul_(gain), last=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64) -> (N, 64)."""
        for step in self.steps:
            x = self.act(step(x))
        return self.back(x)


@script("hw-denoiser", held_out=True)
def denoiser(
    draw: Draw, *, widths: tuple[int, ...] = (96, 32, 96), act: Function = F.relu, gain: float = 1.0, grey: float = 1.0, **recipe: Any
) -> Training:
    """Digits freed from noise by an autoencoder."""
    x, y = smeared()
    (x, y), (u, v) = draw.rows(x, y * np.float32(grey), 1200)
    mine = {"optimizer": "adam", "lr": draw.near(4e-3), "batch_size": 32, "epochs": 16, "schedule": "cosine"}
    return Training(lambda: Denoiser(widths, act, gain), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


denoiser.fault("bottleneck", "code-of-two", "medium", widths=(96, 2, 96))
denoiser.fault("vanishing-gradient", "sigmoids-all-the-way", "gross", widths=(96, 64, 32, 32, 64, 96), act=torch.sigmoid)
denoiser.fault("exploding-gradient", "gain-of-tanh-squared", "medium", gain=12.0)
denoiser.fault("non-finite-data", "division-by-an-empty-pixel", "gross", edit=missing(0.01))
denoiser.fault("covariate-shift", "a-worse-scanner", "medium", prepare=honest_test, edit=noisy(1.3))
denoiser.fault("loss-summed-over-batch", "sum", "medium", edit=summed, twin={"optimizer": "sgd", "lr": 0.6, "momentum": 0.9, "epochs": 24})

# -- other digits with an encoder that is there already ----------------------------------------------------------------------------------


class Encoder(nn.Module):
    """Digits to 64 features."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 8, 3, stride=2), nn.Conv2d(8, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 14, 14) -> (N, 64)."""
        return F.max_pool2d(F.relu(self.b(F.relu(self.a(x)))), 2).flatten(1)


@cache
def learned() -> dict[str, Tensor]:
    """Weights of an encoder that tells 0..4 apart."""
    x, y = small_mnist()
    inputs, labels = torch.from_numpy(x[y < 5][:3000]), torch.from_numpy(y[y < 5][:3000])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net, head = Encoder(), nn.Linear(64, 5)
        optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], 5e-3)
        for step in range(300):
            rows = torch.arange(64) + 64 * (step % 46)
            loss = F.cross_entropy(head(net(inputs[rows])), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


class FineTuned(nn.Module):
    """A fixed encoder under a new head."""

    def __init__(self, hidden: int, outputs: int, drop: float) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.encoder.load_state_dict(learned())
        for p in self.encoder.parameters():
            p.requires_grad = False
        self.fc, self.classify = nn.Linear(64, hidden), nn.Linear(hidden, outputs)
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 14, 14) -> (N, outputs)."""
        x = F.relu(self.fc(self.encoder(x)))
        return self.classify(F.dropout(x, self.drop, self.training))


@script("project-transfer", held_out=True)
def transfer(draw: Draw, *, rows: int = 1200, hidden: int = 48, outputs: int = 5, drop: float = 0.2, **recipe: Any) -> Training:
    """Digits 5..9 by an encoder that was trained on 0..4 and is fixed."""
    x, y = small_mnist()
    x, y = x[y > 4], y[y > 4] - 5
    (x, y), (u, v) = draw.rows(x, y, rows)
    mine = {"optimizer": "adam", "lr": draw.near(4e-3), "batch_size": 32, "epochs": 10, "schedule": "cosine"}
    return Training(lambda: FineTuned(hidden, outputs, drop), nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=5)


transfer.fault("learning-rate-too-high", "one", "gross", lr=1.0)
transfer.fault("wrong-labels", "counted-from-one", "gross", edit=relabelled(lambda y: y + 1))
transfer.fault("output-width-wrong", "one-digit-forgotten", "medium", outputs=4)
transfer.fault("label-shift", "other-form", "medium", prepare=honest_test, edit=other_shares((1, 4), 12))
transfer.fault("over-regularized", "keep-for-drop", "medium", drop=0.95)
