"""What the training loop costs beside a bare hand-written one: median ratio of paired runs, one thread.

    python bench/loop.py [--write]

Both loops gather the same batches from the same tensors and take as many steps. The bare loop evaluates nothing, so evaluation is made
negligible in ours: 64 validation rows, few training rows looked at. (a) without probes, (b) with all default probes.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import time
from pathlib import Path

import torch
from torch import nn

import traindx as tdx
from traindx.probes import default_probes
from traindx.training import evaluation, fit

RESULTS = Path(__file__).parent / "results" / "loop.md"
PAIRS, ROWS, BATCH, INPUTS = 5, 12800, 64, 256


def network(width: int) -> nn.Module:
    """Three hidden layers."""
    return nn.Sequential(
        nn.Linear(INPUTS, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )


def bare(task: tdx.Task, recipe: tdx.Recipe) -> float:
    """Seconds of a loop as one would write it by hand."""
    x, y = task.train.inputs, task.train.targets
    assert x is not None and y is not None
    model, order = task.build(recipe.seed), torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    started = time.perf_counter()
    for _ in range(recipe.epochs):
        for index in torch.randperm(len(x), generator=order).split(recipe.batch_size):
            optimizer.zero_grad(set_to_none=True)
            task.loss(model(x[index]), y[index]).backward()
            optimizer.step()
    return time.perf_counter() - started


def ours(task: tdx.Task, recipe: tdx.Recipe, watched: bool) -> float:
    """Seconds of `fit`."""
    started = time.perf_counter()
    fit(task, recipe, default_probes() if watched else ())
    return time.perf_counter() - started


def row(width: int, epochs: int) -> str:
    """One line of the table."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, INPUTS, generator=generator), torch.randint(10, (ROWS,), generator=generator)
    task = tdx.Task(lambda: network(width), nn.CrossEntropyLoss(), (x, y), validation=(x[:64], y[:64]))
    recipe = tdx.Recipe(lr=0.01, momentum=0.9, batch_size=BATCH, epochs=epochs)
    _ = task.fingerprint, bare(task, recipe.replace(epochs=1)), ours(task, recipe.replace(epochs=1), True)
    plain, watched, steps = [], [], []
    for _ in range(PAIRS):
        reference = bare(task, recipe)
        plain.append(ours(task, recipe, False) / reference)
        watched.append(ours(task, recipe, True) / bare(task, recipe))
        steps.append(reference / (epochs * ROWS / BATCH) * 1000)
    return f"| {statistics.median(steps):.2f} | {statistics.median(plain):.3f} | {statistics.median(watched):.3f} |"


def main() -> None:
    """Print the table; write it with --write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    evaluation.MAX_ROWS = 64  # see above
    lines = ["| step of the bare loop, ms | ratio without probes | ratio with all probes |", "|---|---|---|"]
    for width, epochs in ((48, 10), (224, 6), (640, 3)):
        lines.append(row(width, epochs))
        print(lines[-1], flush=True)
    if arguments.write:
        where = f"{datetime.date.today()}, torch {torch.__version__}, 1 thread, {os.cpu_count()} cores, median of {PAIRS} pairs"
        RESULTS.write_text(f"# The training loop against a bare one\n\n`python bench/loop.py` ({where})\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
