"""A last training on all rows: those that were split off for validation are put back."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from traindx.records import Recipe
from traindx.remedies import AddDropout, ClassWeights, StandardizeInputs
from traindx.tasks import Task
from traindx.training import fit

RECIPE = Recipe(lr=0.05, batch_size=16, epochs=1, device="cpu")


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))


def table() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(3, 2, size=(100, 3)).astype(np.float32)
    return x, (x[:, 0] > 3).astype(np.int64)


def test_every_row_is_trained_on_once_in_the_order_given() -> None:
    task = Task(network, nn.CrossEntropyLoss(), table())
    whole = task.whole()
    assert torch.equal(whole.train.inputs, torch.from_numpy(table()[0])) and len(task.train) == 80
    assert torch.equal(whole.validation.inputs, task.validation.inputs), "what is left to say is in-sample, of the same rows"
    assert whole.fingerprint != task.fingerprint and fit(whole, RECIPE).run.steps == 7


def test_no_other_fold_takes_rows_away_again() -> None:
    whole = Task(network, nn.CrossEntropyLoss(), table()).whole()
    assert not whole.can_resplit and whole.resplit(2) is whole and whole.whole() is whole


def test_rows_given_apart_stay_apart() -> None:
    task = Task(network, nn.CrossEntropyLoss(), table(), validation=table())
    assert task.whole() is task


def test_weights_and_groups_go_with_the_rows() -> None:
    weights = np.arange(1.0, 101.0)
    task = Task(network, nn.CrossEntropyLoss(), table(), sample_weight=weights, groups=np.arange(100) // 10)
    assert torch.equal(task.whole().sample_weight, torch.from_numpy(weights))


def test_remedies_apply_before_and_after() -> None:
    task = Task(network, nn.CrossEntropyLoss(), table())
    for remedy in (StandardizeInputs(), AddDropout(0.1), ClassWeights()):
        for treated in (remedy.apply(task, RECIPE)[0].whole(), remedy.apply(task.whole(), RECIPE)[0]):
            assert len(treated.train) == 100 and treated.remedies == (remedy.ref,)
    all_rows, _ = StandardizeInputs().apply(task.whole(), RECIPE)
    assert torch.allclose(all_rows.train.inputs.mean(0), torch.zeros(3), atol=1e-5)
