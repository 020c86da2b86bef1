"""Remedies that change a number of the recipe: what changes, that nothing else does, and when they decline."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from patients import RECIPE, sound
from torch import nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies import (
    ClipGradients,
    LoosenClipping,
    Remedy,
    RemoveRegularization,
    ScaleBatch,
    SetMomentum,
    SetOptimizer,
    SetSchedule,
    Shuffle,
    WarmUp,
)
from traindx.remedies.scale_batch import SMALLEST
from traindx.remedies.set_optimizer import HIGHEST_RATE
from traindx.tasks import Task
from traindx.training import total_steps

ADAM = RECIPE.replace(optimizer="adam", momentum=0.0)


@pytest.fixture(scope="module")
def task() -> Task:
    return sound()


def changes(remedy: Remedy, task: Task, recipe: Recipe) -> dict[str, Any]:
    """What the remedy changes in the recipe: (before, after) by field. The task stays the same object."""
    changed, after = remedy.apply(task, recipe)
    assert changed is task
    return recipe.differences(after)


@pytest.mark.parametrize(
    ("remedy", "recipe", "expected"),
    [
        (ClipGradients(1.0), RECIPE, {"clip_norm": (None, 1.0)}),
        (ClipGradients(1.0), RECIPE.replace(clip_norm=5.0), {"clip_norm": (5.0, 1.0)}),
        (LoosenClipping(), RECIPE.replace(clip_norm=0.1), {"clip_norm": (0.1, None)}),
        (SetMomentum(0.9), RECIPE.replace(momentum=0.99), {"momentum": (0.99, 0.9)}),
        (SetSchedule("cosine"), RECIPE, {"schedule": ("constant", "cosine")}),
        (Shuffle(), RECIPE.replace(shuffle=False), {"shuffle": (False, True)}),
        (ScaleBatch(2.0), RECIPE, {"batch_size": (16, 32)}),
        (SetOptimizer("adam", 0.001), RECIPE, {"optimizer": ("sgd", "adam"), "lr": (0.05, 0.001)}),
    ],
    ids=str,
)
def test_changes_this_and_nothing_else(remedy: Remedy, recipe: Recipe, expected: dict[str, Any], task: Task) -> None:
    assert changes(remedy, task, recipe) == expected


@pytest.mark.parametrize(
    ("remedy", "recipe", "reason"),
    [
        (ClipGradients(1.0), RECIPE.replace(clip_norm=0.5), "clipped at 0.5"),
        (LoosenClipping(), RECIPE, "not clipped"),
        (SetMomentum(0.9), RECIPE.replace(optimizer="adagrad", momentum=0.0), "no momentum"),
        (SetSchedule("cosine"), RECIPE.replace(schedule="cosine"), "cosine already"),
        (Shuffle(), RECIPE, "at random already"),
        (ScaleBatch(1 / 64), RECIPE, "cannot be drawn"),
        (ScaleBatch(64.0), RECIPE, "cannot be drawn"),
        (SetOptimizer("adam", 0.001), ADAM, "adam already"),
        (WarmUp(0.1), RECIPE.replace(warmup_steps=1000), "warms up over 1000"),
        (RemoveRegularization(), RECIPE, "neither"),
    ],
    ids=str,
)
def test_declines_with_a_reason(remedy: Remedy, recipe: Recipe, reason: str, task: Task) -> None:
    with pytest.raises(NotApplicable, match=reason):
        remedy.apply(task, recipe)


def test_momentum_is_the_first_of_adams_rates(task: Task) -> None:
    assert SetMomentum(0.5).apply(task, ADAM)[1].optimizer_options == {"betas": [0.5, 0.999]}
    given = ADAM.replace(optimizer_options={"betas": [0.99, 0.9], "eps": 1e-6})
    assert SetMomentum(0.5).apply(task, given)[1].optimizer_options == {"betas": [0.5, 0.9], "eps": 1e-6}


def test_momentum_among_the_options_gives_way(task: Task) -> None:
    given = RECIPE.replace(momentum=0.0, optimizer_options={"momentum": 0.99, "dampening": 0.1})
    after = SetMomentum(0.9).apply(task, given)[1]
    assert (after.momentum, after.optimizer_options) == (0.9, {"dampening": 0.1})


def test_another_optimizer_does_not_inherit_options(task: Task) -> None:
    assert SetOptimizer("adam", 0.001).apply(task, RECIPE.replace(optimizer_options={"nesterov": True}))[1].optimizer_options == {}


def test_a_higher_rate_follows_up_to_the_highest() -> None:
    rates, remedy = [], SetOptimizer("adam", 0.001)
    while remedy is not None:
        rates.append(remedy.lr)
        remedy = remedy.stronger()
    assert rates == [0.001, 0.01] and rates[-1] <= HIGHEST_RATE


def test_batches_keep_the_epochs_and_so_change_the_updates(task: Task) -> None:
    rows = len(task.train)
    before = total_steps(rows, RECIPE)
    for factor in (0.5, 4.0):
        after = ScaleBatch(factor).apply(task, RECIPE)[1]
        assert after.epochs == RECIPE.epochs
        assert total_steps(rows, after) == pytest.approx(before / factor, rel=0.1)
        limited = ScaleBatch(factor).apply(task, RECIPE.replace(max_steps=8))[1]
        assert limited.max_steps == 8 / factor


def test_a_batch_larger_than_the_rows_counts_as_all_of_them(task: Task) -> None:
    rows = len(task.train)
    after = ScaleBatch(0.125).apply(task, RECIPE.replace(batch_size=100 * rows))[1]
    assert after.batch_size == round(rows / 8)
    assert after.batch_size >= SMALLEST


def test_batches_grow_and_shrink_in_turn() -> None:
    for factor in (8.0, 0.125):
        stronger = ScaleBatch(factor).stronger()
        assert stronger is not None and stronger.factor == factor**2
        assert stronger.stronger() is None


def test_rows_drawn_by_weight_are_shuffled_already() -> None:
    weighted = sound().changed(Shuffle().ref, weights=torch.ones(len(sound().train), dtype=torch.float64))
    with pytest.raises(NotApplicable, match="at random already"):
        Shuffle().apply(weighted, RECIPE.replace(shuffle=False))


def test_the_warmup_is_a_share_of_the_updates(task: Task) -> None:
    steps = total_steps(len(task.train), RECIPE)
    assert changes(WarmUp(0.5), task, RECIPE) == {"warmup_steps": (0, round(0.5 * steps))}
    assert WarmUp(1e-6).apply(task, RECIPE)[1].warmup_steps == 1


def test_decay_is_taken_away_wherever_it_stands(task: Task) -> None:
    assert changes(RemoveRegularization(), task, RECIPE.replace(weight_decay=0.1)) == {"weight_decay": (0.1, 0.0)}
    among_options = RECIPE.replace(optimizer_options={"weight_decay": 0.1, "nesterov": True})
    assert RemoveRegularization().apply(task, among_options)[1].optimizer_options == {"nesterov": True}
    adamw = RemoveRegularization().apply(task, ADAM.replace(optimizer="adamw"))[1]
    assert adamw.optimizer_options == {"weight_decay": 0.0}, "adamw decays by default"


def test_dropout_is_taken_away_with_decay() -> None:
    dropping = sound(lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)))
    changed, after = RemoveRegularization().apply(dropping, RECIPE.replace(weight_decay=0.1))
    assert after.weight_decay == 0
    assert [m.p for m in changed.build(0).modules() if isinstance(m, nn.Dropout)] == [0.0]
    assert [m.p for m in dropping.build(0).modules() if isinstance(m, nn.Dropout)] == [0.5]
