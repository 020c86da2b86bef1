"""Sharp and flat: large batches at equal training loss (claim 18); walls of a valley (claim 22); what batch normalization smooths (claim 31)."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from traindx.curvature import Objective
from traindx.curvature.sharpness import sharpness
from traindx.labs.base import Context, Seen, interval, over_seeds
from traindx.labs.batches import Perceptron
from traindx.labs.datasets import images
from traindx.labs.depth import task as clothes
from traindx.probes import default_probes
from traindx.records import Check, Plot, Recipe
from traindx.tasks import Task
from traindx.training import fit

# Training goes on until the loss is here, for either batch.
EQUAL_LOSS = 0.35
LEAST_SEEDS = 5
# At which all rows in a batch jump between walls and still learn.
HIGH_RATE = 0.5


def _empty() -> dict[int, list[float]]:
    return {32: [], 500: []}


class LargeBatches:
    """The protocol of Keskar et al., small."""

    name, claims = "large-batches", (18,)
    question = "Do large batches generalize worse, at equal training loss, and is that sharpness?"
    claim = "At equal training loss large batches test worse (80.0 against 77.3 % and the like), and end in sharper minima."
    source = "Keskar et al. 2017, as told in Lee, Machine Learning 2021; Dinh et al. 2017 on what sharpness is worth"

    def run(self, context: Context) -> Seen:
        """Batches of 32 and 500 trained to the same loss, over five seeds: test accuracies, and sharpness of both kinds."""
        folder = context.folder("fashion-mnist")
        data, held = images(folder, 5_000), images(folder, 4_000, "t10k")
        task = Task(partial(Perceptron, 256), nn.CrossEntropyLoss(), data, validation=held, name="fashion-mnist")
        seeds = tuple(context.seeds) + tuple(range(100, 100 + max(0, LEAST_SEEDS - len(context.seeds))))
        test, sharp, relative, losses = (_empty() for _ in range(4))
        for seed in seeds:
            for size, epochs in ((32, 12), (500, 120)):
                context.progress(f"batches of {size}, seed {seed}")
                recipe = Recipe(lr=0.1, batch_size=size, epochs=epochs, seed=seed)
                run = fit(task, recipe).run
                curve = run.curves["train_loss"]
                below = [step for step, loss in zip(curve.steps, curve.values, strict=True) if loss < EQUAL_LOSS]
                reached = below[0] if below else run.steps
                fitted = fit(task, recipe, horizon=reached, keep_weights=True)
                assert fitted.weights is not None, "a run that ended has weights"
                model = task.build(seed)
                model.load_state_dict(fitted.weights)
                objective = Objective(model, nn.CrossEntropyLoss(), [(torch.tensor(data[0][:500]), torch.tensor(data[1][:500]))])
                test[size].append(fitted.run.last("validation_metric"))
                losses[size].append(fitted.run.last("train_loss"))
                sharp[size].append(sharpness(objective).value)
                relative[size].append(sharpness(objective, epsilon=0.01, relative=True).value)
        gap = np.array(test[32]) - np.array(test[500])
        low, high = interval(gap)
        means = {
            name: [float(np.mean(v[size])) for size in (32, 500)]
            for name, v in (("sharp", sharp), ("relative", relative), ("loss", losses))
        }
        checks = (
            Check(
                label="training loss, batch 32 - batch 500",
                measured=means["loss"][0] - means["loss"][1],
                lecture="0",
                holds=abs(means["loss"][0] - means["loss"][1]) < 0.05,
            ),
            over_seeds("test accuracy, batch 32 - batch 500", gap, "above 0 for sure (0.003 to 0.048)", low > 0),
            Check(
                label="sharpness in Keskar's box, batch 500 over batch 32",
                measured=means["sharp"][1] / means["sharp"][0],
                lecture="above 1",
                holds=means["sharp"][1] > means["sharp"][0],
            ),
        )
        axis = tuple(map(float, range(1, len(seeds) + 1)))
        plot = Plot(
            title="Test accuracy at equal training loss",
            caption=f"Either batch is trained until its training loss is {EQUAL_LOSS}; the 95 % interval of the difference is {low:+.4f} to {high:+.4f}.",
            x_label="seed",
            y_label="test accuracy",
            lines={f"batch {size}": (axis, tuple(test[size])) for size in (32, 500)},
            points=True,
            names=tuple(map(str, seeds)),
        )
        said = f"The difference is {gap.mean():+.4f} ({low:+.4f} to {high:+.4f}); rescaling-invariant sharpness {means['relative'][0]:.3g} and {means['relative'][1]:.3g} (batch 32, 500)."
        return Seen(sentence=said, checks=checks, plots=(plot,), differs=low <= 0)


class Walls:
    """A loss that is flat although gradients are not small."""

    name, claims = "walls", (22,)
    question = "The loss stopped falling: is this a critical point?"
    claim = "Often it is not: the gradient is large, and updates jump between the walls of a valley. A lower rate goes on."
    source = "Lee, Machine Learning 2021, error surface is rugged"

    def run(self, context: Context) -> Seen:
        """A network at a high rate on all rows: full gradients and their directions at the end, and the loss after lowering the rate."""
        x, y = images(context.folder("fashion-mnist"), 2_000)
        task = Task(partial(Perceptron), nn.CrossEntropyLoss(), (x, y), name="fashion-mnist")
        high = Recipe(lr=HIGH_RATE, batch_size=len(x), epochs=150)
        rows = []
        for seed in context.seeds:
            context.progress(f"seed {seed}")
            ways = [fit(task, high.replace(seed=seed, schedule=s), default_probes()).run for s in ("constant", "step:100:0.1")]
            norm, cosine, loss = (np.array(ways[0].curves[name].values) for name in ("gradient_norm", "gradient_cosine", "train_loss"))
            # The loss jumps, so where it stands is the middle of the last third.
            share, turned, stuck = (float(np.median(values[len(values) // 3 * 2 :])) for values in (norm, cosine, loss))
            rows.append((share / norm[0], turned, stuck, ways[1].last("train_loss")))
        share, turned, stuck, lowered = np.array(rows).T
        checks = (
            over_seeds("full gradient late, over the first", share, "not small", (share > 0.1).all()),
            over_seeds("cosine of successive gradients, late", turned, "below 0", (turned < 0).all()),
            over_seeds("training loss after lowering the rate, over before", lowered / stuck, "below 1", (lowered < stuck).all()),
        )
        curves = {
            name: run.curves["train_loss"] for name, run in zip((f"rate {HIGH_RATE:g}", "lowered after 100 updates"), ways, strict=True)
        }
        plot = Plot(
            title="Between the walls",
            caption="All rows in a batch: no noise, and yet the loss jumps; a tenth of the rate goes on down.",
            x_label="updates",
            y_label="training loss",
            lines={name: (tuple(map(float, c.steps)), c.values) for name, c in curves.items()},
        )
        return Seen(
            sentence=f"Late gradients are {share.mean():.1f} times the first, with a cosine of {turned.mean():.2f} from one to the next; a tenth of the rate takes the loss from {stuck.mean():.3g} to {lowered.mean():.3g}.",
            checks=checks,
            plots=(plot,),
        )


class Smoothing:
    """What batch normalization does to the surface."""

    name, claims = "smoothing", (31,)
    question = "Why does batch normalization help?"
    claim = "It smooths the error surface: along the gradient, loss and gradient vary less."
    source = "Santurkar et al. 2018, as told in Lee, Machine Learning 2021"

    def run(self, context: Context) -> Seen:
        """Along the gradient at points of the training: the range of losses, and the change of the gradient, with and without it."""
        steps = np.linspace(0.05, 0.4, 8)
        found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        bands: dict[bool, list[float]] = {}
        for normalized in (False, True):
            task = clothes(context, rows=5_000, depth=8, normalized=normalized)
            for seed in context.seeds:
                context.progress(f"{'with' if normalized else 'without'} batch normalization, seed {seed}")
                per_point = []
                for horizon in (10, 40, 80):
                    fitted = fit(task, Recipe(lr=0.02, batch_size=100, epochs=3, seed=seed), horizon=horizon, keep_weights=True)
                    assert fitted.weights is not None, "a run that ended has weights"
                    model = task.build(seed)
                    model.load_state_dict(fitted.weights)
                    per_point.append(_along(model, task, steps))
                found[normalized].append((float(np.mean([p[0] for p in per_point])), float(np.mean([p[1] for p in per_point]))))
                bands.setdefault(normalized, per_point[-1][2])
        without, with_norm = (np.array(found[n]) for n in (False, True))
        checks = (
            Check(
                label="range of the loss along the gradient, with over without",
                measured=float((with_norm[:, 0] / without[:, 0]).mean()),
                lecture="narrower: below 1",
                holds=bool((with_norm[:, 0] < without[:, 0]).all()),
            ),
            Check(
                label="change of the gradient, with over without",
                measured=float((with_norm[:, 1] / without[:, 1]).mean()),
                lecture="smaller: below 1",
                holds=bool((with_norm[:, 1] < without[:, 1]).all()),
            ),
        )
        plot = Plot(
            title="Loss along the gradient",
            caption="At update 80, for steps of 0.05 to 0.4 along the gradient of a batch; eight hidden layers.",
            x_label="step along the gradient",
            y_label="loss",
            lines={name: (tuple(steps), tuple(bands[n])) for name, n in (("without", False), ("with batch normalization", True))},
            log=True,
        )
        return Seen(
            sentence=f"Along the gradient the loss ranges over {with_norm[:, 0].mean():.3g} with it and {without[:, 0].mean():.3g} without.",
            checks=checks,
            plots=(plot,),
        )


def _along(model: nn.Module, task: Task, steps: np.ndarray) -> tuple[float, float, list[float]]:
    """(range of the loss, largest change of the gradient, losses) along the gradient of one batch, in training mode."""
    x, y = task.train.inputs, task.train.targets
    assert x is not None and y is not None, "images are arrays"
    objective = Objective(model, nn.CrossEntropyLoss(), [(x[:500], y[:500])], training=True)
    point, gradient = objective.flat(), objective.gradient()
    losses, changes = [], []
    for step in steps:
        with objective.at(point - float(step) * gradient):
            losses.append(objective.loss())
            changes.append(float((objective.gradient() - gradient).norm()))
    return float(max(losses) - min(losses)), max(changes), losses
