"""Healthy trainings that are no twins of a farm and an observatory: hard, small or imperfect, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.farm import crop_yield, leaf_lenet, note_bag
from zoo.scripts.healthy import other, sound
from zoo.scripts.mistakes import summed
from zoo.scripts.observatory import giant_forecast, star_bilstm

# Imperfect, but it does the work.
other("leaves-batch-norm", leaf_lenet, norm=True)
other("leaves-sorted-but-shuffled", leaf_lenet, by_label)
other("yields-honest-test", crop_yield, honest_test)
other("yields-wide", crop_yield, width=90)
other("yields-adam", crop_yield, optimizer="adam", schedule="cosine", lr=8e-3)
other("notes-large-batch", note_bag, batch_size=160, lr=5e-2, epochs=7)
other("stars-given-validation", star_bilstm, given_validation, clip_norm=None, lr=0.03)
other("giant-elu", giant_forecast, act=nn.ELU, lr=0.05)
other("giant-summed-suitably", giant_forecast, summed, lr=0.1 / 96)


@sound
def two_hundred_eggs() -> Built:
    """Whether an egg hatches, by weight and age: few rows, a logistic regression."""
    rng = np.random.default_rng(191)
    x = rng.normal(0, 1, (200, 2))
    y = (rng.random(200) < 1 / (1 + np.exp(-(0.3 + 1.8 * x[:, 0] - 1.5 * x[:, 1])))).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(2, 1), nn.BCEWithLogitsLoss(), (x.astype(np.float32), y[:, None]), name="two-hundred-eggs")
    return task, r("adam", 0.02, 30, batch_size=16, schedule="cosine")


class Pinball(nn.Module):
    """The loss whose least is at a quantile."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over rows."""
        error = targets - outputs
        return torch.maximum(0.8 * error, -0.2 * error).mean()


@sound
def milk_that_four_days_of_five_stay_below() -> Built:
    """A quantile of the milk of a day, by fodder and warmth."""
    rng = np.random.default_rng(193)
    x = rng.normal(0, 1, (2000, 4))
    y = 1.2 * x[:, 0] - 0.8 * x[:, 1] + 0.5 * x[:, 2] + 0.6 * rng.normal(0, 1, 2000)
    task = tdx.Task(
        lambda: nn.Linear(4, 1), Pinball(), (x.astype(np.float32), (y / y.std())[:, None].astype(np.float32)), kind="regression",
        name="milk-that-four-days-of-five-stay-below",
    )  # fmt: skip
    return task, r("adam", 0.02, 15, schedule="cosine")


@sound
def prices_are_mostly_weather() -> Built:
    """Tomorrow's price of wheat: a quarter of its variance can be told."""
    rng = np.random.default_rng(197)
    x = rng.normal(0, 1, (3000, 6))
    y = 0.7 * x[:, 0] - 0.5 * x[:, 1] + 0.3 * x[:, 2] + 1.6 * rng.normal(0, 1, 3000)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: plain(6, 8, 1), nn.MSELoss(), (x.astype(np.float32), y[:, None]), name="prices-are-mostly-weather")
    return task, r("adam", 5e-3, 10, schedule="cosine")


@sound
def galaxies_that_look_alike() -> Built:
    """Three kinds of galaxies by five colours, which overlap: two of three are told right."""
    rng = np.random.default_rng(199)
    y = rng.integers(0, 3, 3000)
    centres = np.array([[0, 0, 0, 0, 0], [1.2, 0.5, 0, -0.6, 0], [0.2, -0.9, 0.9, 0, 0.6]])
    (x,) = scaled(centres[y] + rng.normal(0, 1, (3000, 5)))
    task = tdx.Task(lambda: nn.Linear(5, 3), nn.CrossEntropyLoss(), (x, y), name="galaxies-that-look-alike")
    return task, r("sgd", 0.05, 10, momentum=0.9, schedule="cosine")


@sound
def smoothed_digits() -> Built:
    """Handwritten digits under smoothed labels: the loss stays far from zero, as it should."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 8 - 0.6).astype(np.float32)
    task = tdx.Task(lambda: plain(64, 64, 10), nn.CrossEntropyLoss(label_smoothing=0.1), (x, y), name="smoothed-digits")
    return task, r("adamw", 8e-3, 20, weight_decay=0.05, schedule="cosine")


@sound
def where_the_wind_comes_from() -> Built:
    """A direction as sine and cosine, by the tilt of three vanes."""
    rng = np.random.default_rng(211)
    angle = rng.uniform(-np.pi, np.pi, 2500)
    x = np.cos(angle[:, None] - np.array([0.0, 2.1, 4.2])) * rng.uniform(0.7, 1.3, (2500, 1)) + 0.1 * rng.normal(0, 1, (2500, 3))
    y = np.stack([np.sin(angle), np.cos(angle)], 1)
    task = tdx.Task(lambda: plain(3, 32, 2), nn.MSELoss(), (x.astype(np.float32), y.astype(np.float32)), name="where-the-wind-comes-from")
    return task, r("adam", 2e-2, 15, schedule="cosine")


@sound
def weighted_pests() -> Built:
    """One trap in six holds a pest; a hit counts three times as much."""
    rng = np.random.default_rng(223)
    y = (rng.random(2400) < 1 / 6).astype(np.float32)
    x = rng.normal(0, 1, (2400, 6))
    x[:, :3] += np.array([1.8, -1.4, 1.2]) * y[:, None]
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    task = tdx.Task(lambda: nn.Linear(6, 1), loss, (x.astype(np.float32), y[:, None]), name="weighted-pests")
    return task, r("adam", 0.05, 15, schedule="cosine")
