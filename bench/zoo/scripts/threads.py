"""Scripts after public threads about sequences, signals, tokens, pairs, ratings and surrogates, with the mistakes that were asked about."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import data
from zoo.scripts.base import (
    Draw,
    Pair,
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


def parted(draw: Draw, x: np.ndarray, y: np.ndarray, rows: int, checked: int) -> tuple[Pair, Pair, Pair]:
    """Rows to train on, others to validate on, and those that are kept aside."""
    (x, y), aside = draw.rows(x, y, rows + checked)
    return (x[:-checked], y[:-checked]), (x[-checked:], y[-checked:]), aside


# -- the next hour of a series -----------------------------------------------------------------------------------------------------------

WINDOW = 12


@cache
def hourly_load() -> np.ndarray:
    """(4000,) megawatts hour by hour: a day's course whose size drifts, a week's, and what is carried over from hour to hour."""
    rng = np.random.default_rng(1201)
    hour = np.arange(4000)
    carried, size = np.zeros(4000), np.zeros(4000)
    for i in range(1, 4000):
        carried[i] = 0.8 * carried[i - 1] + rng.normal(0, 10)
        size[i] = 0.99 * size[i - 1] + rng.normal(0, 0.03)
    day = np.sin(2 * np.pi * (hour - 8) / 24) + 0.5 * np.sin(4 * np.pi * (hour - 5) / 24)
    return 420 + 90 * np.exp(size) * day + 25 * np.sin(2 * np.pi * hour / 168) + carried


class StraightLine(nn.Module):
    """A recurrent layer whose last state tells the next value."""

    def __init__(self, hidden: int, flat: bool, positive: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)
        self.flat, self.positive = flat, positive

    def forward(self, x: Tensor) -> Tensor:
        """(N, 12, 1) -> (N, 1)."""
        steps, _ = self.lstm(x)
        out = self.linear(steps[:, -1])
        if self.positive:
            out = torch.relu(out)
        return out.view(-1) if self.flat else out


@script("thread-lstm-straight-line")
def lstm_straight_line(
    draw: Draw,
    *,
    hidden: int = 16,
    scale_target: bool = True,
    flat: bool = False,
    positive: bool = False,
    **recipe: Any,
) -> Training:
    """The next value of an hourly series by an LSTM; asked why the forecast is nearly a straight line (discuss.pytorch.org, thread 98896)."""
    start = int(draw.rng.integers(0, 60))
    series = hourly_load()[start : start + 3900]
    mean, std = series[:1790].mean(), series[:1790].std()
    scaled = (series - mean) / std
    windows = np.lib.stride_tricks.sliding_window_view(scaled, WINDOW)[:-1, :, None].astype(np.float32)
    following = (scaled if scale_target else series)[WINDOW:, None].astype(np.float32)
    parts = [(windows[a:b], following[a:b]) for a, b in ((0, 1790), (1810, 2400), (2420, 3600))]
    units = draw.units(hidden) if hidden > 2 else hidden

    mine = {"optimizer": "adam", "lr": draw.near(0.012), "batch_size": 32, "epochs": 10, "schedule": "cosine"}
    return Training(
        lambda: StraightLine(units, flat, positive), nn.MSELoss(), parts[0], parts[2], settings(mine, recipe), validation=parts[1]
    )


lstm_straight_line.fault("learning-rate-too-low", "rate-as-asked", "medium", lr=1e-4)
lstm_straight_line.fault("unnormalized-target", "megawatts", "gross", scale_target=False)
lstm_straight_line.fault("output-target-shape-mismatch", "view-minus-one", "medium", flat=True)
lstm_straight_line.fault("wrong-output-activation", "load-is-positive", "medium", positive=True)

# -- two pictures, the same digit? -------------------------------------------------------------------------------------------------------


@cache
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """(N, 2, 14, 14) pairs of digits up to five in 0..1, every picture in one pair only; (N, 1) whether both show the same."""
    rng = np.random.default_rng(1213)
    x, y = data.mnist(rows=20_000)
    x = x.reshape(-1, 14, 2, 14, 2).mean((2, 4))
    left = [list(rng.permutation(np.flatnonzero(y == digit))) for digit in range(6)]
    chosen = []
    while sum(map(len, left)) > 600:
        sizes = np.array([len(rows) for rows in left])
        one = int(rng.choice(6, p=sizes / sizes.sum()))
        if len(left[one]) < 2:
            continue
        same = len(chosen) % 2 == 0
        others = [digit for digit in range(6) if digit != one and left[digit]]
        other = one if same else int(rng.choice(others))
        chosen.append((left[one].pop(), left[other].pop(), float(same)))
    a, b, same_digit = zip(*chosen, strict=True)
    return np.stack([x[list(a)], x[list(b)]], 1).astype(np.float32), np.array(same_digit, dtype=np.float32)[:, None]


class SiameseCNN(nn.Module):
    """One convolutional network for both pictures, and a layer over the absolute difference."""

    def __init__(self, channels: int, last: str | None) -> None:
        super().__init__()
        self.convnet = nn.Sequential(nn.Conv2d(1, channels, 4, 2), nn.ReLU(), nn.Conv2d(channels, 2 * channels, 3), nn.ReLU())
        self.linear1 = nn.Sequential(nn.Linear(2 * channels * 16, 32), nn.ReLU(), nn.Dropout(0.1))
        self.linear2 = nn.Linear(32, 1)
        self.last = last

    def forward(self, images: Tensor) -> Tensor:
        """(N, 2, 14, 14) -> (N, 1)."""
        res = []
        for j in range(2):
            x = self.convnet(images[:, j : j + 1])
            res.append(self.linear1(x.flatten(1)))
        out = self.linear2((res[1] - res[0]).abs())
        if self.last is not None:
            out = getattr(torch, self.last)(out)
        return out


@script("thread-siamese-difference")
def siamese_difference(
    draw: Draw, *, rows: int = 2600, channels: int = 6, last: str | None = None, bytes_: bool = False, **recipe: Any
) -> Training:
    """Whether two pictures show the same digit; asked why the difference comes out the same for every pair (Stack Overflow, 61793268)."""
    x, y = pairs()
    x = x * 255 if bytes_ else (x - 0.13) / 0.28
    train, validation, aside = parted(draw, x.astype(np.float32), y, rows, 600)

    mine = {"optimizer": "sgd", "lr": draw.near(0.1), "momentum": 0.9, "weight_decay": 1e-3, "batch_size": 48, "epochs": 12}
    return Training(
        lambda: SiameseCNN(channels, last),
        nn.BCEWithLogitsLoss(),
        train,
        aside,
        settings({**mine, "schedule": "cosine"}, recipe),
        classes=2,
        validation=validation,
    )


siamese_difference.fault("wrong-output-activation", "relu-at-the-end", "gross", last="relu")
siamese_difference.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", last="sigmoid")
siamese_difference.fault("unnormalized-input", "bytes", "gross", bytes_=True)
siamese_difference.fault("class-imbalance", "pairs-at-random", "medium", prepare=balanced, edit=kept(first_of(60, 1)))

# -- binary vectors to a number ----------------------------------------------------------------------------------------------------------


@cache
def switches() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 16) zeros and ones; (5000,) an energy: what each switch adds, and what neighbours add together."""
    rng = np.random.default_rng(1217)
    x = (rng.random((5000, 16)) < 0.5).astype(np.float32)
    own, joint = rng.normal(0, 40, 16), rng.normal(0, 70, 16)
    y = 900 + x @ own + (x * np.roll(x, 1, 1)) @ joint + rng.normal(0, 20, 5000)
    return x, y.astype(np.float32)


