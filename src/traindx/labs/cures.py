"""Cures of overfitting on few images: shared parameters, shifts that keep labels, and a flip that does not (claim 6)."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import Tensor, nn

from traindx.labs.base import Context, Seen, over_seeds
from traindx.labs.batches import Perceptron
from traindx.labs.datasets import images
from traindx.labs.depth import last
from traindx.records import Plot, Recipe
from traindx.remedies import Augment
from traindx.tasks import Task

ROWS, TEST = 500, 2_000


class Convolutional(nn.Module):
    """A small network that shares its parameters over places."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(784, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, 784) -> (n, 10)."""
        out: Tensor = self.body(x)
        return out


def flipped(x: np.ndarray) -> np.ndarray:
    """Images upside down."""
    return np.ascontiguousarray(x.reshape(-1, 28, 28)[:, ::-1]).reshape(len(x), -1)


class Cures:
    """Gap and test accuracy with and without each cure."""

    name, claims = "cures", (6,)
    question = "What helps against overfitting, and what only looks like help?"
    claim = "Shared parameters and augmentation that makes sense shrink the gap between training and test; augmentation that does not makes the test worse."
    source = "Lee, Machine Learning 2021, general guidance"

    def run(self, context: Context) -> Seen:
        """Digits, few rows: a perceptron, a convolutional network, shifts, and copies upside down under the same labels."""
        folder = context.folder("mnist")
        (x, y), held = images(folder, ROWS), images(folder, TEST, "t10k")
        recipe = Recipe(optimizer="adam", lr=1e-3, batch_size=32, epochs=25)
        plain = Task(partial(Perceptron), nn.CrossEntropyLoss(), (x, y), validation=held, name="mnist")
        shared = Task(Convolutional, nn.CrossEntropyLoss(), (x, y), validation=held, name="mnist")
        shifted, _ = Augment(shift=2).apply(shared, recipe)
        upside = Task(Convolutional, nn.CrossEntropyLoss(), (np.r_[x, flipped(x)], np.r_[y, y]), validation=held, name="mnist")
        tasks = {"perceptron": plain, "convolutional": shared, "convolutional, shifted": shifted, "convolutional, upside down": upside}
        runs = {name: context.train(task, recipe, name) for name, task in tasks.items()}
        test = {name: last(found, "validation_metric") for name, found in runs.items()}
        gap = {name: last(found, "train_metric") - test[name] for name, found in runs.items()}
        base = "convolutional"
        shared, shifts, upset = gap[base] - gap["perceptron"], "convolutional, shifted", "convolutional, upside down"
        checks = (
            over_seeds("gap, convolutional - perceptron", shared, "below 0", (shared < 0).all()),
            over_seeds("gap, shifted - not", gap[shifts] - gap[base], "below 0", (gap[shifts] < gap[base]).all()),
            over_seeds("test accuracy, shifted - not", test[shifts] - test[base], "above 0", test[shifts].mean() > test[base].mean()),
            over_seeds("test accuracy, upside down - not", test[upset] - test[base], "below 0", (test[upset] < test[base]).all()),
        )
        axis = tuple(map(float, range(1, len(tasks) + 1)))
        plot = Plot(
            title="Training and test accuracy",
            caption=f"{ROWS} digits, means over seeds.",
            x_label="network and augmentation",
            y_label="accuracy",
            lines={
                "training": (axis, tuple(float((gap[n] + test[n]).mean()) for n in tasks)),
                "test": (axis, tuple(float(test[n].mean()) for n in tasks)),
            },
            points=True,
            names=tuple(tasks),
        )
        said = f"Test accuracy {test['perceptron'].mean():.3f} (perceptron), {test[base].mean():.3f} (convolutional), {test['convolutional, shifted'].mean():.3f} shifted, {test['convolutional, upside down'].mean():.3f} with copies upside down."
        return Seen(sentence=said, checks=checks, plots=(plot,))
