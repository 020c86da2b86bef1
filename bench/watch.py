"""What a watch costs: plain and watched training steps in turns, at steps of about 0.5, 5 and 25 ms.

    python bench/watch.py [--rounds 9] [--write]

Rounds of a plain loop, of a second plain loop (what it differs by is noise), of the default watch and of one that no budget thins (every probe as
often as the spacing of looks allows) follow one another in changing order. The figure is the median over rounds of watched over plain, minus one,
in seconds of the thread's own processor time: those that other processes take are not in it. Beside it stands what the watch's own clock says of
its share, on average after the first round, in wall time. ``--write`` renews results/watch.md.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import traindx as tdx

RESULTS = Path(__file__).parent / "results" / "watch.md"
KINDS = ("plain", "twin", "watched", "unthinned")


@dataclass(frozen=True)
class Workload:
    """A model, a batch, steps a round, and what the watch may cost at most."""

    name: str
    build: Callable[[], nn.Module]
    batch: Callable[[], tuple[Tensor, Tensor]]
    steps: int
    limits: dict[str, float]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 128)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(128, 4, 256, batch_first=True), 2, enable_nested_tensor=False)
        self.head = nn.Linear(128, 10)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(words)).mean(1))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 192), nn.ReLU(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 10))


def convolutional() -> nn.Module:
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(32, 10))


def labelled(inputs: Tensor) -> tuple[Tensor, Tensor]:
    return inputs, torch.arange(len(inputs)) % 10


WORKLOADS = (
    Workload("perceptron, 0.5 ms", perceptron, lambda: labelled(torch.randn(64, 64)), 1500, {"watched": 0.10, "unthinned": 0.25}),
    Workload("convolutional, 5 ms", convolutional, lambda: labelled(torch.randn(32, 1, 20, 20)), 200, {"watched": 0.03, "unthinned": 0.10}),
    Workload("attention, 25 ms", Encoder, lambda: labelled(torch.randint(0, 100, (24, 32))), 60, {"watched": 0.01, "unthinned": 0.05}),
)


class Training:
    """One training that goes on through all rounds, so that a watch shows what it costs in the long run and not at its start alone."""

    def __init__(self, workload: Workload, kind: str) -> None:
        torch.manual_seed(0)
        self.workload, self.batch = workload, workload.batch()
        self.model, self.loss_fn = workload.build(), nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9)
        self.paused = time.perf_counter()
        self.watch = None
        if kind in workload.limits:
            overhead = 0.05 if kind == "watched" else 1.0
            self.watch = tdx.watch(self.model, self.optimizer, self.loss_fn, overhead=overhead, quiet=True, strict=True).__enter__()

    def round(self) -> float:
        """Seconds a step, of processor time."""
        x, y = self.batch
        if self.watch:
            self.watch.budget.started += time.perf_counter() - self.paused  # the other trainings' time is none of this one's budget
        began = time.thread_time()
        for _ in range(self.workload.steps):
            self.optimizer.zero_grad()
            outputs = self.model(x)
            loss = self.loss_fn(outputs, y)
            loss.backward()
            self.optimizer.step()
            if self.watch:
                self.watch.step(loss, outputs, y)
        seconds = time.thread_time() - began
        self.paused = time.perf_counter()
        return seconds / self.workload.steps


def measured(workload: Workload, rounds: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds a step of every kind, round by round; and by the watches' own clocks, the share of the training's time that they took."""
    trainings = {kind: Training(workload, kind) for kind in KINDS}
    for kind in KINDS:  # caches and clocks warm up, and the first looks are done
        trainings[kind].round()
    budgets = {kind: trainings[kind].watch.budget for kind in workload.limits}
    before = {kind: (budget.spent, _seconds(trainings[kind])) for kind, budget in budgets.items()}
    order, seconds = list(KINDS), {kind: [] for kind in KINDS}
    shuffle = random.Random(0)
    for _ in range(rounds):
        shuffle.shuffle(order)
        for kind in order:
            seconds[kind].append(trainings[kind].round())
    own = {kind: (budgets[kind].spent - spent) / (_seconds(trainings[kind]) - took) for kind, (spent, took) in before.items()}
    return seconds, own


def _seconds(training: Training) -> float:
    """Wall time of the training alone, up to where it pauses."""
    budget = training.watch.budget
    return training.paused - budget.started - budget.spent


def over_plain(seconds: dict[str, list[float]], kind: str) -> list[float]:
    """The quartiles over rounds of what a kind takes more than the plain loop, in shares."""
    return statistics.quantiles([a / b - 1 for a, b in zip(seconds[kind], seconds["plain"], strict=True)], n=4)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "| workload | plain step | second plain loop | watch | costs | quartiles | by its own clock | allowed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for workload in WORKLOADS:
        seconds, own = measured(workload, options.rounds)
        step = 1e3 * statistics.median(seconds["plain"])
        _, twin, _ = over_plain(seconds, "twin")
        for kind, limit in workload.limits.items():
            low, median, high = over_plain(seconds, kind)
            name = "default" if kind == "watched" else "every probe, unthinned"
            row = f"| {workload.name} | {step:.2f} ms | {twin:+.1%} | {name} | {median:+.1%} | {low:+.1%} to {high:+.1%} | {own[kind]:.1%} | {limit:.0%} |"
            lines.append(row)
            print(row, flush=True)
    if options.write:
        where = f"torch {torch.__version__}, Python {platform.python_version()}, one thread, {options.rounds} rounds"
        RESULTS.write_text(
            "# What a watch costs\n\n`python bench/watch.py --write`: "
            + __doc__.split("\n\n")[2].replace("\n", " ").split(" ``--write``")[0]
            + f"\n\nMeasured with {where}.\n\n"
            + "\n".join(lines)
            + "\n"
        )


if __name__ == "__main__":
    main()
