"""Healthy trainings as they are asked about though nothing is wrong with them: little to learn, few rows, odd losses."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from torch import Tensor, nn
from torch.nn import functional as F

import data
import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import scaled
from zoo.scripts.healthy import sound


class LogCosh(nn.Module):
    """The mean of log cosh of the errors, by hand."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A number."""
        error = prediction - target
        return (error + F.softplus(-2 * error) - np.log(2)).mean()


@sound
def asked_line_of_diabetes() -> Built:
    """The diabetes table by a line and log cosh of the errors: R2 of a half is all there is. Asked whether more can be reached."""
    x, y = load_diabetes(return_X_y=True)
    (x,) = scaled(x)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(10, 1), LogCosh(), (x, y[:, None]), name="asked-line-of-diabetes")
    return task, r("adam", 0.03, 18, batch_size=32, weight_decay=1e-3, schedule="cosine")


class SmoothTwoLayers(nn.Module):
    """Thirty columns through sixteen units and a dropout to two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(30, 16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 30) -> (N, 2)."""
        x = F.gelu(self.fc1(x))
        return self.fc2(F.dropout(x, 0.3, self.training))


@sound
def asked_tumours_smoothed() -> Built:
    """The breast cancer table with smoothed labels: the loss does not go near zero, and is not meant to."""
    x, y = load_breast_cancer(return_X_y=True)
    (x,) = scaled(x)
    task = tdx.Task(SmoothTwoLayers, nn.CrossEntropyLoss(label_smoothing=0.1), (x, y.astype(np.int64)), name="asked-tumours-smoothed")
    return task, r("adamw", 3e-3, 12, batch_size=32, weight_decay=0.1, schedule="cosine")


@sound
def asked_coin_like_days() -> Built:
    """Whether tomorrow is a day of gains, by ten numbers of today: three in five are right. Asked why the loss stays at 0.66."""
    rng = np.random.default_rng(853)
    x = rng.normal(0, 1, (6000, 10)).astype(np.float32)
    score = 0.4 * x[:, 0] - 0.3 * x[:, 1] + 0.2 * x[:, 2]
    y = (rng.random(6000) < 1 / (1 + np.exp(-score))).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(10, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="asked-coin-like-days")
    return task, r("sgd", 0.02, 8, momentum=0.9, batch_size=64, schedule="cosine")


class Middle(nn.Module):
    """Grey pictures through strided convolutions to the middle of what is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)
        self.fc1, self.fc2 = nn.Linear(256, 32), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 16, 16) -> (N, 2)."""
        x = F.leaky_relu(self.conv1(x), 0.1)
        x = F.leaky_relu(self.conv2(x), 0.1)
        return self.fc2(torch.relu(self.fc1(x.reshape(len(x), -1))))


@sound
def asked_middle_of_a_spot() -> Built:
    """Where a faint spot is in a noisy picture: two numbers by a small network, an absolute error rounded off near zero."""
    rng = np.random.default_rng(857)
    n = 1800
    y = rng.uniform(-1, 1, (n, 2))
    rows, columns = np.mgrid[0:16, 0:16] / 7.5 - 1
    far = (rows - 0.8 * y[:, 0, None, None]) ** 2 + (columns - 0.8 * y[:, 1, None, None]) ** 2
    x = rng.uniform(0.8, 1.6, (n, 1, 1)) * np.exp(-far / 0.08) + 0.35 * rng.normal(0, 1, (n, 16, 16))
    x = ((x - x.mean()) / x.std())[:, None].astype(np.float32)
    task = tdx.Task(Middle, nn.SmoothL1Loss(beta=0.1), (x, (y / y.std()).astype(np.float32)), name="asked-middle-of-a-spot")
    return task, r("adam", 3e-3, 12, batch_size=32, schedule="cosine")


@sound
def asked_clothes_by_one_layer() -> Built:
    """Clothes in coarse pictures by one hidden layer, as courses begin: five in six are right. Asked whether that is all."""
    x, y = data.mnist("fashion-mnist", 3000)
    x = (x.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196) - 0.286) / 0.33
    task = tdx.Task(lambda: plain(196, 32, 10), nn.CrossEntropyLoss(), (x.astype(np.float32), y), name="asked-clothes-by-one-layer")
    return task, r("adam", 5e-3, 12, batch_size=64, schedule="cosine")
