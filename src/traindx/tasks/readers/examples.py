"""Small examples on data that ship with scikit-learn: one sound training, and some with a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from traindx.records import InputError, Recipe
from traindx.tasks.task import Task

TEST_ROWS = 297


@dataclass(frozen=True)
class Chain:
    """A plain chain of linear layers with one activation between them."""

    widths: tuple[int, ...]
    activation: str = "ReLU"

    def __call__(self) -> nn.Module:
        """A fresh network, initialized as torch does."""
        layers: list[nn.Module] = []
        for before, after in zip(self.widths, self.widths[1:], strict=False):
            layers += [nn.Linear(before, after), getattr(nn, self.activation)()]
        return nn.Sequential(*layers[:-1])


def _digits(name: str, factory: Chain, recipe: Recipe, rows: int = 1500) -> tuple[Task, Recipe]:
    """Handwritten digits of 8 x 8 pixels, scaled to 0..1; the last rows are the test set."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:rows], order[-TEST_ROWS:]
    return Task(factory, nn.CrossEntropyLoss(), (x[train], y[train]), test=(x[test], y[test]), name=name), recipe


def _shifted() -> tuple[Task, Recipe]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1500], order[-TEST_ROWS:]
    inverted = 1 - x[test]
    return Task(Chain((64, 64, 10)), nn.CrossEntropyLoss(), (x[train], y[train]), test=(inverted, y[test]), name="shifted-digits"), _SOUND


def _circles() -> tuple[Task, Recipe]:
    from sklearn.datasets import make_circles

    x, y = make_circles(1000, noise=0.1, factor=0.5, random_state=0)
    return Task(Chain((2, 2)), nn.CrossEntropyLoss(), (x, y), name="linear-circles"), Recipe(lr=0.1, momentum=0.9, epochs=40)


def _cancer() -> tuple[Task, Recipe]:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return Task(Chain((30, 32, 2)), nn.CrossEntropyLoss(), (x, y), name="breast-cancer"), Recipe(
        lr=0.01, momentum=0.9, epochs=40, batch_size=32
    )


_SOUND = Recipe(lr=0.1, momentum=0.9, epochs=25)

EXAMPLES: dict[str, Callable[[], tuple[Task, Recipe]]] = {
    "stuck-digits": lambda: _digits("stuck-digits", Chain((64, *[32] * 8, 10), "Sigmoid"), Recipe(lr=0.1, epochs=40)),
    "healthy-digits": lambda: _digits("healthy-digits", Chain((64, 64, 10)), _SOUND),
    "slow-digits": lambda: _digits("slow-digits", Chain((64, 64, 10)), Recipe(lr=1e-5, epochs=25)),
    "wild-digits": lambda: _digits("wild-digits", Chain((64, 64, 10)), Recipe(lr=20.0, epochs=25)),
    "one-unit-digits": lambda: _digits("one-unit-digits", Chain((64, 1, 10)), _SOUND),
    "wide-digits-100": lambda: _digits(
        "wide-digits-100", Chain((64, 1024, 1024, 10)), Recipe(optimizer="adam", epochs=80, batch_size=16), rows=125
    ),
    "shifted-digits": _shifted,
    "linear-circles": _circles,
    "breast-cancer": _cancer,
}


def read_example(name: str) -> tuple[Task, Recipe]:
    """The example of this name.

    Raises:
        InputError: when there is none.

    """
    if name not in EXAMPLES:
        raise InputError("SOURCE", f"no example {name!r}", f"use one of {', '.join(EXAMPLES)}")
    return EXAMPLES[name]()