class FourHidden(nn.Module):
    """Four hidden layers, their weights and biases made by hand."""

    def __init__(self, width: int, act: str, std: float | None) -> None:
        super().__init__()
        sizes = [16, width, width, width, width, 1]
        self.weights, self.biases, self.act = nn.ParameterList(), nn.ParameterList(), act
        for fan_in, fan_out in pairwise(sizes):
            spread = math.sqrt(2 / fan_in) if std is None else std
            self.weights.append(nn.Parameter(spread * torch.randn(fan_in, fan_out)))
            self.biases.append(nn.Parameter(torch.zeros(fan_out)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16) -> (N, 1)."""
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = getattr(torch, self.act)(x @ w + b)
        return x @ self.weights[-1] + self.biases[-1]


@script("thread-binary-vectors")
def binary_vectors(
    draw: Draw, *, rows: int = 2600, width: int = 48, act: str = "relu", std: float | None = None, scale_target: bool = True, **recipe: Any
) -> Training:
    """A number for a binary vector by four hidden layers; asked why those of sigmoids do not learn (ai.stackexchange.com, 16557)."""
    x, y = switches()
    if scale_target:
        y = (y - y.mean()) / y.std()
    train, validation, aside = parted(draw, 2 * x - 1, y[:, None], rows, 600)
    width = draw.units(width)

    mine = {"optimizer": "sgd", "lr": draw.near(0.025), "momentum": 0.9, "batch_size": 48, "epochs": 10, "schedule": "cosine"}
    return Training(lambda: FourHidden(width, act, std), nn.MSELoss(), train, aside, settings(mine, recipe), validation=validation)


binary_vectors.fault("vanishing-gradient", "sigmoids-as-asked", "medium", act="sigmoid")
binary_vectors.fault("unnormalized-target", "energies-as-measured", "gross", scale_target=False)
binary_vectors.fault("bad-initialization", "random-normal", "gross", std=1.0)
binary_vectors.fault("batch-too-large", "feed-everything", "medium", batch_size=2400)

# -- what a review thinks ----------------------------------------------------------------------------------------------------------------

WORDS, LONGEST, NOT = 130, 12, (1, 2, 3)


@cache
def reviews() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 12) words of reviews, zeros in front of short ones; (6000, 1) whether they praise. Three words turn the next word round."""
    rng = np.random.default_rng(1223)
    often = 1 / np.arange(3, WORDS + 3) ** 0.7
    often[0] = 0
    often[list(NOT)] = often[1:].sum() * 0.04
    tone = np.where(rng.random(WORDS) < 0.6, rng.normal(0, 1.0, WORDS), 0)
    tone[[0, *NOT]] = 0
    x = rng.choice(WORDS, (6000, LONGEST), p=often / often.sum())
    length = rng.integers(5, LONGEST + 1, 6000)
    x[np.arange(LONGEST)[None] < LONGEST - length[:, None]] = 0
    turned = np.where(np.isin(np.roll(x, 1, 1), NOT) & (np.arange(LONGEST) > 0), -1.0, 1.0)
    score = (turned * tone[x]).sum(1)
    y = score - np.median(score) + rng.logistic(0, 0.25, 6000) > 0
    return x, y.astype(np.float32)[:, None]


class SentimentAnalysisModel(nn.Module):
    """Embedded words, a recurrent layer, and its last state."""

    def __init__(self, embedding_dim: int, hidden_dim: int, drop: float, probability: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, embedding_dim, padding_idx=0)
        self.GRU = nn.GRU(embedding_dim, hidden_dim, batch_first=True)
        self.drop, self.probability = nn.Dropout(drop), probability
        self.linear = nn.Linear(hidden_dim, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, 12) -> (N, 1)."""
        embedded = self.drop(self.embedding(ids))
        _, hidden = self.GRU(embedded)
        out = self.linear(self.drop(hidden[-1]))
        return torch.sigmoid(out) if self.probability else out


@script("thread-review-gru")
def review_gru(
    draw: Draw, *, rows: int = 3200, hidden_dim: int = 16, drop: float = 0.1, probability: bool = False, **recipe: Any
) -> Training:
    """Praise or blame in reviews by a GRU; asked why the training rows reach 99 % and others stay behind (discuss.pytorch.org, 224737)."""
    train, validation, aside = parted(draw, *reviews(), rows, 600)

    mine = {"optimizer": "adam", "lr": draw.near(0.02), "batch_size": 64, "epochs": 6, "schedule": "cosine", "clip_norm": 5.0}
    return Training(
        lambda: SentimentAnalysisModel(16, hidden_dim, drop, probability),
        nn.BCEWithLogitsLoss(),
        train,
        aside,
        settings(mine, recipe),
        classes=2,
        validation=validation,
    )


review_gru.fault("too-little-data", "first-250-reviews", "medium", edit=few(250))
review_gru.fault("data-not-shuffled", "praise-first", "medium", prepare=by_label, shuffle=False)
review_gru.fault("learning-rate-too-high", "point-three", "gross", lr=0.3)
review_gru.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", probability=True)

# -- a language model, fine-tuned --------------------------------------------------------------------------------------------------------

KINDS, SYNONYMS, SPOKEN, INTENTS = 6, 12, 12, 4
MASK = KINDS * SYNONYMS


def _sentences(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 12) words of six kinds; (n,) the intent, which decides what kind follows what."""
    grammar = np.random.default_rng(1229)
    chance = np.exp(grammar.normal(0, 0.6, (1, KINDS, KINDS)) + grammar.normal(0, 2.0, (INTENTS, KINDS, KINDS)))
    chance = (chance / chance.sum(2, keepdims=True)).cumsum(2)
    intent = rng.integers(0, INTENTS, n)
    kind = np.zeros((n, SPOKEN), np.int64)
    kind[:, 0] = rng.integers(0, KINDS, n)
    for i in range(1, SPOKEN):
        kind[:, i] = (rng.random((n, 1)) > chance[intent, kind[:, i - 1]]).sum(1).clip(0, KINDS - 1)
    words = grammar.permutation(MASK)
    return words[kind * SYNONYMS + rng.integers(0, SYNONYMS, kind.shape)], intent


class LittleBert(nn.Module):
    """Words and places, layers of attention, and a pooled state for a head."""

    def __init__(self, num_labels: int, width: int = 32) -> None:
        super().__init__()
        self.word, self.position = nn.Embedding(MASK + 1, width), nn.Parameter(0.02 * torch.randn(SPOKEN, width))
        self.encoder = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(1)
        )
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, num_labels)

    def states(self, ids: Tensor) -> Tensor:
        """(N, 12) -> (N, 14, width)."""
        x = self.word(ids) + self.position
        for layer in self.encoder:
            x = layer(x)
        return self.norm(x)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, 12) -> (N, labels)."""
        return self.classifier(self.states(ids).mean(1))


@cache
def pretrained() -> dict[str, Tensor]:
    """The body of a model that learned to fill in masked words."""
    with torch.random.fork_rng():
        torch.manual_seed(1231)
        words = torch.from_numpy(_sentences(np.random.default_rng(1237), 8000)[0])
        net, steps = LittleBert(MASK), 500
        optimizer = torch.optim.AdamW(net.parameters(), 4e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
        for _ in range(steps):
            ids = words[torch.randint(len(words), (96,))]
            hidden = torch.rand(ids.shape) < 0.2
            loss = F.cross_entropy(net.classifier(net.states(ids.masked_fill(hidden, MASK)))[hidden], ids[hidden])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: value.detach() for name, value in net.state_dict().items() if not name.startswith("classifier")}


@script("thread-bert-intents")
def bert_intents(draw: Draw, *, rows: int = 900, num_labels: int = INTENTS, frozen: bool = False, **recipe: Any) -> Training:
    """Four intents by a fine-tuned language model; asked why the loss never falls with more than two classes (huggingface issue 1865)."""
    train, validation, aside = parted(draw, *_sentences(np.random.default_rng(1249), 5000), rows, 600)

    def model() -> nn.Module:
        net = LittleBert(num_labels)
        net.load_state_dict(pretrained(), strict=False)
        if frozen:
            for name, parameter in net.named_parameters():
                parameter.requires_grad = name.startswith("classifier")
        return net

    mine = {"optimizer": "adamw", "lr": draw.near(4e-3), "weight_decay": 0.05, "batch_size": 32, "epochs": 6, "schedule": "linear"}
    more = settings({**mine, "warmup_steps": 15}, recipe)
    return Training(model, nn.CrossEntropyLoss(), train, aside, more, classes=INTENTS, validation=validation)


bert_intents.fault("learning-rate-too-high", "rate-raised-a-hundredfold", "gross", lr=0.4)
bert_intents.fault("output-width-wrong", "two-labels-by-default", "gross", num_labels=2)
bert_intents.fault("frozen-parameters", "all-but-the-classifier", "medium", frozen=True)
bert_intents.fault("label-noise", "hasty-annotators", "medium", edit=relabelled(wrong_share(0.5, INTENTS)))

# -- how many stars ----------------------------------------------------------------------------------------------------------------------

VIEWERS, FILMS, STARS = 120, 90, 5


@cache
def stars() -> tuple[np.ndarray, np.ndarray]:
    """(8000, 2) a viewer and a film, no pair twice; (8000,) the stars less one."""
    rng = np.random.default_rng(1259)
    pair = rng.permutation(VIEWERS * FILMS)[:8000]
    viewer, film = pair // FILMS, pair % FILMS
    taste, kind = rng.normal(0, 1, (VIEWERS, 2)), rng.normal(0, 1, (FILMS, 2))
    score = 3.4 + rng.normal(0, 0.5, VIEWERS)[viewer] + rng.normal(0, 0.7, FILMS)[film] + 0.5 * (taste[viewer] * kind[film]).sum(1)
    score += rng.normal(0, 0.45, 8000)
    return np.stack([viewer, film], 1), np.clip(np.round(score), 1, STARS).astype(np.int64) - 1


class CollabNN(nn.Module):
    """A vector for the viewer and one for the film side by side, and two layers."""

    def __init__(self, factors: int, n_act: int, probabilities: bool) -> None:
        super().__init__()
        self.user_factors, self.item_factors = nn.Embedding(VIEWERS, factors), nn.Embedding(FILMS, factors)
        self.layers = nn.Sequential(nn.Linear(2 * factors, n_act), nn.ReLU(), nn.Linear(n_act, STARS))
        self.probabilities = probabilities
        for table in (self.user_factors, self.item_factors):
            nn.init.normal_(table.weight, 0, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> (N, 5)."""
        out = self.layers(torch.cat((self.user_factors(x[:, 0]), self.item_factors(x[:, 1])), 1))
        return torch.softmax(out, 1) if self.probabilities else out


