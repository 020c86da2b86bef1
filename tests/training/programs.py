"""Small picklable trainings, sound and broken, for every executor."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from traindx import Recipe, Task
from traindx.training import Job, TrainingState

RECIPE = Recipe(lr=0.1, epochs=3)


class Net(nn.Module):
    """One hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 10))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.misbehave()
        outputs: Tensor = self.layers(x)
        return outputs

    def misbehave(self) -> None:
        """Nothing, in a sound network."""


class Raising(Net):
    def misbehave(self) -> None:
        raise ValueError("a planted error")


class Hungry(Net):
    def misbehave(self) -> None:
        raise MemoryError


class Starving(Net):
    """Reaches the limit of its address space, set just above what it has."""

    def misbehave(self) -> None:
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
        torch.ones(64, 1 << 20)


class Hanging(Net):
    def misbehave(self) -> None:
        time.sleep(3600)


class Leaving(Net):
    def misbehave(self) -> None:
        os._exit(3)


class Killed(Net):
    def misbehave(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Talking(Net):
    def misbehave(self) -> None:
        sys.stdout.write("printed\n")
        sys.stderr.write("complained\n")
        os.system("echo echoed; echo muttered >&2")


class Noisy(Dataset[tuple[Tensor, int]]):
    """Rows that are never the same twice, drawn from numpy's global random state."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(np.random.rand(64).astype(np.float32)), index % 10


class Broken:
    """Callbacks that raise where no training expects it."""

    def start(self, state: TrainingState) -> None:
        pass

    before_forward = before_step = after_step = start

    def finish(self, state: TrainingState) -> Any:
        raise RuntimeError("a broken callback")


def broken_callbacks() -> list[Broken]:
    return [Broken()]


class OnlyHere:
    """Can be sent, and cannot be read anywhere."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unreadable, ())


def _unreadable() -> None:
    raise AttributeError("no such class over here")


def digits(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x[:rows] / 16).astype(np.float32), y[:rows]


def task(model: Any = Net, **changes: Any) -> Task:
    return Task(**{"model": model, "loss": nn.CrossEntropyLoss(), "train": digits(), "name": "digits", **changes})


def job(model: Any = Net, recipe: Recipe = RECIPE, keep_weights: bool = False) -> Job:
    return Job(task(model), recipe, keep_weights=keep_weights)
