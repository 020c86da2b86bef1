"""Healthy trainings of small teams that are no twins: small, noisy or odd, but sound. They are held out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import traindx as tdx
from zoo.healthy import Built, r
from zoo.scripts.healthy import held_out


class MedianHead(nn.Module):
    """A hidden layer, then the three quantiles that are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.quantiles = nn.Linear(5, 24), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 5) -> (N, 3)."""
        return self.quantiles(F.silu(self.fc(x)))


class Pinball(nn.Module):
    """The loss of three quantiles, by hand."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        shares = torch.tensor([0.1, 0.5, 0.9])
        gap = targets - outputs
        return torch.maximum(shares * gap, (shares - 1) * gap).mean()


@held_out
def delivery_quantiles() -> Built:
    """How long a parcel takes, by five numbers: three quantiles of a long tail."""
    rng = np.random.default_rng(4101)
    x = rng.normal(0, 1, (2200, 5)).astype(np.float32)
    y = 0.7 * x[:, 0] + 0.5 * np.tanh(2 * x[:, 1]) + 0.3 * x[:, 2] * x[:, 3] + 0.4 * rng.gamma(1.5, 1.0, 2200)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(MedianHead, Pinball(), (x, y[:, None]), name="delivery-quantiles", kind="other")
    return task, r("adam", 0.015, 14, batch_size=50, schedule="cosine")


class ShopDay(nn.Module):
    """A vector of the shop and one of the weekday beside three numbers; a rate."""

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.weekday = nn.Embedding(30, 4), nn.Embedding(7, 3)
        self.fc, self.rate = nn.Linear(10, 24), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 5) -> (N, 1) logarithms of rates."""
        codes = [self.shop(x[:, 0].long()), self.weekday(x[:, 1].long())]
        return self.rate(torch.relu(self.fc(torch.cat([*codes, x[:, 2:]], 1))))


@held_out
def returns_at_a_desk() -> Built:
    """How many parcels come back to a shop on a day: small counts, by Poisson's likelihood."""
    rng = np.random.default_rng(4103)
    n = 3000
    shop, day, numbers = rng.integers(0, 30, n), rng.integers(0, 7, n), rng.normal(0, 1, (n, 3))
    rate = np.exp(0.7 + rng.normal(0, 0.6, 30)[shop] + rng.normal(0, 0.4, 7)[day] + 0.4 * numbers[:, 0] - 0.3 * numbers[:, 1])
    x = np.concatenate([np.stack([shop, day], 1), numbers], 1).astype(np.float32)
    y = rng.poisson(rate).astype(np.float32)
    task = tdx.Task(ShopDay, nn.PoissonNLLLoss(), (x, y[:, None]), name="returns-at-a-desk")
    return task, r("adamw", 0.01, 8, batch_size=64, weight_decay=0.05, schedule="cosine")


class SmallBeat(nn.Module):
    """Two convolutions over a reading and a mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(1, 8, 5, padding=2), nn.Conv1d(8, 12, 5, stride=2, padding=2)
        self.logit = nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 40) -> (N, 1)."""
        h = torch.relu(self.conv1(x.unsqueeze(1)))
        return self.logit(torch.relu(self.conv2(h)).mean(2))


@held_out
def knock_in_a_bearing() -> Built:
    """Whether a knock is in a noisy reading, somewhere: two small convolutions."""
    rng = np.random.default_rng(4105)
    n, t = 1600, np.arange(40)
    knock, at = rng.integers(0, 2, n), rng.uniform(6, 34, (n, 1))
    x = rng.normal(0, 1, (n, 40)) + knock[:, None] * rng.uniform(1, 2.5, (n, 1)) * np.exp(-np.abs(t - at) / 3) * np.cos(1.5 * (t - at))
    y = knock.astype(np.float32)[:, None]
    task = tdx.Task(SmallBeat, nn.BCEWithLogitsLoss(), (x.astype(np.float32), y), name="knock-in-a-bearing")
    return task, r("adam", 0.015, 14, batch_size=40, schedule="cosine")


@held_out
def loans_by_five_columns() -> Built:
    """Which of three grades a loan gets, by five columns that say half of it: a softmax of a line."""
    rng = np.random.default_rng(4107)
    x = rng.normal(0, 1, (1800, 5)).astype(np.float32)
    y = (x @ rng.normal(0, 1, (5, 3)) + rng.gumbel(0, 1.2, (1800, 3))).argmax(1)
    task = tdx.Task(lambda: nn.Linear(5, 3), nn.CrossEntropyLoss(), (x, y), name="loans-by-five-columns")
    return task, r("sgd", 0.1, 8, momentum=0.9, batch_size=50, schedule="cosine")


@held_out
def eighty_castings() -> Built:
    """How hard a casting is, by three readings: eighty-four of them, a ridge by weight decay."""
    rng = np.random.default_rng(4109)
    x = rng.normal(0, 1, (84, 3)).astype(np.float32)
    y = 0.8 * x[:, 0] - 0.5 * x[:, 1] + 0.3 * rng.normal(0, 1, 84)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(3, 1), nn.MSELoss(), (x, y[:, None]), name="eighty-castings")
    return task, r("adam", 0.03, 40, batch_size=12, weight_decay=1e-2, schedule="cosine")
