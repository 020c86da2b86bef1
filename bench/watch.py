"""What a watch costs: plain and watched training steps in turns, at steps of about 0.5, 5 and 25 ms.

    python bench/watch.py [--trainings 12] [--write]

One training goes through rounds of four kinds, of about 20 to 50 ms each and in changing order: plain, plain once more (what it differs by is
noise), under the default watch, and under one that no budget thins (every probe as often as the spacing of looks allows). Hooks are taken off and put
back between rounds, so that all four have the same tensors at the same places in memory, which alone makes one of two equal trainings up to a tenth
faster; and a machine that slows down for a while slows all of them. The C library keeps what memory it has: page faults of tensors that are mapped
and unmapped at every update made two equal loops differ by 3 %. The training is made anew so many times. The figure is the seconds of all watched rounds over those
of as many plain ones, half of either kind, minus one: of the thread's own processor time, which leaves out what other processes take. Its interval
holds 95 % of what trainings drawn anew (with replacement) give. Beside it stands what the watch's own clock says of its share, in wall time.
``--write`` renews results/watch.md.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import traindx as tdx

RESULTS = Path(__file__).parent / "results" / "watch.md"
OVERHEADS = {"watched": 0.05, "unthinned": 1.0}
KINDS = ("plain", "twin", *OVERHEADS)
# Rounds of each training; before them so many updates that are not counted: caches and clocks warm up, and the first looks are done, all of which
# lie in the first 64 updates.
ROUNDS, WARM_UP = 60, 100
RESAMPLED = 2000
# Parameters of the C library's mallopt, and the largest values that it takes: when memory is given back, and which pieces are mapped alone.
TRIM, MAPPED = (-1, 2**30), (-3, 2**25)


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
    Workload("perceptron, 0.5 ms", perceptron, lambda: labelled(torch.randn(64, 64)), 15, {"watched": 0.10, "unthinned": 0.25}),
    Workload("convolutional, 5 ms", convolutional, lambda: labelled(torch.randn(32, 1, 20, 20)), 4, {"watched": 0.03, "unthinned": 0.10}),
    Workload("attention, 25 ms", Encoder, lambda: labelled(torch.randint(0, 100, (24, 32))), 1, {"watched": 0.01, "unthinned": 0.05}),
)


class Training:
    """One training that goes on through all rounds, so that a watch shows what it costs in the long run and not at its start alone."""

    def __init__(self, workload: Workload) -> None:
        torch.manual_seed(0)
        self.workload, self.batch = workload, workload.batch()
        self.model, self.loss_fn = workload.build(), nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9)
        self.watches: dict[str, tdx.Watch] = {}
        self.hooks: dict[str, list[dict[int, Any]]] = {}
        self.paused: dict[str, float] = {}
        for kind, overhead in OVERHEADS.items():
            watch = tdx.watch(self.model, self.optimizer, self.loss_fn, overhead=overhead, quiet=True, strict=True)
            self.watches[kind] = watch.__enter__()
            self.take_hooks_off(kind)

    def round(self, kind: str) -> float:
        """Seconds a step, of processor time."""
        watch = self.watches.get(kind)
        if watch:
            self.put_hooks_back(kind)
        updates, began = 0, time.thread_time()
        while updates < self.workload.steps or (watch and watch.loop.looking):  # in a look, hooks are where no list of them tells
            self.update(watch)
            updates += 1
        seconds = time.thread_time() - began
        if watch:
            self.take_hooks_off(kind)
        return seconds / updates

    def update(self, watch: tdx.Watch | None) -> None:
        """One update of the loop."""
        x, y = self.batch
        self.optimizer.zero_grad()
        outputs = self.model(x)
        loss = self.loss_fn(outputs, y)
        loss.backward()
        self.optimizer.step()
        if watch:
            watch.step(loss, outputs, y)

    def take_hooks_off(self, kind: str) -> None:
        """A watch pauses: its hooks are kept aside, and its clock stands still."""
        self.hooks[kind] = [dict(hooks) for hooks in self.all_hooks]
        for hooks in self.all_hooks:
            hooks.clear()
        self.paused[kind] = time.perf_counter()

    def put_hooks_back(self, kind: str) -> None:
        """It goes on: the other rounds' time is none of its budget."""
        for hooks, kept in zip(self.all_hooks, self.hooks[kind], strict=True):
            hooks.update(kept)
        self.watches[kind].budget.started += time.perf_counter() - self.paused[kind]

    @property
    def all_hooks(self) -> list[dict[int, Any]]:
        """Where torch keeps the hooks of the optimizer and of the forward passes."""
        of_modules = [h for m in self.model.modules() for h in (m._forward_hooks, m._forward_hooks_with_kwargs, m._forward_pre_hooks)]
        return [self.optimizer._optimizer_step_pre_hooks, self.optimizer._optimizer_step_post_hooks, *of_modules]

    def training_seconds(self, kind: str) -> float:
        """Wall time of the training under this watch, up to where it pauses."""
        budget = self.watches[kind].budget
        return self.paused[kind] - budget.started - budget.spent


def measured(workload: Workload, shuffle: random.Random) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds that each kind took for its rounds; and by the watches' own clocks, the share of the training's time that they took."""
    training = Training(workload)
    for _ in range(math.ceil(WARM_UP / workload.steps)):
        for kind in KINDS:
            training.round(kind)
    budgets = {kind: watch.budget for kind, watch in training.watches.items()}
    before = {kind: (budget.spent, training.training_seconds(kind)) for kind, budget in budgets.items()}
    order, seconds = list(KINDS), dict.fromkeys(KINDS, 0.0)
    for _ in range(ROUNDS):
        shuffle.shuffle(order)
        for kind in order:
            seconds[kind] += training.round(kind)
    own = {kind: (budgets[kind].spent - spent) / (training.training_seconds(kind) - took) for kind, (spent, took) in before.items()}
    return seconds, own


def keep_memory() -> None:
    """The C library gives none back to the system, where it is one that can be told so."""
    if platform.libc_ver()[0] == "glibc":
        for parameter, value in (TRIM, MAPPED):
            ctypes.CDLL(None).mallopt(parameter, value)


def over_plain(seconds: list[dict[str, float]], kind: str) -> tuple[float, float, float]:
    """What a kind takes more than the plain loop, as a share, between the ends of its interval."""
    draw = random.Random(0)
    shares = statistics.quantiles((_more(draw.choices(seconds, k=len(seconds)), kind) for _ in range(RESAMPLED)), n=40)
    return shares[0], _more(seconds, kind), shares[-1]


def _more(seconds: list[dict[str, float]], kind: str) -> float:
    plain = sum(s["plain"] for s in seconds)
    if kind == "twin":
        return sum(s["twin"] for s in seconds) / plain - 1
    return 2 * sum(s[kind] for s in seconds) / (plain + sum(s["twin"] for s in seconds)) - 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
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
