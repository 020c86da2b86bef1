"""Healthy trainings of an orchard that are no twins: odd, hard or imperfect, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import data
import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.healthy import other, sound
from zoo.scripts.orchard import apple_squeeze, command_convmixer, drift_highway, trap_perceiver

# Imperfect, but it does the work.
other("drifts-by-four-plain-layers", drift_highway, gate=False, depth=2, lr=0.1)
other("commands-in-order-but-shuffled", command_convmixer, by_label)
other("traps-given-validation", trap_perceiver, given_validation)
other("apples-honest-test-and-dropout", apple_squeeze, honest_test, drop=0.05, epochs=20)


@sound
def beats_of_two_hundred() -> Built:
    """Whether a heartbeat is abnormal, by two hundred beats and one convolution: little data, and a network to suit it."""
    x, y = data.ecg200()

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Unflatten(1, (1, 96)), nn.Conv1d(1, 6, 9, stride=3), nn.ReLU(), nn.AvgPool1d(5), nn.Flatten(), nn.Linear(36, 2)
        )

    return tdx.Task(model, nn.CrossEntropyLoss(), (x, y), name="beats-of-two-hundred"), r(
        "adam", 2e-2, 50, batch_size=20, schedule="cosine"
    )


class Thresholds(nn.Module):
    """One number, held against rising thresholds: the logits of exceeding each."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.steps = plain(6, 16, 1), nn.Parameter(torch.tensor([-1.5, 0.0, 1.5]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 6) -> (N, 3)."""
        return self.body(x) - self.steps


@sound
def grades_of_fruit() -> Built:
    """Which of four grades a crate gets, coded as what it exceeds, with the grader's mood between; all grades are frequent."""
    rng = np.random.default_rng(631)
    x = rng.normal(0, 1, (1500, 6)).astype(np.float32)
    quality = x[:, 0] + 0.7 * np.abs(x[:, 1]) - 0.5 * x[:, 2] * (x[:, 3] > 0) + 0.6 * rng.normal(0, 1, 1500)
    grade = np.digitize(quality, np.quantile(quality, [0.25, 0.5, 0.75]))
    y = (grade[:, None] > np.arange(3)).astype(np.float32)
    return tdx.Task(Thresholds, nn.BCEWithLogitsLoss(), (x, y), name="grades-of-fruit"), r(
        "adam", 1e-2, 12, batch_size=30, schedule="cosine"
    )


@sound
def rot_in_the_store() -> Built:
    """Whether a crate rots, one in nine, by five measures: rare, so its rows weigh more in the loss, and half of it is chance."""
    rng = np.random.default_rng(641)
    x = rng.normal(0, 1, (2400, 5)).astype(np.float32)
    logit = 1.6 * x[:, 0] + 1.0 * x[:, 1] ** 2 - 0.8 * x[:, 2] - 4.0
    y = (rng.random(2400) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    task = tdx.Task(lambda: plain(5, 12, 1), nn.BCEWithLogitsLoss(pos_weight=torch.tensor(4.0)), (x, y[:, None]), name="rot-in-the-store")
    return task, r("sgd", 0.08, 16, momentum=0.9, batch_size=40, schedule="cosine")


@sound
def price_of_a_crate() -> Built:
    """What a crate fetches at an auction: an eighth of it can be known, and a line in eight columns with a little decay knows it."""
    rng = np.random.default_rng(643)
    x = rng.normal(0, 1, (1800, 8)).astype(np.float32)
    y = x[:, :4] @ np.array([0.25, -0.2, 0.15, 0.1]) + rng.standard_t(5, 1800) * 0.75
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(8, 1), nn.L1Loss(), (x, y[:, None]), name="price-of-a-crate")
    return task, r("adamw", 5e-3, 10, batch_size=36, weight_decay=0.05, schedule="linear")


class Bloom(nn.Module):
    """Fixed waves of place and season, then layers."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(647)
        self.register_buffer("waves", 1.5 * torch.randn(3, 24, generator=generator))
        self.layers = plain(48, 32, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3) -> (N, 1)."""
        y = x @ self.waves
        return self.layers(torch.cat([y.sin(), y.cos()], 1))


@sound
def moisture_of_a_slope() -> Built:
    """How moist the soil is at a place and a depth, by fixed Fourier features; probes err by a quarter of its spread."""
    rng = np.random.default_rng(653)
    x = rng.uniform(-1, 1, (1400, 3)).astype(np.float32)
    y = np.sin(2.5 * x[:, 0] + x[:, 1]) * np.exp(-0.6 * (x[:, 2] + 1)) + 0.5 * np.cos(3 * x[:, 1]) * x[:, 2] + 0.12 * rng.normal(0, 1, 1400)
    (x,), y = scaled(x), ((y - y.mean()) / y.std()).astype(np.float32)
    return tdx.Task(Bloom, nn.MSELoss(), (x, y[:, None]), name="moisture-of-a-slope"), r("adam", 4e-3, 15, batch_size=35, schedule="cosine")