@script("thread-collab-stars")
def collab_stars(
    draw: Draw, *, rows: int = 4600, factors: int = 16, n_act: int = 64, probabilities: bool = False, **recipe: Any
) -> Training:
    """Stars as five classes by embeddings; asked why the error stays at 40 to 60 % and what sums to one (forums.fast.ai, 86281)."""
    train, validation, aside = parted(draw, *stars(), rows, 900)

    mine = {"optimizer": "adagrad", "lr": draw.near(0.08), "batch_size": 64, "epochs": 8}
    return Training(
        lambda: CollabNN(factors, n_act, probabilities),
        nn.CrossEntropyLoss(),
        train,
        aside,
        settings(mine, recipe),
        classes=STARS,
        validation=validation,
    )


collab_stars.fault("softmax-before-cross-entropy", "softmax-to-sum-to-one", "medium", probabilities=True)
collab_stars.fault("wrong-labels", "one-to-five", "gross", edit=relabelled(lambda y: y + 1))
collab_stars.fault("learning-rate-too-low", "rate-of-adam-for-adagrad", "medium", lr=1e-3)
collab_stars.fault("optimizer-unsuited", "sgd-for-embeddings", "medium", optimizer="sgd", lr=0.01)

# -- a surrogate of a heated rod ---------------------------------------------------------------------------------------------------------

