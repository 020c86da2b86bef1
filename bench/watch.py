"""What a watch costs: plain and watched training steps in turns, at steps of about 0.5, 5 and 25 ms.

    python bench/watch.py [--trainings 12] [--write]

Four trainings of one kind, made anew so many times (where their tensors come to lie in memory makes one of two equal trainings faster): a plain
loop, a second plain loop (what it differs by is noise), the default watch, and one that no budget thins (every probe as often as the spacing of
looks allows). Short rounds of the four follow one another in changing order, so that a machine that slows down for a while slows all of them. The
figure is the seconds of all watched rounds over those of all plain ones, minus one: of the thread's own processor time, which leaves out what
other processes take. Its interval holds 95 % of what trainings drawn anew (with replacement) give. Beside it stands what the watch's own clock says
of its share, in wall time. ``--write`` renews results/watch.md.
"""

from __future__ import annotations

import argparse
import math
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
# Rounds of each training; before them so many updates that are not counted: caches and clocks warm up, and the first looks are done, all of which
# lie in the first 64 updates.
ROUNDS, WARM_UP = 10, 100
RESAMPLED = 2000


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
    Workload("perceptron, 0.5 ms", perceptron, lambda: labelled(torch.randn(64, 64)), 150, {"watched": 0.10, "unthinned": 0.25}),
    Workload("convolutional, 5 ms", convolutional, lambda: labelled(torch.randn(32, 1, 20, 20)), 20, {"watched": 0.03, "unthinned": 0.10}),
    Workload("attention, 25 ms", Encoder, lambda: labelled(torch.randint(0, 100, (24, 32))), 6, {"watched": 0.01, "unthinned": 0.05}),
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


def measured(workload: Workload, shuffle: random.Random) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds that each kind took for its rounds; and by the watches' own clocks, the share of the training's time that they took."""
    trainings = {kind: Training(workload, kind) for kind in shuffle.sample(KINDS, len(KINDS))}
    for _ in range(math.ceil(WARM_UP / workload.steps)):
        for training in trainings.values():
            training.round()
    watches = {kind: trainings[kind].watch.budget for kind in workload.limits}
    before = {kind: (budget.spent, _seconds(trainings[kind])) for kind, budget in watches.items()}
    order, seconds = list(KINDS), dict.fromkeys(KINDS, 0.0)
    for _ in range(ROUNDS):
        shuffle.shuffle(order)
        for kind in order:
            seconds[kind] += trainings[kind].round()
    own = {kind: (watches[kind].spent - spent) / (_seconds(trainings[kind]) - took) for kind, (spent, took) in before.items()}
    return seconds, own


def _seconds(training: Training) -> float:
    """Wall time of the training alone, up to where it pauses."""
    budget = training.watch.budget
    return training.paused - budget.started - budget.spent


def over_plain(seconds: list[dict[str, float]], kind: str) -> tuple[float, float, float]:
    """What a kind takes more than the plain loop, as a share, between the ends of its interval."""
    draw = random.Random(0)
    shares = statistics.quantiles((_more(draw.choices(seconds, k=len(seconds)), kind) for _ in range(RESAMPLED)), n=40)
    return shares[0], _more(seconds, kind), shares[-1]


def _more(seconds: list[dict[str, float]], kind: str) -> float:
    return sum(s[kind] for s in seconds) / sum(s["plain"] for s in seconds) - 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "| workload | plain step | second plain loop | watch | costs | 95 % interval | by its own clock | allowed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    shuffle = random.Random(0)
    for workload in WORKLOADS:
        seconds, own = zip(*(measured(workload, shuffle) for _ in range(options.trainings)), strict=True)
        step = 1e3 * statistics.mean(s["plain"] for s in seconds) / ROUNDS
        _, twin, _ = over_plain(seconds, "twin")
        for kind, limit in workload.limits.items():
            low, share, high = over_plain(seconds, kind)
            clock = statistics.mean(o[kind] for o in own)
            name = "default" if kind == "watched" else "every probe, unthinned"
            row = f"| {workload.name} | {step:.2f} ms | {twin:+.1%} | {name} | {share:+.1%} | {low:+.1%} to {high:+.1%} | {clock:.1%} | {limit:.0%} |"
            lines.append(row)
            print(row, flush=True)
    if options.write:
        where = f"torch {torch.__version__}, Python {platform.python_version()}, one thread, {options.trainings} trainings of each kind"
        RESULTS.write_text(
            "# What a watch costs\n\n`python bench/watch.py --write`: "
            + __doc__.split("\n\n")[2].replace("\n", " ").split(" ``--write``")[0]
            + f"\n\nMeasured with {where}.\n\n"
            + "\n".join(lines)
            + "\n"
        )


if __name__ == "__main__":
    main()
