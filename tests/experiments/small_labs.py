"""Small real trainings in a lab of their own: seconds of work, nothing stubbed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from traindx.experiments import EXPERIMENTS, Lab
from traindx.probes import default_probes
from traindx.records import Evidence, Question, Recipe
from traindx.store import MemoryStore
from traindx.tasks import Task
from traindx.training.executors import Serial

PLENTY = 1000.0
"""A budget in baseline runs that is never spent."""
RECIPE = Recipe(lr=0.1, momentum=0.9, batch_size=32, epochs=8, device="cpu")


class Net:
    """A network of two layers."""

    def __init__(self, inputs: int = 64, hidden: int = 32, outputs: int = 10) -> None:
        self.widths = inputs, hidden, outputs

    def __call__(self) -> nn.Module:
        inputs, hidden, outputs = self.widths
        return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def digits(rows: int = 240, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits of 8 x 8 pixels, shuffled once."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[start : start + rows]
    return (x[order] / 16).astype(np.float32), y[order]


def digits_task(rows: int = 240, model: Callable[[], nn.Module] | None = None, **arguments: Any) -> Task:
    """240 rows: 192 train, 48 validate."""
    return Task(model or Net(), nn.CrossEntropyLoss(), digits(rows), **arguments)


def vectors_task(x: Any, y: Any, outputs: int = 2, loss: nn.Module | None = None, **arguments: Any) -> Task:
    """Rows of numbers; the network has an output a class."""
    return Task(Net(np.shape(x)[1], 8, outputs), loss or nn.CrossEntropyLoss(), (x, y), **arguments)


def lab_for(task: Task, recipe: Recipe = RECIPE, budget: float = PLENTY, memory: MemoryStore | None = None) -> Lab:
    """A lab as a diagnosis has it, with records in this process."""
    return Lab(task, recipe, Serial(), memory or MemoryStore(), default_probes, lambda stage, done: None, budget)


def answer(lab: Lab, experiment: str, **question: Any) -> tuple[Evidence, ...]:
    """What the experiment finds."""
    return lab.answer(Question(experiment=experiment, **question), EXPERIMENTS[experiment])


def values(found: Sequence[Evidence], subject: str | None = None) -> dict[str, float]:
    """Values by measure (of one subject)."""
    return {e.measure: e.value for e in found if subject in (None, e.subject)}


class DictRows(torch.utils.data.Dataset):
    """Digits as batches of named columns."""

    def __init__(self, rows: int = 120) -> None:
        self.x, self.y = digits(rows)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": self.x[index], "label": int(self.y[index])}


def named_forward(model: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return model(batch["image"]), batch["label"]


def dict_task(rows: int = 120) -> Task:
    return Task(Net(), nn.CrossEntropyLoss(), DictRows(rows), forward=named_forward, kind="classification")
