"""Batch size: time, accuracy and noise (claims 15, 16 and 20), and warm-up (claim 26)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from traindx.curvature import Objective
from traindx.experiments.batch_size import seconds_per_update
from traindx.labs.base import Context, Seen, interval, over_seeds
from traindx.labs.datasets import images
from traindx.labs.depth import last
from traindx.labs.depth import task as clothes
from traindx.records import Check, Plot, Recipe
from traindx.tasks import Task

# All of them, so that the last batch size is that of full batches.
ROWS = 60_000
SIZES = (10, 100, 1_000, 10_000, ROWS)
# Updates.
WARM_UP = 300


class Perceptron(nn.Module):
    """784-128-10."""

    def __init__(self, hidden: int = 128) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 784) -> (n, 10)."""
        out: Tensor = self.body(x)
        return out


def gradient_noise(task: Task, size: int, batches: int = 20) -> float:
    """Mean distance of batch gradients from their mean, in units of the mean's length, for the untrained network of seed 0."""
    x, y = task.train.inputs, task.train.targets
    assert x is not None and y is not None, "images are arrays"
    rows = [slice(i, i + size) for i in range(0, min(batches * size, len(y) - size + 1), size)]
    objective = Objective(task.build(0), nn.CrossEntropyLoss(), [(x[r], y[r]) for r in rows])
    gradients = torch.stack([gradient for _, gradient in objective.batch_gradients()])
    mean = gradients.mean(0)
    return float((gradients - mean).norm(dim=1).mean() / mean.norm())


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Let torch compute on one thread: what handing small batches to several costs is more than the batches themselves, and is no law of theirs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class BatchSize:
    """Small and large batches on digits."""

    name, claims = "batch-size", (15, 16, 20)
    question = "Is a large batch faster, and is a small one better?"
    claim = "The time of an update hardly grows with the batch (on a GPU), an epoch of small batches is slow, and small batches train better at equal epochs."
    source = "Lee, Machine Learning 2021, batch and momentum"

    def run(self, context: Context) -> Seen:
        """Seconds an update and an epoch, on one thread; training accuracy at equal epochs and at equal updates."""
        x, y = images(context.folder("mnist"), ROWS)
        task = Task(
            partial(Perceptron), nn.CrossEntropyLoss(), (x, y), validation=images(context.folder("mnist"), 2_000, "t10k"), name="mnist"
        )
        with on_one_thread():
            update = {size: seconds_per_update(task, Recipe(lr=0.01, batch_size=size))[0] for size in SIZES}
        epochs, updates = {}, {}
        for size in SIZES:
            runs = context.train(task, Recipe(lr=0.01, batch_size=size, epochs=2), f"batches of {size}, two epochs")
            epochs[size] = last(runs, "train_metric")
            updates[size] = last(
                context.train(task, Recipe(lr=0.01, batch_size=size, epochs=200, max_steps=100), f"batches of {size}, 100 updates"),
                "train_metric",
            )
        epoch = {size: update[size] * ROWS / size for size in SIZES}
        falls = all((epochs[a] > epochs[b]).all() for a, b in pairwise(SIZES))
        gained = updates[ROWS] - updates[10]
        flat = update[1_000] / update[10]
        noise = gradient_noise(task, 10) / gradient_noise(task, 1_000)
        checks = (
            Check(
                label="seconds an update on one thread, batch 1,000 over batch 10",
                measured=flat,
                lecture="about 1 (GPU)",
                holds=bool(flat < 2),
            ),
            Check(
                label="seconds an epoch, batch 10 over batch 1,000",
                measured=epoch[10] / epoch[1_000],
                lecture="above 1 (45 s : 10 s)",
                holds=bool(epoch[10] > epoch[1_000]),
            ),
            over_seeds("training accuracy at equal epochs, batch 10", epochs[10], "falls with the batch, on every seed", falls),
            over_seeds("training accuracy at equal epochs, largest batch", epochs[ROWS], "lowest", falls),
            over_seeds("the same at 100 updates, largest batch - batch 10", gained, "stands beside it: above 0", gained.mean() > 0),
            Check(label="noise of the gradient, batch 10 over batch 1,000", measured=noise, lecture="noisy : stable", holds=noise > 1),
        )
        axis = tuple(map(float, SIZES))
        plots = (
            Plot(
                title="Time",
                caption="Seconds on one thread of this machine: of one update, and of one epoch.",
                x_label="batch size",
                log_x=True,
                y_label="seconds",
                log=True,
                lines={"an update": (axis, tuple(update.values())), "an epoch": (axis, tuple(epoch.values()))},
            ),
            Plot(
                title="Accuracy",
                caption="Training accuracy after two epochs, where small batches do more updates, and after 100 updates each.",
                x_label="batch size",
                log_x=True,
                y_label="training accuracy",
                lines={
                    "two epochs": (axis, tuple(float(v.mean()) for v in epochs.values())),
                    "100 updates": (axis, tuple(float(v.mean()) for v in updates.values())),
                },
            ),
        )
        said = f"An update with 1,000 rows takes {flat:.1f} times one with 10; accuracy after two epochs is {epochs[10].mean():.2f} with batches of 10 and {epochs[ROWS].mean():.2f} with {ROWS}, but the order turns at equal updates."
        return Seen(sentence=said, checks=checks, plots=plots, differs=bool(flat >= 2 and falls))


class WarmUp:
    """A high rate, with and without a warm-up."""

    name, claims = "warm-up", (26,)
    question = "Can a rate be too high for the start alone?"
    claim = "A rate slightly too large to start with trains after a warm-up."
    source = "He et al. 2016, section 4.2, as told in Lee, Machine Learning 2021"

    def run(self, context: Context) -> Seen:
        """A deep network at rates that are slightly too large: training accuracy without and with a warm-up."""
        accuracy: dict[tuple[float, bool], np.ndarray] = {}
        rates = (0.1, 0.11, 0.12, 0.13, 0.14)
        task = clothes(context, rows=10_000, depth=12)
        for rate in rates:
            for warm in (False, True):
                recipe = Recipe(lr=rate, momentum=0.9, batch_size=50, epochs=4, warmup_steps=WARM_UP if warm else 0)
                runs = context.train(task, recipe, f"rate {rate:g}{' after a warm-up' if warm else ''}")
                accuracy[rate, warm] = last(runs, "train_metric")
        cold, warmed = (np.concatenate([accuracy[r, w] for r in rates]) for w in (False, True))
        helps = interval(warmed - cold)[0] > 0
        checks = (
            over_seeds("training accuracy, without", cold, "lower", cold.mean() < warmed.mean()),
            over_seeds(f"the same after a warm-up of {WARM_UP} updates, minus without", warmed - cold, "above 0 for sure", helps),
        )
        plot = Plot(
            title="Rates that are slightly too large",
            caption=f"Training accuracy after four epochs, mean over {len(context.seeds)} seeds; chance is 0.1.",
            x_label="learning rate",
            y_label="training accuracy",
            lines={
                name: (rates, tuple(float(accuracy[r, w].mean()) for r in rates))
                for name, w in (("from the start", False), ("after a warm-up", True))
            },
        )
        said = f"At rates of {rates[0]:g} to {rates[-1]:g} the training accuracy is {cold.mean():.2f} without a warm-up, {warmed.mean():.2f} with one."
        return Seen(sentence=said, checks=checks, plots=(plot,))
