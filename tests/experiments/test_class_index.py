from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from small_labs import lab_for
from torch import nn

from traindx.experiments import ClassIndex
from traindx.records import Evidence, Question
from traindx.tasks import Task


def asked(x: np.ndarray, y: np.ndarray) -> Evidence:
    task = Task(lambda: nn.Linear(x.shape[1], 1), nn.MSELoss(), (x.astype(np.float32), y.astype(np.float32)[:, None]))
    (found,) = ClassIndex().run(lab_for(task), Question(experiment="class_index"))
    return found


def test_digits_are_names() -> None:
    found = asked(*load_digits(return_X_y=True))
    assert found.measure == "gain_of_naming" and found.low is not None and found.low > 0.1


def test_counts_are_quantities() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    found = asked(x, np.clip(np.rint(2 * x[:, 0] + 4 + rng.normal(0, 0.3, 600)), 0, 8))
    assert found.low is not None and found.low < 0.05


def test_few_rows_are_declined() -> None:
    assert asked(np.eye(20), np.arange(20) % 4).measure == "not-applicable"


def test_quantities_in_large_steps_are_quantities() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    found = asked(x, 200 * np.clip(np.rint(2 * x[:, 0] + 4 + rng.normal(0, 0.3, 600)), 0, 8))
    assert found.low is not None and found.low < 0.05
