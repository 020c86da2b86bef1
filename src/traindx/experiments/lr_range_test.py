"""Which learning rates can be used at all? The rate is raised over seven decades in one short training, with several seeds.

Smith (Cyclical Learning Rates for Training Neural Networks, 2015, section 3.3) raises the rate and watches where learning sets in and where
it breaks. One such curve is noisy; here a rate is usable when it is so with every seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from traindx.experiments.base import Lab
from traindx.records import Evidence, Question, Recipe, Run
from traindx.tasks import Task
from traindx.training import Job, fit

# From where no usual training moves to where almost none is stable, in so many updates: 20 a decade, as in the usual finders.
LOWEST, HIGHEST, UPDATES = 1e-6, 10.0, 140
SEEDS = 3
# Batch losses are averaged over this many updates, a third of a decade.
WINDOW = 7
# The first decade shows the loss before it moves, and how much it jumps.
STILL = 20
# Learning: the loss falls by this share, and by this many standard errors of the averaged loss.
FALL_SHARE, FALL_ERRORS = 0.05, 4.0
# Learning has set in when this share of the fall is done.
BEGUN = 0.1
# The proposal lies below the rate of least loss, which is at the edge of what is stable: Smith's third to fourth of the upper end.
BACK = 1 / 3


@dataclass(frozen=True)
class RateRange:
    """The band of usable rates, from ``low`` to ``high``, and the one that is proposed; all None, with a ``reason``, where there is none.

    ``rates`` (R,) and ``losses``, one averaged curve (R,) a seed, NaN from where a training diverged.
    """

    rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    low: float | None = None
    high: float | None = None
    proposed: float | None = None
    reason: str = ""


def ramp(recipe: Recipe, seed: int) -> Recipe:
    """The recipe that raises the rate from LOWEST to HIGHEST in UPDATES updates."""
    schedule = f"ramp:{HIGHEST / LOWEST}"
    return recipe.replace(
        lr=LOWEST, schedule=schedule, warmup_steps=0, early_stopping=None, epochs=UPDATES, max_steps=UPDATES, accumulate=1, seed=seed
    )


def range_test(task: Task, recipe: Recipe, seeds: int = SEEDS) -> RateRange:
    """The band of usable rates of the recipe's optimizer on this task. Cost: UPDATES updates a seed.

    Raises:
        InputError: when the recipe cannot be used.

    """
    return rate_range([fit(task, ramp(recipe, recipe.seed + k), horizon=UPDATES).run for k in range(seeds)])


def rate_range(runs: Sequence[Run]) -> RateRange:
    """The band that the runs of a `ramp` leave: where every one of them has begun to learn and none has broken."""
    rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(UPDATES) / (UPDATES - 1))
    raw = [_losses(run) for run in runs]
    averaged = [_averaged(losses) for losses in raw]
    told = tuple(float(r) for r in rates), tuple(tuple(float(v) for v in curve) for curve in averaged)
    edges = [_edges(losses, curve) for losses, curve in zip(raw, averaged, strict=True)]
    learned = [edge for edge in edges if edge is not None]
    if len(learned) < len(edges):
        return RateRange(*told, reason=f"no usable rate: with {len(edges) - len(learned)} of {len(edges)} seeds the loss falls at none")
    low, high = (float(rates[i]) for i in (max(first for first, _ in learned), min(last for _, last in learned)))
    if low >= high:
        return RateRange(*told, reason="no usable rate: where one seed begins to learn, another has broken")
    return RateRange(*told, low, high, max(low, BACK * high))


def _losses(run: Run) -> np.ndarray:
    """(R,) batch losses, NaN from the first that is not finite on."""
    losses = np.full(UPDATES, math.nan)
    seen = np.array(run.curves["batch_loss"].values if "batch_loss" in run.curves else ())[:UPDATES]
    finite = len(seen) if bool(np.isfinite(seen).all()) else int(np.argmin(np.isfinite(seen)))
    losses[:finite] = seen[:finite]
    return losses


def _averaged(losses: np.ndarray) -> np.ndarray:
    """(R,) means over WINDOW updates up to each, fewer at the beginning."""
    return np.array([losses[max(0, i + 1 - WINDOW) : i + 1].mean() for i in range(len(losses))])


def _edges(losses: np.ndarray, averaged: np.ndarray) -> tuple[int, int] | None:
    """(the update where the loss has begun to fall for good, the one where it is least); None where it does not fall."""
    if not math.isfinite(averaged[STILL]):
        return None
    start, error = float(losses[:STILL].mean()), float(losses[:STILL].std(ddof=1)) / math.sqrt(WINDOW)
    least = int(np.nanargmin(averaged))
    fall = start - float(averaged[least])
    if fall < max(FALL_SHARE * abs(start), FALL_ERRORS * error):
        return None
    above = np.flatnonzero(averaged[:least] > start - BEGUN * fall)
    return int(above[-1]) + 1, least


class LrRangeTest:
    """The ramp of rates with several seeds, on the baseline's rows."""

    name, title, version, reads_test = "lr_range_test", "range of usable learning rates", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``proposed_rate`` with the band as its bounds; or ``no-usable-rate``, whose value is the number of seeds that were tried."""
        seeds = [lab.recipe.seed + k for k in range(int(question.params.get("seeds", SEEDS)))]
        jobs = [Job(lab.task, ramp(lab.recipe, seed), UPDATES) for seed in seeds]
        runs = lab.train(jobs, "raising the learning rate")
        found = rate_range(runs)
        measure, value = ("no-usable-rate", float(len(runs))) if found.proposed is None else ("proposed_rate", found.proposed)
        return [
            Evidence(
                experiment=self.name,
                measure=measure,
                value=value,
                low=found.low,
                high=found.high,
                runs=tuple(run.key for run in runs),
                seeds=tuple(seeds),
                text=found.reason,
                details={"interval": "the band of usable rates", "rate_of_recipe": lab.recipe.lr},
            )
        ]
