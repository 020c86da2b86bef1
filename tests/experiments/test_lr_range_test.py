"""The rate raised over seven decades: a band with every seed, or none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_labs import RECIPE, Net, answer, digits_task, lab_for
from torch import nn

from traindx.experiments.lr_range_test import HIGHEST, LOWEST, UPDATES, ramp, range_test, rate_range
from traindx.records import Curve, Outcome, Run
from traindx.tasks import Task
from traindx.training import fit

RATES = LOWEST * (HIGHEST / LOWEST) ** (np.arange(UPDATES) / (UPDATES - 1))


def run_of(losses: np.ndarray) -> Run:
    values = tuple(float(v) for v in losses)
    curves = {"batch_loss": Curve(steps=tuple(range(1, len(values) + 1)), values=values)}
    fields = {"key": "k", "task": "t", "task_name": "t", "recipe": ramp(RECIPE, 0), "outcome": Outcome.FINISHED}
    return Run(**fields, steps=len(values), epochs=1, seconds=1, curves=curves)


def falling(begin: float, end: float) -> np.ndarray:
    """A loss of 2 that falls to 0.5 between two rates, and rises behind them."""
    share = np.clip(np.log(RATES / begin) / np.log(end / begin), 0, 1)
    return 2 - 1.5 * share + 5 * np.clip(np.log10(RATES / end), 0, None)


def test_the_band_is_what_every_seed_leaves() -> None:
    found = rate_range([run_of(falling(1e-4, 1e-1)), run_of(falling(1e-3, 1.0)), run_of(falling(1e-4, 1.0))])
    assert found.low is not None and found.high is not None and found.proposed is not None
    assert 1e-3 < found.low < 1e-2, "the last to begin"
    assert found.high == pytest.approx(1e-1, rel=0.5), "the first to break"
    assert found.low <= found.proposed <= found.high


def test_a_seed_that_never_learns_leaves_no_rate() -> None:
    found = rate_range([run_of(falling(1e-4, 1e-1)), run_of(np.full(UPDATES, 2.0))])
    assert found.low is found.high is found.proposed is None
    assert "1 of 2 seeds" in found.reason


def test_seeds_whose_bands_do_not_meet_leave_no_rate() -> None:
    found = rate_range([run_of(falling(1e-5, 1e-4)), run_of(falling(1e-2, 1.0))])
    assert found.proposed is None and "another has broken" in found.reason


def test_noise_is_not_learning() -> None:
    noise = np.random.default_rng(0).normal(2, 0.3, (3, UPDATES))
    assert rate_range([run_of(row) for row in noise]).proposed is None


def test_a_divergence_ends_the_curve() -> None:
    losses = falling(1e-4, 1e-1)
    losses[-30:] = math.inf
    found = rate_range([run_of(losses)])
    assert found.proposed is not None and math.isnan(found.losses[0][-1])


def test_the_proposal_trains_and_the_ends_do_not() -> None:
    task = digits_task(400)
    found = range_test(task, RECIPE.replace(momentum=0.0))
    assert found.low is not None and found.high is not None and found.proposed is not None

    def loss(rate: float) -> float:
        return fit(task, RECIPE.replace(lr=rate, momentum=0.0, epochs=4)).run.curves["train_loss"].at(10**6)

    assert loss(found.proposed) < min(loss(found.low / 10), loss(30 * found.high))


def test_an_optimizer_that_rescales_has_a_band_of_its_own() -> None:
    task = digits_task(400)
    plain, adam = (range_test(task, RECIPE.replace(optimizer=name, momentum=0.0)) for name in ("sgd", "adam"))
    assert plain.proposed is not None and adam.proposed is not None
    assert adam.proposed < plain.proposed / 3


def frozen() -> nn.Module:
    model = Net()()
    model[0].weight.requires_grad_(False)
    for layer in (model[0], model[2]):
        nn.init.zeros_(layer.weight)
        layer.weight.requires_grad_(False)
    return model


def test_inputs_that_cannot_be_learned_have_no_usable_rate() -> None:
    rows = torch.randn(200, 64, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 10
    found = answer(lab_for(Task(frozen, nn.CrossEntropyLoss(), rows)), "lr_range_test")
    assert [e.measure for e in found] == ["no-usable-rate"] and "no usable rate" in found[0].text


def test_evidence_says_the_band_and_is_paid_by_its_updates() -> None:
    lab = lab_for(digits_task(240))
    (found,) = answer(lab, "lr_range_test", params={"seeds": 2})
    assert found.measure == "proposed_rate" and found.seeds == (0, 1)
    assert found.low is not None and found.high is not None and found.low <= found.value <= found.high
    assert sum(lab.runs[key].steps for key in found.runs) <= 2 * UPDATES
    assert lab.spending.runs > 0 and lab.spending.baseline_seconds == 0, "a ramp is no baseline"