SOURCES, PROBES = 8, 6


@cache
def rods() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 11) eight heaters in W/m3, both ends in K and the conductivity; (5000, 6) kelvin along the rod, which conducts worse when hot."""
    rng = np.random.default_rng(1277)
    n, cells = 5000, 48
    heat = rng.gamma(1.5, 4e5, (n, SOURCES))
    ends, conducts = rng.uniform(280, 420, (n, 2)), rng.uniform(15, 60, n)
    place = (np.arange(cells) + 0.5) / cells
    green = np.minimum(place[:, None], place[None]) * (1 - np.maximum(place[:, None], place[None])) / cells
    rise = np.repeat(heat, cells // SOURCES, 1) @ green * 0.04 / conducts[:, None]
    # Conductivity that falls as 1 / T: the logarithm of the temperature is what adds up.
    log = np.log(ends[:, :1]) * (1 - place) + np.log(ends[:, 1:]) * place + rise / 300
    probes = np.linspace(4, cells - 5, PROBES).astype(int)
    y = np.exp(log[:, probes]) + rng.normal(0, 2.0, (n, PROBES))
    return np.concatenate([heat, ends, conducts[:, None]], 1).astype(np.float32), y.astype(np.float32)


class DeepStack(nn.Module):
    """Many layers of one width, with a way past each of them or without."""

    def __init__(self, width: int, depth: int, skip: bool, linear: bool) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(SOURCES + 3, width), nn.Linear(width, PROBES)
        self.stack = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.skip, self.linear = skip, linear

    def forward(self, x: Tensor) -> Tensor:
        """(N, 11) -> (N, 6)."""
        x = self.enter(x)
        for fc in self.stack:
            y = fc(x) if self.linear else F.relu(fc(x))
            x = x + y if self.skip else y
        return self.leave(x)


@script("thread-deep-surrogate")
def deep_surrogate(
    draw: Draw,
    *,
    rows: int = 2400,
    width: int = 32,
    depth: int = 10,
    skip: bool = True,
    linear: bool = False,
    scale: bool = True,
    **recipe: Any,
) -> Training:
    """Temperatures of a simulated rod; asked why eleven layers hit a wall even on the training rows (discuss.pytorch.org, 163725)."""
    x, y = rods()
    if scale:
        x = (x - x.mean(0)) / x.std(0)
    train, validation, aside = parted(draw, x, (y - y.mean(0)) / y.std(0), rows, 600)
    width = draw.units(width)

    mine = {"optimizer": "sgd", "lr": draw.near(0.014), "momentum": 0.9, "batch_size": 48, "epochs": 12, "schedule": "cosine"}
    return Training(
        lambda: DeepStack(width, depth, skip, linear), nn.MSELoss(), train, aside, settings(mine, recipe), validation=validation
    )


deep_surrogate.fault("too-deep-without-skips", "eleven-layers-as-asked", "gross", skip=False)
deep_surrogate.fault("learning-rate-too-low", "ten-to-the-minus-five", "gross", lr=1e-5)
deep_surrogate.fault("missing-nonlinearity", "activations-left-out", "mild", linear=True)
deep_surrogate.fault("unnormalized-input", "watts-and-kelvin", "gross", scale=False)

# -- noise taken off cyclic signals ------------------------------------------------------------------------------------------------------

SAMPLES = 64


@cache
def cycles() -> tuple[np.ndarray, np.ndarray]:
    """(4000, 1, 64) sums of three waves with noise; (4000, 64) the same without."""
    rng = np.random.default_rng(1279)
    t = np.linspace(0, 4 * np.pi, SAMPLES, endpoint=False)
    rate = np.array([0.5, 1.0, 2.0])
    size, shift = rng.normal(0, 1, (4000, 3, 1)), rng.uniform(0, 2 * np.pi, (4000, 3, 1))
    y = (size * np.cos(rate[:, None] * t + shift)).sum(1)
    y = y / y.std()
    return (y + rng.normal(0, 0.6, y.shape)).astype(np.float32)[:, None], y.astype(np.float32)


class LogCosh(nn.Module):
    """The logarithm of the hyperbolic cosine of the error, on average."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        error = outputs - targets
        return (error + F.softplus(-2 * error) - math.log(2)).mean()


