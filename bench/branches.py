"""Is the branch right, on real data? Prints case, branch, top finding, cost in baseline runs, seconds.

    python bench/branches.py [--seeds 0 1 2] [--only CASE ...] [--write]

Cost is all wall seconds of a diagnosis, reference models included, over those of its baseline run.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

import traindx as tdx
from data import adult, california, cifar, gas_split, mnist, spoken, standardized, wine

RESULTS = Path(__file__).parent / "results" / "branches.md"


class Case(NamedTuple):
    """A training, and what a diagnosis of it should say."""

    make: Callable[[], tuple[tdx.Task, tdx.Recipe]]
    branch: str
    causes: tuple[str, ...] = ()


def mlp(*widths: int) -> Callable[[], nn.Module]:
    """A plain ReLU network with torch's default initialization."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return build


def plain(depth: int) -> Callable[[], nn.Module]:
    """784 inputs, ``depth`` weight layers of width 64, He initialization."""

    def build() -> nn.Module:
        model = mlp(784, *([64] * (depth - 1)), 10)()
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        return model

    return build


def small_cnn() -> nn.Module:
    """Two convolutions and a linear layer on 28 x 28 pixels."""
    return nn.Sequential(
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


def gas_drift() -> tuple[tdx.Task, tdx.Recipe]:
    """Batch 1 trained, batches 2 to 9 as test."""
    (x, y), (u, v) = gas_split()
    x, u = standardized(x, u)
    return tdx.Task(mlp(128, 64, 6), nn.CrossEntropyLoss(), (x, y), test=(u, v), name="gas-drift"), tdx.Recipe(
        optimizer="adam", lr=1e-3, epochs=60, batch_size=32
    )


def spoken_digits() -> tuple[tdx.Task, tdx.Recipe]:
    """Speaker nicolas left out as test."""
    (x, y), (u, v) = spoken("nicolas")
    task = tdx.Task(mlp(512, 128, 10), nn.CrossEntropyLoss(), (x, y), test=(u, v), name="spoken-digits")
    return task, tdx.Recipe(optimizer="adam", lr=1e-3, epochs=20)


def coast_inland() -> tuple[tdx.Task, tdx.Recipe]:
    """California: coast trained, inland as test."""
    x, y, inland = california()
    mine, theirs = standardized(x[~inland], x[inland])
    task = tdx.Task(mlp(8, 64, 64, 1), nn.MSELoss(), (mine, y[~inland][:, None]), test=(theirs, y[inland][:, None]), name="california")
    return task, tdx.Recipe(optimizer="adam", lr=1e-3, epochs=30)


def red_white() -> tuple[tdx.Task, tdx.Recipe]:
    """Wine: red trained, white as test."""
    (x, y), (u, v) = wine("red"), wine("white")
    x, u = standardized(x, u)
    task = tdx.Task(mlp(11, 32, 1), nn.MSELoss(), (x, y[:, None]), test=(u, v[:, None]), name="wine")
    return task, tdx.Recipe(optimizer="adam", lr=3e-3, epochs=100, batch_size=32)


def fashion_200() -> tuple[tdx.Task, tdx.Recipe]:
    """200 images, a wide network; another 500 images are validation."""
    x, y = mnist("fashion-mnist", 700)
    task = tdx.Task(mlp(784, 1024, 10), nn.CrossEntropyLoss(), (x[:200], y[:200]), validation=(x[200:], y[200:]), name="fashion-200")
    return task, tdx.Recipe(optimizer="adam", lr=1e-3, epochs=60, batch_size=32)


def cifar_2000() -> tuple[tdx.Task, tdx.Recipe]:
    """2,000 images, a wide fully connected network."""
    return tdx.Task(mlp(3072, 512, 512, 10), nn.CrossEntropyLoss(), cifar(2000), name="cifar-2000"), tdx.Recipe(
        lr=0.03, momentum=0.9, epochs=40
    )


def fashion_plain(depth: int) -> Callable[[], tuple[tdx.Task, tdx.Recipe]]:
    """20,000 images, a plain network of this depth."""

    def make() -> tuple[tdx.Task, tdx.Recipe]:
        recipe = tdx.Recipe(lr=0.01, momentum=0.9, batch_size=100, epochs=8)
        return tdx.Task(plain(depth), nn.CrossEntropyLoss(), mnist("fashion-mnist", 20_000), name=f"fashion-{depth}-layers"), recipe

    return make


def circles() -> tuple[tdx.Task, tdx.Recipe]:
    """scikit-learn's circles with a linear model."""
    from sklearn.datasets import make_circles

    x, y = make_circles(1000, noise=0.1, factor=0.5, random_state=0)
    return tdx.Task(mlp(2, 2), nn.CrossEntropyLoss(), (x, y), name="circles"), tdx.Recipe(lr=0.1, momentum=0.9, epochs=40)


def digits(model: Callable[[], nn.Module], recipe: tdx.Recipe, name: str) -> Callable[[], tuple[tdx.Task, tdx.Recipe]]:
    """scikit-learn's digits."""

    def make() -> tuple[tdx.Task, tdx.Recipe]:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        return tdx.Task(model, nn.CrossEntropyLoss(), (x / 16, y), name=name), recipe

    return make


def mnist_cnn() -> tuple[tdx.Task, tdx.Recipe]:
    """10,000 images with a small CNN."""
    return tdx.Task(small_cnn, nn.CrossEntropyLoss(), mnist("mnist", 10_000), name="mnist-cnn"), tdx.Recipe(
        optimizer="adam", lr=1e-3, epochs=8
    )


def fashion_cnn(
    name: str,
    recipe: tdx.Recipe,
    *,
    channels: int = 8,
    last: Callable[[], nn.Module] = nn.Identity,
    reduction: str = "mean",
    wrong: float = 0.0,
    sort: bool = False,
) -> Callable[[], tuple[tdx.Task, tdx.Recipe]]:
    """10,000 images with a small CNN, and what was done to it: trainings of more than five seconds."""

    def build() -> nn.Module:
        return nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(98 * channels, 10), last()),
        )

    def make() -> tuple[tdx.Task, tdx.Recipe]:
        x, y = mnist("fashion-mnist", 12_000)
        train, validation = (x[:10_000], y[:10_000].copy()), (x[10_000:], y[10_000:])
        rng = np.random.default_rng(0)
        changed = rng.random(len(train[1])) < wrong
        train[1][changed] = (train[1][changed] + rng.integers(1, 10, changed.sum())) % 10
        if sort:
            order = np.argsort(train[1], kind="stable")
            train = train[0][order], train[1][order]
        return tdx.Task(build, nn.CrossEntropyLoss(reduction=reduction), train, validation=validation, name=name), recipe

    return make


