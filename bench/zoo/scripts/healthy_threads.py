"""Healthy trainings in the manner of public threads that are no twins: small, noisy or odd, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import traindx as tdx
from zoo.healthy import Built, r
from zoo.scripts.healthy import sound


class MeanAndSpread(nn.Module):
    """Two hidden layers; a mean and the logarithm of a variance."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.head = nn.Linear(3, 32), nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3) -> (N, 2)."""
        return self.head(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class GaussianLikelihood(nn.Module):
    """Minus the logarithm of a normal density, written by hand."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        mean, log_variance = outputs[:, 0], outputs[:, 1]
        return 0.5 * (log_variance + (targets[:, 0] - mean) ** 2 * torch.exp(-log_variance)).mean()


@sound
def drag_with_its_spread() -> Built:
    """A coefficient of drag that is measured the less exactly the faster: its mean and its spread."""
    rng = np.random.default_rng(1301)
    x = rng.normal(0, 1, (2400, 3)).astype(np.float32)
    mean = np.sin(1.3 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2]
    y = mean + np.exp(0.6 * x[:, 0] - 1) * rng.normal(0, 1, 2400)
    task = tdx.Task(MeanAndSpread, GaussianLikelihood(), (x, y[:, None].astype(np.float32)), name="drag-with-its-spread", kind="other")
    return task, r("adam", 0.01, 14, batch_size=40, schedule="cosine")


class TagBag(nn.Module):
    """The mean of embedded words, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.out = nn.EmbeddingBag(80, 16, mode="mean"), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 12) -> (N, 5)."""
        return self.out(self.bag(x))


@sound
def tags_of_questions() -> Built:
    """Which of five tags a question has, some of them often and others seldom, by twelve of its words."""
    rng = np.random.default_rng(1303)
    says = rng.normal(0, 1.2, (80, 5))
    x = rng.integers(0, 80, (2600, 12))
    score = says[x].sum(1) / 2 + np.array([0.5, 0, -0.5, -1, -1.5])
    y = (score + rng.logistic(0, 0.5, score.shape) > 0).astype(np.float32)
    task = tdx.Task(TagBag, nn.BCEWithLogitsLoss(), (x, y), name="tags-of-questions")
    return task, r("adamw", 0.04, 10, batch_size=64, weight_decay=0.01, schedule="cosine")


class Returns(nn.Module):
    """A small recurrent layer over returns and their size."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc = nn.GRU(2, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10, 2) -> (N, 1)."""
        return self.fc(self.rnn(x)[1][0])


@sound
def returns_of_tomorrow() -> Built:
    """A return by the ten before it: an echo of the last two, and far more noise than that."""
    rng = np.random.default_rng(1307)
    series = np.zeros(2600)
    for i in range(2, 2600):
        series[i] = 0.35 * series[i - 1] - 0.3 * series[i - 2] + rng.normal()
    series = series / series.std()
    past = np.lib.stride_tricks.sliding_window_view(series, 10)[:-1]
    x, y = np.stack([past, np.abs(past)], 2).astype(np.float32), series[10:, None].astype(np.float32)
    task = tdx.Task(Returns, nn.MSELoss(), (x[:2000], y[:2000]), validation=(x[2010:], y[2010:]), name="returns-of-tomorrow")
    return task, r("adam", 4e-3, 8, batch_size=50, schedule="cosine")


class TwoRecords(nn.Module):
    """Two records side by side, their difference and their product."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.judge = nn.Linear(10, 16), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 20) -> (N, 1)."""
        a, b = F.gelu(self.embed(x[:, :10])), F.gelu(self.embed(x[:, 10:]))
        return self.judge(torch.cat([(a - b).abs(), a * b], 1))


@sound
def same_customer() -> Built:
    """Whether two records are of one customer: ten fields, each copied with errors, a third of the pairs the same."""
    rng = np.random.default_rng(1319)
    a = rng.normal(0, 1, (2200, 10))
    same = rng.random(2200) < 0.33
    b = np.where(same[:, None], a + rng.normal(0, 0.9, a.shape), rng.normal(0, 1.35, a.shape))
    x = np.concatenate([a, b / 1.35], 1).astype(np.float32)
    task = tdx.Task(TwoRecords, nn.BCEWithLogitsLoss(), (x, same[:, None].astype(np.float32)), name="same-customer")
    return task, r("adam", 0.015, 12, batch_size=48, schedule="cosine")


class Ringing(nn.Module):
    """A convolution over time, the greatest answer of each filter, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.out = nn.Conv1d(1, 12, 7, padding=3), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 40) -> (N, 3)."""
        return self.out(F.relu(self.filters(x)).amax(2))


@sound
def bearings_by_ear() -> Built:
    """Three states of a bearing by how a knock rings: 360 recordings, loud noise."""
    rng = np.random.default_rng(1321)
    y, t = rng.integers(0, 3, 360), np.arange(40)
    start, rate = rng.integers(2, 20, (360, 1)), np.array([0.7, 1.2, 1.9])[y][:, None]
    ring = np.where(t >= start, np.exp(-0.12 * (t - start).clip(0)) * np.sin(rate * (t - start)), 0)
    x = 1.8 * ring + 0.5 * rng.normal(0, 1, (360, 40))
    x = (x / x.std()).astype(np.float32)[:, None]
    task = tdx.Task(Ringing, nn.CrossEntropyLoss(), (x, y), name="bearings-by-ear")
    return task, r("adam", 0.02, 14, batch_size=16, schedule="cosine")