class Denoiser(nn.Module):
    """Strided convolutions down to a code, and transposed ones back."""

    def __init__(self, channels: int, z_dim: int, bias: float | None, bounded: bool) -> None:
        super().__init__()
        c, self.bounded = channels, bounded
        self.enc1, self.enc2 = nn.Conv1d(1, c, 8, 4, 2), nn.Conv1d(c, 2 * c, 4, 2, 1)
        self.to_code, self.from_code = nn.Linear(16 * c, z_dim), nn.Linear(z_dim, 16 * c)
        self.dec1, self.dec2 = nn.ConvTranspose1d(2 * c, c, 4, 2, 1), nn.ConvTranspose1d(c, 1, 8, 4, 2)
        if bias is not None:
            initialized(self, lambda w: w, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 64) -> (N, 64)."""
        x = F.relu(self.enc2(F.relu(self.enc1(x))))
        code = self.to_code(x.flatten(1))
        x = F.relu(self.from_code(code)).view(len(x), -1, 8)
        out = self.dec2(F.relu(self.dec1(x)))[:, 0]
        return torch.tanh(out) if self.bounded else out


@script("thread-wave-denoiser")
def wave_denoiser(
    draw: Draw,
    *,
    rows: int = 1600,
    channels: int = 8,
    z_dim: int = 12,
    bias: float | None = None,
    bounded: bool = False,
    **recipe: Any,
) -> Training:
    """Cyclic signals without their noise; asked why the autoencoder learns to put out a constant (Stack Overflow, 63500337)."""
    train, validation, aside = parted(draw, *cycles(), rows, 500)

    mine = {"optimizer": "adamw", "lr": draw.near(0.01), "weight_decay": 1e-3, "batch_size": 40, "epochs": 8, "schedule": "cosine"}
    return Training(
        lambda: Denoiser(channels, z_dim, bias, bounded), LogCosh(), train, aside, settings(mine, recipe), validation=validation
    )


wave_denoiser.fault("bottleneck", "a-code-of-one", "gross", z_dim=1)
wave_denoiser.fault("wrong-output-activation", "tanh-at-the-end", "medium", bounded=True)
wave_denoiser.fault("dead-units", "biases-of-minus-four", "gross", bias=-4.0)

# -- short windows of a sensor -----------------------------------------------------------------------------------------------------------

STEPS, STATES = 12, 4


@cache
def windows() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 1, 12) readings of a sensor in 0..1; (5000,) rising, falling, swinging or a spike."""
    rng = np.random.default_rng(1283)
    n, t = 5000, np.arange(STEPS)
    y = rng.integers(0, STATES, n)
    slope, level = rng.uniform(0.01, 0.04, (n, 1)), rng.uniform(0.3, 0.7, (n, 1))
    ramp = slope * (t - 5.5)
    swing = rng.uniform(0.06, 0.2, (n, 1)) * np.sin(rng.uniform(0.9, 2.4, (n, 1)) * t + rng.uniform(0, 6.3, (n, 1)))
    spike = rng.uniform(0.15, 0.4, (n, 1)) * np.exp(-((t - rng.uniform(1, 10, (n, 1))) ** 2))
    shape = np.stack([ramp, -ramp, swing, spike], 1)[np.arange(n), y]
    x = np.clip(level + shape + rng.normal(0, 0.07, (n, STEPS)), 0, 1)
    return x.astype(np.float32)[:, None], y