ADAM = tdx.Recipe(optimizer="adam", lr=1e-3, epochs=8)


def adult_income() -> tuple[tdx.Task, tdx.Recipe]:
    """Mixed columns, a floor of 0.13 error."""
    x, y = adult()
    return tdx.Task(mlp(x.shape[1], 64, 2), nn.CrossEntropyLoss(), (x, y), name="adult"), tdx.Recipe(
        optimizer="adam", lr=1e-3, epochs=10, batch_size=128
    )


CASES: dict[str, Case] = {
    "gas-drift": Case(gas_drift, "mismatch"),
    "spoken-digits": Case(spoken_digits, "mismatch"),
    "california": Case(coast_inland, "mismatch"),
    "wine": Case(red_white, "mismatch"),
    "fashion-200": Case(fashion_200, "overfitting"),
    "cifar-2000": Case(cifar_2000, "overfitting"),
    "fashion-56-layers": Case(fashion_plain(56), "optimization"),
    "fashion-4-layers": Case(fashion_plain(4), "healthy"),
    "circles": Case(circles, "model-bias"),
    "digits-one-unit": Case(digits(mlp(64, 1, 10), tdx.Recipe(lr=0.1, momentum=0.9, epochs=40), "digits-one-unit"), "model-bias"),
    "mnist-cnn": Case(mnist_cnn, "healthy"),
    "adult": Case(adult_income, "healthy"),
    "digits-rate-20": Case(
        digits(mlp(64, 64, 10), tdx.Recipe(lr=20.0, epochs=30), "digits-rate-20"), "optimization", ("learning-rate-too-high",)
    ),
    "cnn": Case(fashion_cnn("cnn", ADAM), "healthy"),
    "cnn-rate-3e-6": Case(fashion_cnn("cnn-rate-3e-6", ADAM.replace(lr=3e-6)), "optimization", ("learning-rate-too-low",)),
    "cnn-softmax": Case(fashion_cnn("cnn-softmax", ADAM, last=lambda: nn.Softmax(1)), "optimization", ("softmax-before-cross-entropy",)),
    "cnn-sum": Case(
        fashion_cnn("cnn-sum", ADAM.replace(optimizer="sgd", lr=0.05), reduction="sum"), "optimization", ("loss-summed-over-batch",)
    ),
    "cnn-sorted": Case(
        fashion_cnn("cnn-sorted", ADAM.replace(optimizer="sgd", lr=0.05, shuffle=False), sort=True), "optimization", ("data-not-shuffled",)
    ),
    "cnn-wrong-labels": Case(fashion_cnn("cnn-wrong-labels", ADAM, wrong=0.3), "data", ("label-noise",)),
    "cnn-decay": Case(fashion_cnn("cnn-decay", ADAM.replace(weight_decay=0.3)), "model-bias", ("over-regularized",)),
    "digits-rate-1e-5": Case(
        digits(mlp(64, 64, 10), tdx.Recipe(lr=1e-5, epochs=30), "digits-rate-1e-5"), "optimization", ("learning-rate-too-low",)
    ),
}


