"""Trainings with a planted fault, and their healthy twins: the two of a pair differ in that fault only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_circles
from torch import nn

from traindx.records import Branch, Recipe
from traindx.tasks import Task

Arrays = tuple[np.ndarray, np.ndarray]
RECIPE = Recipe(lr=0.1, momentum=0.9, epochs=10, device="cpu")


@dataclass(frozen=True)
class Network:
    """A plain chain of linear layers with one activation between them."""

    widths: tuple[int, ...]
    activation: type[nn.Module] = nn.ReLU

    def __call__(self) -> nn.Module:
        layers: list[nn.Module] = []
        for before, after in zip(self.widths, self.widths[1:], strict=False):
            layers += [nn.Linear(before, after), self.activation()]
        return nn.Sequential(*layers[:-1])


class Training(NamedTuple):
    """What is diagnosed."""

    task: Task
    recipe: Recipe


class Pair(NamedTuple):
    """A fault, what it is called, and its twin."""

    branch: Branch
    causes: tuple[str, ...]
    fault: Callable[[], Training]
    twin: Callable[[], Training]


# --- Data ----------------------------------------------------------------------------------------------------------------------------


@cache
def digits() -> Arrays:
    """Handwritten digits of 8 x 8 pixels in 0..1, shuffled once."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype(np.float32), y[order]


def train_digits(rows: int = 1200) -> Arrays:
    x, y = digits()
    return x[:rows], y[:rows]


def held_out_digits() -> Arrays:
    x, y = digits()
    return x[-300:], y[-300:]


def flipped(data: Arrays, share: float, seed: int = 0) -> Arrays:
    """The same rows with this share of labels moved to another class."""
    x, y = data
    rng = np.random.default_rng(seed)
    chosen, classes = rng.random(len(y)) < share, int(y.max()) + 1
    return x, np.where(chosen, (y + rng.integers(1, classes, len(y))) % classes, y)


def cells(patient: bool, rows: int = 569) -> Arrays:
    """Measurements of cell nuclei in their raw units, of which the largest is some thousands; or standardised."""
    x, y = load_breast_cancer(return_X_y=True)
    return ((x - x.mean(0)) / x.std(0) if patient else x)[:rows].astype(np.float32), y[:rows]


def circles(rows: int = 800) -> Arrays:
    x, y = make_circles(rows, noise=0.08, factor=0.5, random_state=0)
    return x.astype(np.float32), y


def blobs(rows: int, share: float, seed: int) -> Arrays:
    """Two overlapping classes, of which the second has this share."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < share).astype(np.int64)
    return (rng.normal(size=(rows, 4)) + y[:, None] * 0.9).astype(np.float32), y


def dice(shuffled: bool, rows: int = 800) -> Arrays:
    """Two dice and whether their sum is above six; shuffled, the answers belong to other throws."""
    rng = np.random.default_rng(0)
    x = rng.integers(1, 7, (rows, 2))
    y = (x.sum(1) > 6).astype(np.int64)
    return ((x - 3.5) / 1.7).astype(np.float32), rng.permutation(y) if shuffled else y


def waves(rows: int = 800) -> Arrays:
    """A smooth function of six numbers, with a little noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] + 0.1 * rng.normal(size=rows)
    return x, y.astype(np.float32)


# --- Trainings -----------------------------------------------------------------------------------------------------------------------

SOUND = Network((64, 64, 10))


def on_digits(network: Network = SOUND, recipe: Recipe = RECIPE, train: Arrays | None = None, test: Arrays | None = None) -> Training:
    return Training(Task(network, nn.CrossEntropyLoss(), train or train_digits(), test=test, name="digits"), recipe)


def on(train: Arrays, network: Network, recipe: Recipe = RECIPE, test: Arrays | None = None) -> Training:
    return Training(Task(network, nn.CrossEntropyLoss(), train, test=test), recipe)


@dataclass(frozen=True)
class Numbers:
    """A network with one output a row, without a second dimension."""

    hidden: int = 64

    def __call__(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1), nn.Flatten(0))


