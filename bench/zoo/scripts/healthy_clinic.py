"""Healthy trainings of a hospital and a factory that are no twins: odd, hard or imperfect, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.clinic import ambulance_visits, heartbeat_unet, readmission_experts, stays
from zoo.scripts.healthy import other, sound
from zoo.scripts.mistakes import summed
from zoo.scripts.workshop import engine_life, order_picking, weld_patches, welds

# Imperfect, but it does the work.
other("readmission-rate-a-third", readmission_experts, lr=5e-3, epochs=12)
other("readmission-large-batch", readmission_experts, batch_size=400, epochs=14, lr=2e-2)
other("readmission-sorted-but-shuffled", readmission_experts, by_label)
other("heartbeat-summed-suitably", heartbeat_unet, summed, lr=0.2 / 64 / 40, clip_norm=None)
other("heartbeat-nadam", heartbeat_unet, optimizer="nadam", lr=8e-3, momentum=0.0)
other("visits-rate-doubled", ambulance_visits, lr=0.012)
other("visits-small-dropout", ambulance_visits, drop=0.05, epochs=25)
other("welds-honest-test", weld_patches, honest_test)
other("engines-given-validation", engine_life, given_validation)
other("engines-rmsprop", engine_life, optimizer="rmsprop", lr=4e-3)
other("orders-huge-clip", order_picking, clip_norm=50.0)
other("orders-wide", order_picking, width=64, lr=2e-3)


@sound
def rare_relapse() -> Built:
    """One stay in eight ends in a relapse; the loss weighs them up."""
    x, y = stays()
    rng = np.random.default_rng(137)
    rows = np.flatnonzero((y == 0) | (rng.random(len(y)) < 0.17))[:5000]
    x, y = x[rows, 3:].copy(), y[rows]
    x[:, [1, 2, 3, 5]] = np.log1p(x[:, [1, 2, 3, 5]])
    (x,) = scaled(x)
    task = tdx.Task(
        lambda: plain(6, 8, 1),
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0])),
        (x, y[:, None]),
        metric="accuracy",
        name="rare-relapse",
    )
    return task, r("adam", 8e-3, 8, batch_size=128, schedule="cosine")


@sound
def coin_with_a_bias() -> Built:
    """An outcome that is mostly luck: nothing does much better than the base rate."""
    rng = np.random.default_rng(139)
    x = rng.normal(0, 1, (4000, 5)).astype(np.float32)
    y = (rng.random(4000) < 1 / (1 + np.exp(-0.5 * x[:, 0] - 0.4 * x[:, 1]))).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(5, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="coin-with-a-bias")
    return task, r("sgd", 0.05, 6, momentum=0.9, batch_size=64, schedule="cosine")


@sound
def ninety_patients() -> Built:
    """Ninety patients, two measurements that tell nearly all, a logistic regression."""
    rng = np.random.default_rng(149)
    x = rng.normal(0, 1, (90, 2)).astype(np.float32)
    y = (2.5 * x[:, 0] - 1.5 * x[:, 1] + 0.6 * rng.normal(0, 1, 90) > 0).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(2, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="ninety-patients")
    return task, r("adam", 0.05, 60, batch_size=16, weight_decay=1e-2)


@sound
def sugar_in_a_year() -> Built:
    """How far diabetes goes in a year, by ten measurements of 442 patients: half of it is luck."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    x, y = scaled(x)[0], ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(10, 1), nn.MSELoss(), (x, y[:, None]), name="sugar-in-a-year")
    return task, r("adam", 0.01, 30, batch_size=32, weight_decay=0.02, schedule="cosine")


@sound
def three_quantiles() -> Built:
    """The tenth, the middle and the nineteenth twentieth of a skewed waiting time: a loss of one's own."""
    rng = np.random.default_rng(151)
    x = rng.uniform(-1, 1, (3000, 3)).astype(np.float32)
    y = (0.5 * x[:, 0] + np.sin(2 * x[:, 1]) + (0.6 + 0.3 * x[:, 2]) * rng.normal(0, 1, 3000)).astype(np.float32)
    levels = torch.tensor([0.1, 0.5, 0.9])

    class Pinball(nn.Module):
        """Twice as dear on one side as on the other."""

        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            """(N, 3), (N, 1) -> ()."""
            gap = targets - outputs
            return torch.maximum(levels * gap, (levels - 1) * gap).mean()

    task = tdx.Task(lambda: plain(3, 24, 3), Pinball(), (x, y[:, None]), kind="other", name="three-quantiles")
    return task, r("adam", 0.01, 12, batch_size=64, schedule="cosine")


@sound
def flaw_or_none() -> Built:
    """Welds by a small convolution; three of four have a flaw, as in the records."""
    x, y = welds()
    x, y = (x[:2500] - 296) / 23, (y[:2500] > 0).astype(np.float32)

    def model() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(),
            nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(64, 1),
        )  # fmt: skip

    task = tdx.Task(model, nn.BCEWithLogitsLoss(), (x, y[:, None]), name="flaw-or-none")
    return task, r("adam", 8e-3, 12, batch_size=64, schedule="cosine")
