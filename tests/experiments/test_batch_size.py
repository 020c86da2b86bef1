"""Noise scale and clock: what a batch size gives and costs, of sizes that were tried."""

from __future__ import annotations

import math

import pytest
import torch
from small_labs import RECIPE, Net, answer, digits_task, lab_for
from torch import Tensor, nn

from traindx.experiments.batch_size import SHARE, SMALLEST, Tried, best, noise_scale, scaled, seconds_per_update, sizes
from traindx.records import Recipe
from traindx.tasks import Task
from traindx.training.trainer import OUT_OF_MEMORY


class Shift(nn.Module):
    """Outputs are the weight alone, so a row's gradient under half the squared error is the weight minus its target."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight + torch.zeros(len(x), 2)


def half_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * (outputs - targets).square().sum(1).mean()


def test_noise_scale_of_gradients_that_are_known() -> None:
    """Row gradients are normal around (3, 0) with deviation 2 in both directions: trace 8 over norm 9."""
    targets = torch.randn(2048, 2, generator=torch.Generator().manual_seed(0)) * 2 - torch.tensor([3.0, 0.0])
    task = Task(Shift, half_squares, (torch.zeros(2048, 1), targets), validation=(torch.zeros(8, 1), targets[:8]), kind="other")
    assert noise_scale(task, RECIPE, Shift()) == pytest.approx(8 / 9, rel=0.6), "eight batches of 256 rows: 14 degrees of freedom"


def test_noise_scale_agrees_with_every_row_apart() -> None:
    task = digits_task(400)
    model = task.build(0)
    rows = []
    for x, y in zip(*task.train.columns, strict=True):
        loss = task.loss(model(x[None]), y[None])
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]).double())
    each = torch.stack(rows)
    trace, norm = float(each.var(0).sum()), float(each.mean(0).square().sum())
    exact = trace / (norm - trace / len(each))
    assert noise_scale(task, RECIPE, model) == pytest.approx(exact, rel=0.4)


def test_both_ends_of_the_baseline_are_measured() -> None:
    found = {e.subject: e.value for e in answer(lab_for(digits_task(400)), "batch_size") if e.measure == "noise_scale"}
    assert set(found) == {"start", "end"} and all(value > 0 for value in found.values())


def test_sizes_can_be_drawn_and_hold_the_recipe_own() -> None:
    assert sizes(RECIPE, 192) == [8, 32, 128]
    assert sizes(RECIPE.replace(batch_size=1000), 192) == [48, 192]
    assert all(size >= SMALLEST for size in sizes(RECIPE.replace(batch_size=16), 10**6))


def test_rates_go_with_sizes() -> None:
    assert scaled(RECIPE, 128, 192).lr == pytest.approx(4 * RECIPE.lr)
    assert scaled(RECIPE.replace(optimizer="adam"), 128, 192).lr == pytest.approx(2 * RECIPE.lr)
    assert scaled(Recipe(optimizer=torch.optim.Adam, batch_size=32, lr=0.1), 128, 192).lr == pytest.approx(0.2), "a class, not a name"
    assert scaled(RECIPE.replace(max_steps=100), 128, 192).max_steps == 25
    assert scaled(RECIPE.replace(lr=0.123456), 32, 192) == RECIPE.replace(lr=0.123456), "the recipe's own size changes nothing"


def test_the_proposal_was_tried_and_is_as_good_as_the_best() -> None:
    lab = lab_for(digits_task(400))
    found = answer(lab, "batch_size")
    tried = {e.subject: e for e in found if e.measure == "tried"}
    (chosen,) = [e for e in found if e.measure == "proposed_batch_size"]
    mine, lowest = tried[str(int(chosen.value))], min(tried.values(), key=lambda e: e.value)
    assert mine.details["lr"] == chosen.details["lr"]
    assert mine.value <= lowest.value + float(lowest.details["error"])
    assert all(float(e.details["update_seconds"]) > 0 for e in tried.values())
    share = [lab.runs[e.runs[0]].epochs / RECIPE.epochs for e in tried.values()]
    assert share == pytest.approx([SHARE] * len(share), abs=0.1), "as many epochs for every size"


def tried(size: int, loss: float, epoch_s: float, error: float = 0.1) -> Tried:
    return Tried(size, 0.1, loss, error, epoch_s / 10, epoch_s, None)


def test_of_sizes_that_are_as_good_the_fastest_is_proposed() -> None:
    listed = [tried(8, 1.0, 4.0), tried(32, 1.05, 2.0), tried(128, 1.5, 1.0), tried(512, math.nan, 0.5)]
    assert best(listed) == listed[1]
    assert best(listed[3:]) is None


@pytest.mark.parametrize("recipe", [RECIPE.replace(lr=1e30), RECIPE.replace(batch_size=192, early_stopping=1, lr=1e-12)])
def test_a_training_that_ends_early_is_timed_as_far_as_it_goes(recipe: Recipe) -> None:
    seconds, reason = seconds_per_update(digits_task(240), recipe)
    assert seconds > 0 or (math.isnan(seconds) and "finite" in reason)


class Greedy(Net):
    """A network that runs out of memory on more than 64 rows, as a device does."""

    def __call__(self) -> nn.Module:
        model = super().__call__()
        model.register_forward_pre_hook(refuse_large)
        return model


def refuse_large(model: nn.Module, given: tuple[Tensor]) -> None:
    if model.training and len(given[0]) > 64:
        raise torch.OutOfMemoryError("out of memory")


def test_a_size_that_does_not_fit_is_an_outcome_and_ends_the_trials() -> None:
    found = answer(lab_for(digits_task(2000 - 203, Greedy())), "batch_size")
    by_size = {e.subject: e for e in found if e.measure == "tried"}
    assert set(by_size) == {"8", "32", "128"}, "512 is not tried any more"
    assert by_size["128"].text == OUT_OF_MEMORY and math.isnan(by_size["128"].value)
    assert next(e.value for e in found if e.measure == "proposed_batch_size") in (8.0, 32.0)
