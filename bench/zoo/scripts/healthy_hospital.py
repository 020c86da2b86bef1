"""Healthy trainings of a hospital and a railway that are no twins: odd, hard or imperfect, but sound. They are held out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.healthy import other, sound
from zoo.scripts.hospital import admission_table, breath_dilated, nights, scan_focus
from zoo.scripts.mistakes import summed
from zoo.scripts.railway import axle_lstm, leak_sets

# Imperfect, but it does the work.
other("breaths-no-norm", breath_dilated, norm=False, lr=8e-3, epochs=14)
other("breaths-sorted-but-shuffled", breath_dilated, by_label)
other("admissions-rate-a-third", admission_table, lr=4e-3, epochs=16)
other("admissions-summed-suitably", admission_table, summed, optimizer="sgd", lr=1e-3, momentum=0.9, epochs=12)
other("admissions-honest-test", admission_table, honest_test, epochs=7)
other("scans-given-validation", scan_focus, given_validation)
other("axles-gru-of-one-floor", axle_lstm, kind="gru", floors=1)
other("axles-honest-test", axle_lstm, honest_test)
other("leaks-one-block", leak_sets, depth=1, epochs=10)
other("leaks-little-dropout", leak_sets, drop=0.05, epochs=12)


@sound
def trains_that_come_late() -> Built:
    """By how much a train is late, by weather and what was late before: mostly chance, a line is all there is."""
    rng = np.random.default_rng(353)
    x = rng.normal(0, 1, (2500, 5)).astype(np.float32)
    y = 0.6 * x[:, 0] + 0.4 * x[:, 1] - 0.3 * x[:, 2] + 1.1 * rng.normal(0, 1, 2500)
    y = (y / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(5, 1), nn.HuberLoss(), (x, y[:, None]), name="trains-that-come-late")
    return task, r("sgd", 0.03, 12, momentum=0.9, schedule="cosine")


@sound
def ninety_knees() -> Built:
    """Whether a knee heals, by three measures of ninety patients: a logistic regression with a decay."""
    rng = np.random.default_rng(359)
    x = rng.normal(0, 1, (90, 3)).astype(np.float32)
    y = (1.9 * x[:, 0] - 1.5 * x[:, 1] + 0.7 * x[:, 2] + 0.6 * rng.normal(0, 1, 90) > 0).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(3, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="ninety-knees")
    return task, r("adamw", 0.12, 50, batch_size=18, weight_decay=1e-2, schedule="cosine")


@sound
def rare_reaction() -> Built:
    """One patient in twelve reacts to a drug, in the table as in the ward; told apart well."""
    rng = np.random.default_rng(367)
    y = (rng.random(4000) < 0.085).astype(np.int64)
    x = (rng.normal(0, 1, (4000, 7)) + y[:, None] * np.array([1.8, -1.3, 1.0, 0.8, 0, 0, 0])).astype(np.float32)
    return tdx.Task(lambda: plain(7, 10, 2), nn.CrossEntropyLoss(), (x, y), name="rare-reaction"), r("adam", 1e-2, 10, schedule="cosine")


@sound
def two_wards_alike() -> Built:
    """Manners of breathing that two nights show again, with names softened; a plain convolution and a step schedule."""
    x, y = nights()
    x = ((x - x.mean((0, 2), keepdims=True)) / x.std((0, 2), keepdims=True)).astype(np.float32)

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv1d(4, 16, 5, stride=2, padding=2), nn.GroupNorm(4, 16), nn.ReLU(),
            nn.Conv1d(16, 24, 5, stride=2, padding=2), nn.GroupNorm(4, 24), nn.ReLU(),
            nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(48, 5),
        )  # fmt: skip

    task = tdx.Task(model, nn.CrossEntropyLoss(label_smoothing=0.05), (x[:1600], y[:1600]), name="two-wards-alike")
    return task, r("adam", 1e-2, 12, schedule="step:4:0.3")


class Shares(nn.Module):
    """Poisson's likelihood of a count, by its logarithm."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N, 1), (N, 1) -> ()."""
        return (torch.exp(outputs) - targets * outputs).mean()


@sound
def passengers_of_a_platform() -> Built:
    """How many people wait, by hour, weather and holidays: counts, by Poisson's likelihood."""
    rng = np.random.default_rng(373)
    hour, rain, off = rng.uniform(0, 24, 3000), rng.gamma(1.5, 1.0, 3000), rng.random(3000) < 0.15
    mean = np.exp(0.7 + np.cos(2 * np.pi * (hour - 8) / 24) - 0.2 * rain - 0.7 * off * np.cos(2 * np.pi * (hour - 8) / 24))
    y = rng.poisson(mean).astype(np.float32)
    (x,) = scaled(np.stack([np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24), rain, off], 1))
    task = tdx.Task(lambda: plain(4, 16, 1), Shares(), (x, y[:, None]), kind="other", name="passengers-of-a-platform")
    return task, r("adam", 1e-2, 12, schedule="cosine")
