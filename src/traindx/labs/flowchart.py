"""The guide's flowchart: five trainings, five answers (claim 1)."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes
from torch import nn

from traindx import api
from traindx.labs.base import Context, Seen
from traindx.records import Branch, Check, Plot, Recipe
from traindx.tasks import Task
from traindx.tasks.readers import read

WANTED = {
    "healthy-digits": Branch.HEALTHY,
    "linear-circles": Branch.MODEL_BIAS,
    "slow-digits": Branch.OPTIMIZATION,
    "diabetes": Branch.OVERFITTING,
    "shifted-digits": Branch.MISMATCH,
}


def wide_network() -> nn.Module:
    """Two hundred parameters for every patient."""
    return nn.Sequential(nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))


def training(name: str) -> tuple[Task, Recipe]:
    """A built-in example; or the progress of 442 diabetics, by a network that learns them by heart."""
    if name != "diabetes":
        return read(f"example:{name}")
    x, y = load_diabetes(return_X_y=True)
    rows = ((x / x.std(0)).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)[:, None])
    return Task(wide_network, nn.MSELoss(), rows, name=name), Recipe(optimizer="adam", epochs=60, batch_size=32)


class Flowchart:
    """The training loss first, then validation, then the test set."""

    name, claims = "flowchart", (1,)
    question = "A bad result: which of five things is it?"
    claim = "Look at the training loss first: model bias or optimization; then overfitting; then mismatch. A large test loss alone says nothing."
    source = "Lee, Machine Learning 2021, general guidance"

    def run(self, context: Context) -> Seen:
        """Five trainings, each with its cause known, diagnosed."""
        found, bars = {}, {}
        for name, branch in WANTED.items():
            context.progress(f"diagnosing {name}")
            diagnosis = api.diagnose(*training(name), store=context.store)
            found[name] = (branch, diagnosis)
            run = diagnosis.baseline
            bars[name] = (run.last("train_loss"), run.last("validation_loss")) if run else (0.0, 0.0)
        checks = tuple(
            Check(
                label=f"{name}: {diagnosis.branch.value}",
                measured=float(diagnosis.branch is branch),
                lecture=branch.value,
                holds=diagnosis.branch is branch,
            )
            for name, (branch, diagnosis) in found.items()
        )
        axis = tuple(map(float, range(1, len(bars) + 1)))
        plot = Plot(
            title="Losses of the five",
            caption="Validation losses alone do not tell them apart.",
            x_label="training",
            y_label="loss",
            lines={"training": (axis, tuple(b[0] for b in bars.values())), "validation": (axis, tuple(b[1] for b in bars.values()))},
            points=True,
            names=tuple(bars),
        )
        right = sum(check.holds for check in checks)
        return Seen(sentence=f"{right} of {len(checks)} trainings are told right.", checks=checks, plots=(plot,))
