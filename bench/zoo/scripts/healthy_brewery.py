"""Healthy trainings of a brewery and an airport that are no twins: odd, hard or imperfect, but sound. They are held out."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.airport import coast_mlp, districts, queue_tcn
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.brewery import cap_conv, note_conv, outings_residual
from zoo.scripts.healthy import other, sound
from zoo.scripts.mistakes import summed

# Imperfect, but it does the work.
other("outings-silu-and-deeper", outings_residual, depth=4, act=nn.SiLU)
other("outings-momentum", outings_residual, optimizer="sgd", lr=0.15, momentum=0.9, weight_decay=1e-4, epochs=18)
other(
    "caps-no-norm-and-adam",
    cap_conv,
    groups=0,
    optimizer="adam",
    lr=1.5e-2,
    epochs=12,
    optimizer_options={},
    weight_decay=0.0,
)
other("caps-honest-test", cap_conv, honest_test)
other("tasters-sorted-but-shuffled", note_conv, by_label)
other("tasters-half-dropped", note_conv, drop=0.5, epochs=9)
other("coasts-given-validation", coast_mlp, given_validation)
other("coasts-summed-suitably", coast_mlp, summed, lr=0.1 / 32)
other("queues-clipped", queue_tcn, clip_norm=2.0)
other("queues-halves-of-a-batch", queue_tcn, batch_size=25, accumulate=2)


@sound
def price_of_barley() -> Built:
    """A price by four indices with large errors: a line, and little to be known."""
    rng = np.random.default_rng(313)
    x = rng.normal(0, 1, (1500, 4)).astype(np.float32)
    y = x @ np.array([0.5, -0.3, 0.2, 0.0]) + rng.standard_t(4, 1500)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(4, 1), nn.HuberLoss(), (x, y[:, None]), name="price-of-barley")
    return task, r("sgd", 0.03, 12, momentum=0.9, batch_size=50, schedule="cosine")


@sound
def gravity_of_a_wort() -> Built:
    """The density of a wort by sugar and warmth: sixty measurements, two inputs, a line with a bend."""
    rng = np.random.default_rng(317)
    x = rng.uniform(-1, 1, (60, 2)).astype(np.float32)
    y = (x[:, 0] - 0.4 * x[:, 1] + 0.3 * x[:, 0] * x[:, 1] + 0.1 * rng.normal(0, 1, 60)).astype(np.float32)
    task = tdx.Task(lambda: plain(2, 8, 1), nn.MSELoss(), (x, y[:, None]), name="gravity-of-a-wort")
    return task, r("adam", 0.03, 60, batch_size=12, schedule="cosine")


@sound
def value_of_a_house() -> Built:
    """The logarithm of a house's value in a district, without its place: half of it can be known."""
    x, _ = districts()
    order = np.random.default_rng(331).permutation(len(x))[:3000]
    y = np.log(x[order, 8])
    x = np.concatenate([x[order, 2:3], np.log(x[order, 3:7]), x[order, 7:8]], 1)
    (x,), y = scaled(x), ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: plain(6, 24, 1), nn.SmoothL1Loss(), (x, y[:, None]), name="value-of-a-house")
    return task, r("adamw", 1e-2, 14, batch_size=60, weight_decay=1e-2, schedule="cosine")


class Counting(nn.Module):
    """A network that tells the logarithm of how many come."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3) -> (N, 1)."""
        return self.body(x)


@sound
def bags_lost() -> Built:
    """How many bags are lost in an hour, few or none, by a likelihood of counts."""
    rng = np.random.default_rng(337)
    x = rng.normal(0, 1, (3000, 3)).astype(np.float32)
    y = rng.poisson(np.exp(0.3 + 0.6 * x[:, 0] - 0.4 * np.abs(x[:, 1]))).astype(np.float32)
    task = tdx.Task(Counting, nn.PoissonNLLLoss(), (x, y[:, None]), kind="regression", name="bags-lost")
    return task, r("adam", 1e-2, 12, batch_size=60, schedule="cosine")
