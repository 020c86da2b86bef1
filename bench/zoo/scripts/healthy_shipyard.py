"""Healthy trainings of a shipyard and of others that are no twins: small, noisy or odd, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import data
import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import given_validation, scaled
from zoo.scripts.healthy import other, sound
from zoo.scripts.shipyard import room_messages, signal_decoder, tow_maxout

# Imperfect, but it does the work.
other("hulls-two-pieces", tow_maxout, pieces=2, widths=(48,), schedule="cosine")
other("rooms-given-validation", room_messages, given_validation, rounds=3, optimizer="adamw", weight_decay=0.01)
other("signals-one-wide-layer", signal_decoder, layers=1, width=48, lr=5e-3)


@sound
def who_survives() -> Built:
    """891 passengers of the Titanic: luck decides a good part of it. Half of the units are dropped."""
    x, y = data.titanic()
    (x,) = scaled(x)
    net = lambda: nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))  # noqa: E731
    task = tdx.Task(net, nn.BCEWithLogitsLoss(), (x, y[:, None].astype(np.float32)), name="who-survives")
    return task, r("adam", 0.01, 15, batch_size=32, schedule="cosine")


@sound
def repairs_paid() -> Built:
    """What a repair costs: heavy tails that no column foretells, an absolute error, so that the median is learned."""
    rng = np.random.default_rng(733)
    x = rng.normal(0, 1, (2500, 6)).astype(np.float32)
    y = 0.8 * x[:, 0] + 0.6 * np.abs(x[:, 1]) - 0.4 * x[:, 2] * (x[:, 3] > 0) + 0.5 * rng.standard_t(1.8, 2500)
    task = tdx.Task(lambda: plain(6, 24, 1), nn.L1Loss(), (x, y[:, None].astype(np.float32)), name="repairs-paid")
    return task, r("adam", 0.01, 12, batch_size=50, schedule="cosine")


@sound
def defaults_within_a_year() -> Built:
    """Whether a customer will not pay: one in eight, and what is known of them tells little. A logistic regression."""
    rng = np.random.default_rng(739)
    x = rng.normal(0, 1, (3000, 9)).astype(np.float32)
    score = -2.3 + 0.7 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * x[:, 2] + 0.3 * x[:, 3]
    y = (rng.random(3000) < 1 / (1 + np.exp(-score))).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(9, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="defaults-within-a-year")
    return task, r("sgd", 0.1, 8, momentum=0.9, batch_size=64, schedule="cosine")


@sound
def ninety_welds() -> Built:
    """How strong a weld is, by four settings: ninety of them, a linear model with decay."""
    rng = np.random.default_rng(743)
    x = rng.normal(0, 1, (90, 4)).astype(np.float32)
    y = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.4 * x[:, 3] + 0.35 * rng.normal(0, 1, 90)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(4, 1), nn.MSELoss(), (x, y[:, None]), name="ninety-welds")
    return task, r("adam", 0.03, 40, batch_size=12, weight_decay=1e-2, schedule="cosine")


@sound
def calls_in_an_hour() -> Built:
    """How often the yard is called in an hour: counts, by the likelihood of Poisson's law, and a network of one hidden layer."""
    rng = np.random.default_rng(751)
    hour, day = rng.uniform(0, 24, 2500), rng.integers(0, 7, 2500)
    rate = np.exp(0.6 + 0.9 * np.sin(2 * np.pi * (hour - 8) / 24) - 0.9 * (day > 4))
    x = np.stack([np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24), day > 4, rng.normal(0, 1, 2500)], 1).astype(np.float32)
    y = rng.poisson(rate).astype(np.float32)
    task = tdx.Task(lambda: plain(4, 16, 1), nn.PoissonNLLLoss(), (x, y[:, None]), name="calls-in-an-hour")
    return task, r("adam", 0.015, 10, batch_size=50, schedule="cosine")


class Gaps(nn.Module):
    """A recurrent layer over readings and the time since the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(2, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 12, 2) -> (N, 1)."""
        return self.out(self.gru(x)[0][:, -1])


@sound
def readings_at_odd_times() -> Built:
    """A swinging load read at odd times, with noise: where it is at the end of a gap, and a clipped gradient."""
    rng = np.random.default_rng(757)
    gaps = rng.gamma(3.0, 0.12, (1800, 13))
    phase, size = rng.uniform(0, 2 * np.pi, (1800, 1)), rng.uniform(0.5, 1.5, (1800, 1))
    swing = size * np.sin(2.0 * gaps.cumsum(1) + phase)
    read = swing + 0.15 * rng.normal(0, 1, swing.shape)
    x = np.stack([read[:, :12], 3 * gaps[:, 1:]], 2).astype(np.float32)
    task = tdx.Task(Gaps, nn.MSELoss(), (x, swing[:, 12:].astype(np.float32)), name="readings-at-odd-times")
    return task, r("adam", 0.02, 16, batch_size=50, clip_norm=1.0, schedule="cosine")


class Bumps(nn.Module):
    """Forty bumps around places that are learned, and a line of them."""

    def __init__(self) -> None:
        super().__init__()
        self.places, self.wide = nn.Parameter(torch.randn(40, 2)), nn.Parameter(torch.zeros(40))
        self.out = nn.Linear(40, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> (N, 1)."""
        return self.out(torch.exp(-(torch.cdist(x, self.places) ** 2) * self.wide.exp()))


@sound
def depth_of_a_basin() -> Built:
    """How deep the water is, by soundings with errors: radial bumps whose places and widths are learned."""
    rng = np.random.default_rng(761)
    x = rng.uniform(-2, 2, (1500, 2)).astype(np.float32)
    y = np.sin(1.5 * x[:, 0]) * np.cos(x[:, 1]) + 0.5 * np.exp(-((x - 0.7) ** 2).sum(1) * 3) + 0.15 * rng.normal(0, 1, 1500)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(Bumps, nn.MSELoss(), (x, y[:, None]), name="depth-of-a-basin")
    return task, r("adam", 0.05, 14, batch_size=50, schedule="cosine")
