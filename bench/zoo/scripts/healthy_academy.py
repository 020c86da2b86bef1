"""Healthy trainings of an academy that are no twins: odd, hard or imperfect, but sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.academy import digit_mixer, elective_wide, sign_bigru, signature_siamese, strength_dense
from zoo.scripts.base import by_label, given_validation, honest_test, scaled
from zoo.scripts.healthy import other, sound
from zoo.scripts.mistakes import summed

# Imperfect, but it does the work.
other("strengths-without-concat", strength_dense, concat=False, width=32, lr=0.05)
other("strengths-summed-suitably", strength_dense, summed, lr=0.03 / 40)
other("mixed-digits-given-validation", digit_mixer, given_validation)
other("signatures-in-order-but-shuffled", signature_siamese, by_label)
other("electives-honest-test", elective_wide, honest_test)
other("signs-by-one-direction", sign_bigru, both=False, width=28)


@sound
def progress_of_an_illness() -> Built:
    """How an illness goes on within a year, by ten measures of 442 patients: half of it can be known, by a line."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    (x,), y = scaled(x), ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: plain(10, 4, 1), nn.SmoothL1Loss(), (x, y[:, None]), name="progress-of-an-illness")
    return task, r("adamw", 1e-2, 20, batch_size=24, weight_decay=1e-2, schedule="cosine")


class Checkers(nn.Module):
    """Sines of lines in the plane, then a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.waves, self.out = nn.Linear(2, 48), nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.normal_(self.waves.weight, 0, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> (N, 1)."""
        return self.out(torch.sin(self.waves(x)))


@sound
def spots_on_a_plane() -> Built:
    """A bump and a hollow in a noisy plane: two inputs, a network of waves."""
    rng = np.random.default_rng(541)
    x = rng.uniform(-1, 1, (900, 2)).astype(np.float32)
    y = np.exp(-4 * ((x - 0.4) ** 2).sum(1)) - np.exp(-4 * ((x + 0.4) ** 2).sum(1)) + 0.1 * rng.normal(0, 1, 900)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    return tdx.Task(Checkers, nn.MSELoss(), (x, y[:, None]), name="spots-on-a-plane"), r("adam", 5e-3, 20, batch_size=30, schedule="cosine")


@sound
def dropouts() -> Built:
    """Whether a student leaves, one in five, by three marks and two distractions: three in four is all that can be known."""
    rng = np.random.default_rng(547)
    x = rng.normal(0, 1, (2400, 5)).astype(np.float32)
    logit = 1.0 * x[:, 0] - 0.8 * x[:, 1] + 0.6 * x[:, 0] * x[:, 1] - 1.5
    y = (rng.random(2400) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    task = tdx.Task(lambda: plain(5, 12, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="dropouts")
    return task, r("sgd", 0.1, 12, momentum=0.9, batch_size=40, schedule="cosine")


@sound
def three_kinds_of_wine() -> Built:
    """Which of three vineyards a wine comes from, by thirteen measures of 178 wines, with a norm in the middle and a decay."""
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    (x,) = scaled(x)

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(13, 12), nn.LayerNorm(12), nn.SiLU(), nn.Linear(12, 3))

    return tdx.Task(model, nn.CrossEntropyLoss(), (x, y), name="three-kinds-of-wine"), r(
        "adamw", 1e-2, 25, batch_size=16, weight_decay=0.05, schedule="cosine"
    )
