"""Healthy trainings of a harbour and a studio that are no twins: odd, hard or imperfect, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.harbour import berth_waits, echo_points
from zoo.scripts.healthy import other, sound
from zoo.scripts.mistakes import summed
from zoo.scripts.studio import instrument_separable, melody_gated, notes, string_partials

# Imperfect, but it does the work.
other("waits-rate-a-third", berth_waits, lr=8e-3, epochs=18)
other("waits-leaky-and-no-norm", berth_waits, act=nn.LeakyReLU, norm=False, lr=1e-2)
other("waits-sorted-but-shuffled", berth_waits, by_label)
other("echoes-rate-halved", echo_points, lr=0.03, epochs=16)
other("echoes-summed-suitably", echo_points, summed, lr=0.06 / 50)
other("echoes-honest-test", echo_points, honest_test)
other("instruments-large-batch", instrument_separable, batch_size=160, epochs=24, lr=1.2e-2)
other("instruments-adam-and-little-dropout", instrument_separable, optimizer="adam", lr=1e-2, drop=0.1, epochs=14)
other("tunes-narrow-and-longer", melody_gated, width=20, epochs=14)
other("tunes-given-validation", melody_gated, given_validation)
other("strings-momentum", string_partials, optimizer="sgd", lr=0.15, momentum=0.9, epochs=25)
other("strings-more-partials", string_partials, partials=6)


@sound
def catch_of_the_day() -> Built:
    """How many boats bring fish, by wind and moon: mostly luck, a small network that stops early."""
    rng = np.random.default_rng(239)
    x = rng.normal(0, 1, (3000, 4)).astype(np.float32)
    y = 0.5 * np.tanh(x[:, 0]) - 0.35 * np.abs(x[:, 1]) + rng.normal(0, 1, 3000)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: plain(4, 12, 1), nn.MSELoss(), (x, y[:, None]), name="catch-of-the-day")
    return task, r("adam", 8e-3, 10, batch_size=64, schedule="cosine")


@sound
def seventy_anchors() -> Built:
    """Whether an anchor holds, by its weight and the ground: seventy of them, a logistic regression."""
    rng = np.random.default_rng(242)
    x = rng.normal(0, 1, (70, 2)).astype(np.float32)
    y = (1.8 * x[:, 0] + 2.2 * x[:, 1] + 0.5 * rng.normal(0, 1, 70) > 0).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(2, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="seventy-anchors")
    return task, r("adam", 0.05, 40, batch_size=14, weight_decay=1e-2, schedule="cosine")


@sound
def likely_range() -> Built:
    """A middle and a spread of what comes, by the likelihood of a normal distribution."""
    rng = np.random.default_rng(251)
    x = rng.uniform(-1, 1, (3000, 2)).astype(np.float32)
    y = (np.sin(3 * x[:, 0]) + 0.8 * x[:, 1] + np.exp(0.7 * x[:, 0] - 1.2) * rng.normal(0, 1, 3000)).astype(np.float32)

    class Likelihood(nn.Module):
        """A spread is told by its logarithm."""

        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            """(N, 2), (N, 1) -> ()."""
            middle, spread = outputs[:, :1], outputs[:, 1:]
            return (spread + 0.5 * ((targets - middle) * torch.exp(-spread)).square()).mean()

    task = tdx.Task(lambda: plain(2, 24, 2), Likelihood(), (x, y[:, None]), kind="other", name="likely-range")
    return task, r("adam", 1e-2, 15, batch_size=64, schedule="cosine")


@sound
def tones_that_sound_together() -> Built:
    """Which of six tones sound at once, by the energy of twenty bands in noise: many labels a row."""
    rng = np.random.default_rng(257)
    y = (rng.random((2500, 6)) < 0.35).astype(np.float32)
    bands, centres = np.arange(20), np.array([1, 3, 6, 8, 11, 13])
    tones = np.exp(-((bands - centres[:, None]) ** 2) / 1.5) + 0.5 * np.exp(-((bands - centres[:, None] - 5) ** 2) / 1.5)
    x = (y * rng.uniform(0.5, 1.5, y.shape)) @ tones + 0.25 * rng.normal(0, 1, (2500, 20))
    (x,) = scaled(x)
    task = tdx.Task(lambda: plain(20, 32, 6), nn.BCEWithLogitsLoss(), (x, y), kind="multilabel", name="tones-that-sound-together")
    return task, r("adamw", 1e-2, 10, batch_size=50, weight_decay=1e-2, schedule="cosine")


@sound
def soft_names() -> Built:
    """Instruments by a plain convolution; names are softened by a tenth."""
    x, y = notes()
    x, y = (x[:1500] + 46) / 12, y[:1500]

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 6),
        )  # fmt: skip

    task = tdx.Task(model, nn.CrossEntropyLoss(label_smoothing=0.1), (x, y), name="soft-names")
    return task, r("sgd", 0.05, 10, momentum=0.9, batch_size=50, schedule="cosine")


@sound
def lone_voice() -> Built:
    """One recording in nine has a voice; as rare in the archive, and told apart well."""
    rng = np.random.default_rng(263)
    y = (rng.random(4000) < 0.11).astype(np.float32)
    x = rng.normal(0, 1, (4000, 6)) + y[:, None] * np.array([1.6, -1.2, 0.9, 0, 0.5, 0])
    x = x.astype(np.float32)
    task = tdx.Task(lambda: plain(6, 8, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="lone-voice")
    return task, r("adam", 2e-2, 15, batch_size=64, schedule="cosine")
