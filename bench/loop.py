"""What the training loop costs beside a bare hand-written one: median ratios of paired runs, one thread.

    python bench/loop.py [--write]

Both loops start from the same weights and gather the same batches from the same tensors; the bare one records nothing. They alternate in
one process (bare, ours, bare, ours), and each time of ours is divided by that of the bare loop just before it. Widths are calibrated to
the steps wanted. The evaluations that `fit` makes on the way are no part of the loop: they are replaced by a constant in the columns
"loop", and reported apart as the time of a whole `fit`, evaluations included, over the same without.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch import nn

import traindx as tdx
from traindx.probes import default_probes
from traindx.training import Evaluation, fit, trainer

RESULTS = Path(__file__).parent / "results" / "loop.md"
WANTED_MS, WIDTHS = (0.5, 2.0, 10.0), (32, 48, 64, 96, 128, 192, 256, 384, 512, 640, 768, 1024, 1280, 1536, 2048)
PAIRS, STEPS, ROWS, BATCH, INPUTS = 7, 640, 4096, 64, 64


def make_task(width: int) -> tdx.Task:
    """Three hidden layers on random rows."""

    def build() -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(INPUTS, width), nn.ReLU()]
        layers += [nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, INPUTS, generator=draws), torch.randint(10, (ROWS,), generator=draws)
    task = tdx.Task(build, nn.CrossEntropyLoss(), (x, y), validation=(x[: ROWS // 4], y[: ROWS // 4]))
    _ = task.fingerprint  # computed once a task, however many runs it has
    return task


def make_recipe(steps: int) -> tdx.Recipe:
    """SGD with momentum: the cheaper the optimizer, the heavier what is around it weighs."""
    return tdx.Recipe(lr=0.01, momentum=0.9, batch_size=BATCH, epochs=-(-steps * BATCH // ROWS), max_steps=steps)


def bare(task: tdx.Task, recipe: tdx.Recipe) -> float:
    """Seconds of a loop as one would write it by hand, the making of the model included."""
    x, y = task.train.inputs, task.train.targets
    assert x is not None and y is not None
    started = time.perf_counter()
    model, order = task.build(recipe.seed), torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    for _ in range(recipe.epochs):
        for index in torch.randperm(len(x), generator=order).split(recipe.batch_size):
            optimizer.zero_grad(set_to_none=True)
            task.loss(model(x[index]), y[index]).backward()
            optimizer.step()
    return time.perf_counter() - started


def ours(task: tdx.Task, recipe: tdx.Recipe, watched: bool = False) -> float:
    """Seconds of `fit`."""
    started = time.perf_counter()
    run = fit(task, recipe, default_probes() if watched else ()).run
    assert run.outcome is tdx.Outcome.FINISHED and run.steps == recipe.max_steps, run.reason
    return time.perf_counter() - started


@contextmanager
def no_evaluation() -> Iterator[None]:
    """Every evaluation is a constant."""
    with mock.patch.object(trainer, "evaluate", lambda *arguments: Evaluation(1.0, 0.1, 0.5, ROWS)):
        yield


def step_ms(width: int, steps: int = 64) -> float:
    """Milliseconds a step of the bare loop, the best of three."""
    task, recipe = make_task(width), make_recipe(steps)
    return min(bare(task, recipe) for _ in range(3)) / steps * 1000


def row(width: int) -> str:
    """One line of the table."""
    task, recipe = make_task(width), make_recipe(STEPS)
    plain, watched, evaluated, steps = [], [], [], []
    for _ in range(PAIRS):
        with no_evaluation():
            reference, alone = bare(task, recipe), ours(task, recipe)
            plain.append(alone / reference)
            reference, seen = bare(task, recipe), ours(task, recipe, watched=True)
            watched.append(seen / reference)
        evaluated.append(ours(task, recipe) / alone)
        steps.append(reference / STEPS * 1000)
    ratios = [f"{statistics.median(r):.3f} ({min(r):.3f} to {max(r):.3f})" for r in (plain, watched, evaluated)]
    return f"| {width} | {statistics.median(steps):.2f} | {' | '.join(ratios)} |"


def main() -> None:
    """Print the table; write it with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    step_ms(WIDTHS[0])  # what torch imports and allocates on first use
    measured = {width: step_ms(width) for width in WIDTHS}
    heading = "width | step of the bare loop, ms | loop, no probes | loop, all probes | with evaluations / without"
    lines = [f"| {heading} |", "|---" * 5 + "|"]
    for wanted in WANTED_MS:
        lines.append(row(min(WIDTHS, key=lambda width: abs(measured[width] - wanted))))
        print(lines[-1], flush=True)
    if arguments.write:
        where = f"{datetime.date.today()}, torch {torch.__version__}, 1 thread of {os.cpu_count()} cores"
        how = f"Ratios to the bare loop: medians of {PAIRS} pairs (least to greatest), {STEPS} steps of batch {BATCH} each."
        why = f"Evaluations: {ROWS // 2} training and {ROWS // 4} validation rows, after every epoch of {ROWS // BATCH} steps."
        RESULTS.write_text(
            f"# The training loop against a bare one\n\n`python bench/loop.py` ({where})\n\n{how} {why}\n\n" + "\n".join(lines) + "\n"
        )


if __name__ == "__main__":
    main()
