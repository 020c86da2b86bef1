"""Deeper can train worse: plain networks and shortcuts on images of clothes (claims 3 and 4), and normalization in deep ones (claim 30)."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import Tensor, nn

from traindx.labs.base import Context, Seen, over_seeds
from traindx.labs.datasets import images
from traindx.records import Check, Plot, Recipe, Run
from traindx.tasks import Task

ROWS, WIDTH = 20_000, 64
# The shortcut brings a deep network within this share of the best loss.
WITHIN = 0.1


class Plain(nn.Module):
    """A perceptron of ``depth`` hidden layers, with identity shortcuts scaled by 1 / depth or without, with batch normalization or without."""

    def __init__(self, depth: int, shortcuts: bool = False, normalized: bool = False, activation: str = "relu") -> None:
        super().__init__()
        self.first = nn.Linear(784, WIDTH)
        self.hidden = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(depth - 1)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(WIDTH) for _ in range(depth)] if normalized else [])
        self.last = nn.Linear(WIDTH, 10)
        self.shortcuts, self.act = shortcuts, nn.ReLU() if activation == "relu" else nn.Sigmoid()
        for layer in (self.first, *self.hidden):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu") if activation == "relu" else nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        if shortcuts:
            for layer in self.hidden:
                layer.get_parameter("weight").data.div_(depth)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 784) -> (n, 10)."""
        for i, layer in enumerate((self.first, *self.hidden)):
            y = layer(x)
            y = self.act(self.norms[i](y) if self.norms else y)
            x = x + y if self.shortcuts and i else y
        out: Tensor = self.last(x)
        return out


def task(context: Context, rows: int = ROWS, **network: object) -> Task:
    """Images of clothes for such a network."""
    x, y = images(context.folder("fashion-mnist"), rows)
    return Task(partial(Plain, **network), nn.CrossEntropyLoss(), (x, y), name="fashion-mnist")  # type: ignore[arg-type]


def last(runs: list[Run], name: str = "train_loss") -> np.ndarray:
    """Final values, one a seed; chance where a run diverged."""
    return np.array([v if np.isfinite(v := run.last(name)) else (np.log(10) if name.endswith("loss") else 0.1) for run in runs])


class Depth:
    """20 against 56 layers."""

    name, claims = "depth", (3, 4)
    question = "If a deeper network is worse, is it overfitting?"
    claim = "56 layers are worse than 20 on the training data already: an optimization issue. Shortcuts cure it."
    source = "Lee, Machine Learning 2021, general guidance; He et al. 2016, fig. 1"

    def run(self, context: Context) -> Seen:
        """Training losses of 4, 20 and 56 layers, plain and with shortcuts, over seeds."""
        recipe = Recipe(lr=0.01, momentum=0.9, batch_size=100, epochs=8 if context.full else 4)
        runs = {
            (depth, shortcuts): context.train(
                task(context, depth=depth, shortcuts=shortcuts), recipe, f"{depth} layers{' with shortcuts' if shortcuts else ''}"
            )
            for depth in (4, 20, 56)
            for shortcuts in (False, True)
        }
        losses = {key: last(found) for key, found in runs.items()}
        best = min(v.mean() for v in losses.values())
        plain, skip = ({d: losses[d, s] for d in (4, 20, 56)} for s in (False, True))
        test = {d: last(runs[d, False], "validation_metric") for d in (20, 56)}
        near_best = (1 + WITHIN) * best
        checks = (
            over_seeds("training loss, 4 layers", plain[4], "0.31", plain[4].mean() < 0.45),
            over_seeds("training loss, 20 - 4 layers", plain[20] - plain[4], "above 0 on every seed", (plain[20] > plain[4]).all()),
            over_seeds("training loss, 56 - 20 layers", plain[56] - plain[20], "above 0 on every seed", (plain[56] > plain[20]).all()),
            over_seeds("training loss, 20 with shortcuts", skip[20], "within 10 % of the best", skip[20].mean() < near_best),
            over_seeds("training loss, 56 with shortcuts", skip[56], "within 10 % of the best", skip[56].mean() < near_best),
            over_seeds("validation accuracy, 56 - 20 layers", test[56] - test[20], "below 0", test[56].mean() < test[20].mean()),
        )
        lines = {}
        for (depth, shortcuts), found in runs.items():
            if depth != 4:
                curve = found[0].curves["train_loss"]
                lines[f"{depth} layers{', shortcuts' if shortcuts else ''}"] = (tuple(map(float, curve.steps)), curve.values)
        plot = Plot(
            title="Training loss by depth",
            caption=f"Plain networks and networks with shortcuts on {ROWS} images of clothes, seed {context.seeds[0]}.",
            x_label="updates",
            y_label="training loss",
            lines=lines,
        )
        said = f"Training loss {plain[4].mean():.3g}, {plain[20].mean():.3g}, {plain[56].mean():.3g} for 4, 20, 56 plain layers; {skip[56].mean():.3g} for 56 with shortcuts."
        return Seen(sentence=said, checks=checks, plots=(plot,))


class Normalization:
    """Batch normalization in a deep sigmoid network."""

    name, claims = "normalization", (30,)
    question = "What does batch normalization change?"
    claim = "A sigmoid network that does not train without batch normalization trains with it, and higher rates become possible."
    source = "Lee, Machine Learning 2021, batch normalization; Ioffe and Szegedy 2015"

    def run(self, context: Context) -> Seen:
        """Eight hidden layers at several rates, sigmoid and ReLU, with and without it."""
        rates = (0.01, 0.05, 0.3, 1.0)
        found: dict[tuple[str, float, bool], np.ndarray] = {}
        for activation, rate in [("sigmoid", 0.05), *(("relu", r) for r in rates)]:
            for normalized in (False, True):
                told = f"{activation}, rate {rate:g}{', normalized' if normalized else ''}"
                recipe = Recipe(lr=rate, momentum=0.9, batch_size=100, epochs=3)
                runs = context.train(task(context, depth=8, normalized=normalized, activation=activation), recipe, told)
                found[activation, rate, normalized] = last(runs, "train_metric")
        trains = {n: [r for r in rates if found["relu", r, n].mean() > 0.7] for n in (False, True)}
        widest = [max(trains[n], default=0.0) for n in (False, True)]
        without, with_norm = (found["sigmoid", 0.05, n] for n in (False, True))
        checks = (
            over_seeds("sigmoid, without: training accuracy", without, "0.099 (chance)", without.mean() < 0.2),
            over_seeds("sigmoid, with: training accuracy", with_norm, "above 0.8", with_norm.mean() > 0.8),
            Check(
                label="ReLU: largest rate that trains, with over without",
                measured=widest[1] / max(widest[0], 1e-3),
                lecture="10 and more",
                holds=widest[1] >= 10 * widest[0],
            ),
        )
        plot = Plot(
            title="Rates that train",
            caption="Training accuracy of eight hidden ReLU layers after three epochs, means over seeds.",
            x_label="learning rate",
            log_x=True,
            y_label="training accuracy",
            lines={
                name: (tuple(map(float, rates)), tuple(float(found["relu", r, n].mean()) for r in rates))
                for name, n in (("without", False), ("with batch normalization", True))
            },
        )
        said = f"Sigmoid: {without.mean():.2f} without, {with_norm.mean():.2f} with it; ReLU trains up to a rate of {widest[0]:g} without and {widest[1]:g} with it."
        return Seen(sentence=said, checks=checks, plots=(plot,), differs=bool(with_norm.mean() > 0.8 and without.mean() < 0.2))
