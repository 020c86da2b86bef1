"""Training, diagnosing and treating leave everything as it was, also when a run raises."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import traindx as tdx


@contextmanager
def nothing_changes(model: nn.Module, *arrays: np.ndarray) -> Iterator[None]:
    """Weights, arrays, random states and settings are bit-equal afterwards."""

    def state() -> tuple[object, ...]:
        settings = (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), model.training, len(model._forward_hooks))
        return (random.getstate(), *settings)

    weights, kept = copy.deepcopy(model.state_dict()), [array.copy() for array in arrays]
    numpy_state, torch_state, before = np.random.get_state(), torch.random.get_rng_state(), state()
    yield
    assert state() == before
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state()[1:2], numpy_state[1:2], strict=True))
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert all(np.array_equal(a, b) for a, b in zip(arrays, kept, strict=True))


class Raising(nn.Module):
    """Fails in its third forward pass in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.passes = nn.Linear(64, 10), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += self.training
        if self.passes > 2:
            raise RuntimeError("no third pass")
        return self.linear(x)


def digits(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return (x[:rows] / 16).astype(np.float32), y[:rows]


def train_once(task: tdx.Task, recipe: tdx.Recipe) -> None:
    tdx.train(task, recipe)


def diagnose_once(task: tdx.Task, recipe: tdx.Recipe) -> None:
    tdx.diagnose(task, recipe)


def treat_once(task: tdx.Task, recipe: tdx.Recipe) -> None:
    tdx.treat(tdx.diagnose(task, recipe))


@pytest.mark.parametrize("what", [train_once, diagnose_once, treat_once])
@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10)), Raising()]
)
def test_nothing_changes(what: Callable[[tdx.Task, tdx.Recipe], None], model: nn.Module) -> None:
    x, y = digits()
    with nothing_changes(model, x, y):
        what(tdx.Task(lambda: model, nn.CrossEntropyLoss(), (x, y), test=(x[:50], y[:50])), tdx.Recipe(lr=3.0, epochs=3))


def test_a_run_that_raises_is_an_outcome_with_its_place() -> None:
    x, y = digits()
    run = tdx.train(tdx.Task(Raising, nn.CrossEntropyLoss(), (x, y)), tdx.Recipe(epochs=3))
    assert run.outcome is tdx.Outcome.FAILED
    assert "no third pass" in run.reason
    assert "test_harmless.py" in run.reason
    diagnosis = tdx.diagnose(tdx.Task(Raising, nn.CrossEntropyLoss(), (x, y)), tdx.Recipe(epochs=3))
    assert diagnosis.branch is tdx.Branch.UNDECIDED
    assert "no third pass" in diagnosis.sentence