class ShortWindows(nn.Module):
    """Three convolutions with norms, and the mean over time."""

    def __init__(self, channels: tuple[int, int, int], drop: float) -> None:
        super().__init__()
        a, b, c = channels
        self.conv1, self.bn1 = nn.Conv1d(1, a, 3, padding=1), nn.BatchNorm1d(a)
        self.conv2, self.bn2 = nn.Conv1d(a, b, 3, padding=1), nn.BatchNorm1d(b)
        self.conv3, self.bn3 = nn.Conv1d(b, c, 3, padding=1), nn.BatchNorm1d(c)
        self.dropout, self.fc = nn.Dropout(drop), nn.Linear(c, STATES)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 12) -> (N, 4)."""
        x = self.dropout(F.relu(self.bn1(self.conv1(x))))
        x = self.dropout(F.relu(self.bn2(self.conv2(x))))
        x = self.dropout(F.relu(self.bn3(self.conv3(x))))
        return self.fc(torch.mean(x, dim=2))


def scaled_again(x: np.ndarray) -> np.ndarray:
    """Every window by its own least and greatest value."""
    low, high = x.min(2, keepdims=True), x.max(2, keepdims=True)
    return ((x - low) / (high - low) - 0.5) / 0.2


@script("thread-short-windows")
def short_windows(
    draw: Draw, *, rows: int = 1800, channels: tuple[int, int, int] = (8, 16, 16), drop: float = 0.0, **recipe: Any
) -> Training:
    """States of a sensor by windows of twelve readings; asked why small convolutions stay inaccurate (discuss.pytorch.org, 99814)."""
    x, y = windows()
    train, validation, aside = parted(draw, (x - 0.5) / 0.2, y, rows, 600)

    mine = {"optimizer": "rmsprop", "lr": draw.near(8e-3), "batch_size": 50, "epochs": 8, "schedule": "cosine"}
    return Training(
        lambda: ShortWindows(channels, drop),
        nn.CrossEntropyLoss(),
        train,
        aside,
        settings(mine, recipe),
        classes=STATES,
        validation=validation,
    )


short_windows.fault("model-too-simple", "three-and-five-channels", "medium", channels=(1, 2, 2))
short_windows.fault("over-regularized", "dropout-three-times", "medium", drop=0.8)
short_windows.fault("preprocessing-mismatch", "each-window-by-itself", "medium", prepare=honest_test, edit=test_inputs(scaled_again))
short_windows.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