class Row(NamedTuple):
    """What one diagnosis said and cost."""

    case: str
    seed: int
    branch: str
    top: str
    confirmed: int
    right: bool
    runs: float
    seconds: float
    baseline_seconds: float


def measure(name: str, seed: int) -> Row:
    """One diagnosis."""
    case = CASES[name]
    task, recipe = case.make()
    started = time.perf_counter()
    diagnosis = tdx.diagnose(task, recipe.replace(seed=seed))
    seconds = time.perf_counter() - started
    top = diagnosis.top
    right = diagnosis.branch == case.branch and (not case.causes or (top is not None and top.cause in case.causes))
    confirmed = sum(f.standing == "confirmed" for f in diagnosis.findings)
    base = diagnosis.cost.baseline_seconds
    return Row(
        name,
        seed,
        diagnosis.branch.value,
        f"{top.cause} ({top.standing.value})" if top else "-",
        confirmed,
        right,
        diagnosis.cost.runs,
        seconds,
        base,
    )


def summary(rows: list[Row], seeds: list[int]) -> list[str]:
    """The acceptance figures."""
    first = [r for r in rows if r.seed == seeds[0]]
    long = [r.seconds / r.baseline_seconds for r in first if r.baseline_seconds >= 5]
    short = [r.seconds for r in first if r.baseline_seconds < 5]
    healthy = [r for r in rows if CASES[r.case].branch == "healthy"]
    steady = sum(len({r.branch for r in rows if r.case == case}) == 1 for case in {r.case for r in rows})
    lines = [
        f"right: {sum(r.right for r in first)} of {len(first)} (seed {seeds[0]})",
        f"confirmed findings on healthy trainings: {sum(r.confirmed for r in healthy)} in {len(healthy)}",
    ]
    if long:
        lines.append(
            f"cost where a baseline takes 5 s or more: median {statistics.median(long):.1f} baselines, worst {max(long):.1f} ({len(long)} cases)"
        )
    if short:
        lines.append(f"seconds where it takes less: median {statistics.median(short):.1f}, worst {max(short):.1f} ({len(short)} cases)")
    if len(seeds) > 1:
        lines.append(f"same branch over {len(seeds)} seeds: {steady} of {len({r.case for r in rows})}")
    return lines


def main() -> None:
    """Run the cases, print the table, write it with --write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", default=list(CASES))
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    head = "| case | seed | branch | top finding | right | baseline runs | seconds | baseline s | cost |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    rows = []
    for seed in arguments.seeds:
        for name in arguments.only:
            row = measure(name, seed)
            rows.append(row)
            cost = row.seconds / row.baseline_seconds if row.baseline_seconds else np.nan
            lines.append(
                f"| {row.case} | {row.seed} | {row.branch} | {row.top} | {'yes' if row.right else 'NO'} | {row.runs:.1f} | {row.seconds:.1f} | {row.baseline_seconds:.1f} | {cost:.1f} |"
            )
            print(lines[-1], flush=True)
    closing = summary(rows, arguments.seeds)
    print("\n" + "\n".join(closing))
    if arguments.write:
        where = f"{datetime.date.today()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores"
        RESULTS.write_text(
            "# Branches on real data\n\n`python bench/branches.py --seeds "
            + " ".join(map(str, arguments.seeds))
            + f"` ({where})\n\n"
            + "\n".join(lines)
            + "\n\n"
            + "\n".join(f"- {c}" for c in closing)
            + "\n"
        )


if __name__ == "__main__":
    main()
