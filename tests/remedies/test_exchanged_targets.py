"""Numbers of other rows are told from every kind of noise, and left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from traindx.records import Recipe
from traindx.remedies import DropSuspectLabels
from traindx.remedies.exchanged_targets import Exchange, exchange
from traindx.tasks import Task

ROWS = 1200
NOISES = ["normal", "student", "cauchy", "laplace", "uneven", "one-sided", "wide-for-some", "counts", "zeros", "weak", "sign", "regime"]


def known(seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    """What the inputs say of every row."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=ROWS) + rng.choice([-1.0, 1.0], ROWS), rng


def exchanged(y: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Targets of which this share was permuted, and which these are."""
    hit = rng.random(len(y)) < share
    y = y.copy()
    y[hit] = rng.permutation(y[hit])
    return y, hit


def looked_at(y: np.ndarray, predicted: np.ndarray) -> Exchange:
    found = exchange(y, [predicted])
    assert found is not None
    return found


@pytest.mark.parametrize(("share", "noise"), [(0.2, "normal"), (0.4, "normal"), (0.4, "tails")])
def test_exchanged_targets_are_shown(share: float, noise: str) -> None:
    f, rng = known()
    y, hit = exchanged(f + 0.3 * (rng.normal(size=ROWS) if noise == "normal" else rng.standard_t(4, ROWS)), share, rng)
    found = looked_at(y, (1 - share) * f)  # what is learned from such targets is flattened
    assert found.shown and found.share == pytest.approx(share, abs=0.06)
    assert (found.suspects & hit).sum() > 0.6 * hit.sum() and (found.suspects & ~hit).sum() < 0.1 * (~hit).sum()


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_of_any_kind_is_no_exchange(noise: str, seed: int) -> None:
    f, rng = known(seed)
    y = {
        "normal": lambda: f + 0.3 * rng.normal(size=ROWS),
        "student": lambda: f + 0.3 * rng.standard_t(2, ROWS),
        "cauchy": lambda: f + 0.1 * rng.standard_cauchy(ROWS),
        "laplace": lambda: f + 0.4 * rng.laplace(size=ROWS),
        "uneven": lambda: f + 0.4 * np.exp(f / 2) * rng.normal(size=ROWS),
        "one-sided": lambda: f + 0.5 * rng.exponential(size=ROWS),
        "wide-for-some": lambda: f + np.where(rng.random(ROWS) < 0.3, 1.5, 0.2) * rng.normal(size=ROWS),
        "counts": lambda: rng.poisson(np.exp(f)).astype(float),
        "zeros": lambda: np.where(rng.random(ROWS) < 0.3, 0.0, np.exp(f)),
        "weak": lambda: 0.3 * f + rng.normal(size=ROWS),
        "sign": lambda: np.where(rng.random(ROWS) < 0.2, -1, 1) * f + 0.2 * rng.normal(size=ROWS),
        "regime": lambda: np.where(rng.random(ROWS) < 0.25, -0.5, 1) * f + 0.2 * rng.normal(size=ROWS),
    }[noise]()
    mean = {"counts": np.exp(f), "zeros": 0.7 * np.exp(f), "weak": 0.3 * f, "sign": 0.6 * f, "regime": 0.625 * f}.get(noise, f)
    assert not looked_at(y, mean + 0.05 * rng.normal(size=ROWS)).shown


def test_exchange_without_a_flattened_line_is_not_believed() -> None:
    f, rng = known()
    assert not looked_at(exchanged(f + 0.3 * rng.normal(size=ROWS), 0.3, rng)[0], f).shown


def test_constant_targets_and_predictions_say_nothing() -> None:
    f, _ = known()
    assert exchange(np.ones(ROWS), [f]) is None and exchange(f, [np.ones(ROWS)]) is None


@pytest.mark.parametrize(("share", "dropped"), [(0.35, True), (0.0, False)])
def test_exchanged_rows_are_left_out(share: float, dropped: bool) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(ROWS, 4)).astype(np.float32)
    right = 2 * x[:, 0] + x[:, 1] + 0.2 * rng.normal(size=ROWS)
    y, hit = exchanged(right, share, rng)
    task = Task(lambda: nn.Linear(4, 1), nn.MSELoss(), (x, y[:, None].astype(np.float32)), (x[:50], right[:50, None].astype(np.float32)))
    if not dropped:
        assert len(_kept(task)) >= 0.99 * ROWS
        return
    kept = _kept(task)
    assert len(kept) < ROWS and float((torch.isin(torch.from_numpy(y[hit]).float(), kept)).float().mean()) < 0.3


def _kept(task: Task) -> torch.Tensor:
    from traindx.records import NotApplicable

    try:
        targets = DropSuspectLabels().apply(task, Recipe())[0].train.targets
    except NotApplicable:  # nothing to leave out
        targets = task.train.targets
    assert targets is not None
    return targets[:, 0]