def on_waves(rate: float) -> Training:
    return Training(Task(Numbers(), nn.MSELoss(), waves(), name="waves"), RECIPE.replace(lr=rate, epochs=30))


def deep(activation: type[nn.Module], test: Arrays | None = None, schedule: str = "constant") -> Training:
    return on_digits(Network((64, *[48] * 5, 10), activation), RECIPE.replace(epochs=20, schedule=schedule), test=test)


def inverted(data: Arrays) -> Arrays:
    return 1 - data[0], data[1]


PAIRS: dict[str, Pair] = {
    "rate too high": Pair(
        Branch.OPTIMIZATION, ("learning-rate-too-high",), lambda: on_digits(recipe=RECIPE.replace(lr=8.0)), lambda: on_digits(recipe=RECIPE)
    ),
    "rate too low": Pair(
        Branch.OPTIMIZATION, ("learning-rate-too-low",), lambda: on_digits(recipe=RECIPE.replace(lr=1e-4)), lambda: on_digits(recipe=RECIPE)
    ),
    "too few epochs": Pair(
        Branch.OPTIMIZATION,
        ("trained-too-briefly",),
        lambda: on_digits(recipe=RECIPE.replace(epochs=2)),
        lambda: on_digits(recipe=RECIPE.replace(epochs=10)),
    ),
    "unscaled inputs": Pair(
        Branch.OPTIMIZATION,
        ("unnormalized-input",),
        lambda: on(cells(False), Network((30, 32, 2)), RECIPE.replace(lr=0.01)),
        lambda: on(cells(True), Network((30, 32, 2)), RECIPE.replace(lr=0.01)),
    ),
    # The twin's rate falls: at a constant one it may end on a jump, which depends on how a processor rounds.
    "deep sigmoid": Pair(Branch.OPTIMIZATION, ("vanishing-gradient",), lambda: deep(nn.Sigmoid), lambda: deep(nn.ReLU, schedule="cosine")),
    "linear on circles": Pair(
        Branch.MODEL_BIAS,
        ("model-too-simple",),
        lambda: on(circles(), Network((2, 2)), RECIPE.replace(epochs=20)),
        lambda: on(circles(), Network((2, 32, 2)), RECIPE.replace(epochs=20)),
    ),
    "memorized": Pair(
        Branch.OVERFITTING,
        ("trained-too-long", "model-too-flexible", "too-little-data"),
        lambda: on(blobs(300, 0.5, 0), Network((4, 256, 256, 2)), RECIPE.replace(epochs=60)),
        lambda: on(blobs(300, 0.5, 0), Network((4, 256, 256, 2)), RECIPE.replace(epochs=4)),
    ),
    "shifted test set": Pair(
        Branch.MISMATCH,
        ("preprocessing-mismatch", "covariate-shift"),
        lambda: on_digits(test=inverted(held_out_digits())),
        lambda: on_digits(test=held_out_digits()),
    ),
    "label shift": Pair(
        Branch.MISMATCH,
        ("label-shift",),
        lambda: on(blobs(1000, 0.1, 0), Network((4, 16, 2)), test=blobs(500, 0.8, 1)),
        lambda: on(blobs(1000, 0.1, 0), Network((4, 16, 2)), test=blobs(500, 0.1, 1)),
    ),
    "flipped labels": Pair(Branch.DATA, ("label-noise",), lambda: on_digits(train=flipped(train_digits(), 0.3)), lambda: on_digits()),
    "shuffled answers": Pair(
        Branch.DATA,
        ("labels-unrelated-to-inputs",),
        lambda: on(dice(True), Network((2, 16, 2))),
        lambda: on(dice(False), Network((2, 16, 2))),
    ),
    "regression, rate too low": Pair(Branch.OPTIMIZATION, ("learning-rate-too-low",), lambda: on_waves(1e-5), lambda: on_waves(0.02)),
    "regression, rate too high": Pair(Branch.OPTIMIZATION, ("learning-rate-too-high",), lambda: on_waves(1.0), lambda: on_waves(0.02)),
}
