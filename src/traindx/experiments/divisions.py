"""The baseline again, with other seeds on other divisions of the rows: what one small validation set says may be chance.

Where early stopping would have helped can be read off the same runs: the training up to a stop is the training without one. The step to
stop at is chosen on the other runs, so that no validation loss is judged at the step where it happened to be lowest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from traindx.experiments.base import Lab
from traindx.records import Evidence, Outcome, Question, RemedyRef, Run
from traindx.remedies import make_remedy

# Signs and size count as in the race of interventions.
SIGN_WORTH, SIZE_COST = 0.3, 0.03
# The bounds of a mean paired effect: a two-sided Student interval of this confidence, beside which the single pairs must agree.
CONFIDENCE = 0.8
# Of this many pairs, one may disagree.
MANY = 5
# Recoveries are told up to this share of the gap. Scores are not cut off so soon: of two that reach the goal, the better one stands first.
MOST_RECOVERED, MOST_SCORED = 1.5, 10.0


class Divisions:
    """Final and lowest validation losses over repeated baselines, and what stopping early recovers of them."""

    name, title, version, reads_test = "divisions", "baseline on other divisions", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """Means over the runs: ``train_loss``, ``validation_loss``, ``lowest_validation_loss``; ``recovered`` for early stopping."""
        runs = baselines(lab, int(question.params["repeats"]))
        if len(runs) < 2:
            text = "fewer than two baselines ended with finite losses"
            return [Evidence(experiment=self.name, measure="not-applicable", value=math.nan, text=text)]
        final = [run.last("validation_loss") for run in runs]
        stopped, steps = stopped_losses(runs)
        shared: dict[str, Any] = {"runs": tuple(run.key for run in runs), "seeds": tuple(run.seed for run in runs)}
        found = [
            Evidence(
                experiment=self.name,
                measure=measure,
                value=float(np.mean(values)),
                low=min(values),
                high=max(values),
                details={f"run {i}": v for i, v in enumerate(values)},
                **shared,
            )
            for measure, values in (
                ("train_loss", [run.last("train_loss") for run in runs]),
                ("validation_loss", final),
                ("lowest_validation_loss", stopped),
                ("lowest_validation_step", [float(step) for step in steps]),
            )
        ]
        gap = float(np.mean(final)) - min(float(question.params["goal"]), float(np.mean(stopped)))
        for ref, prior in zip(question.remedies, question.priors, strict=True):
            found.append(recovery(ref, prior, list(zip(final, stopped, strict=True)), gap, float(question.params["least"]), shared))
        return found


def baselines(lab: Lab, repeats: int) -> list[Run]:
    """The baseline on up to ``repeats`` divisions, as many as the budget pays; those that diverged are left out."""
    least = 1 + max(0, min(repeats - 1, math.floor(lab.left + 1e-9)))
    runs = lab.train([lab.job(repeat=repeat, refold=True) for repeat in range(least)], "baseline on other divisions")
    return [run for run in runs if run.outcome in (Outcome.FINISHED, Outcome.STOPPED) and math.isfinite(run.last("validation_loss"))]


def stopped_losses(runs: Sequence[Run]) -> tuple[list[float], list[int]]:
    """(validation loss of every run at the step at which the others are lowest on average, those steps)."""
    grid = [step for step in runs[0].curves["validation_loss"].steps if step > 0]
    table = np.array([[run.curves["validation_loss"].at(step) for step in grid] for run in runs])
    scaled = table / np.maximum(np.abs(table[:, :1]), 1e-12)
    losses, steps = [], []
    for i, run in enumerate(runs):
        best = int(np.nanargmin(np.delete(scaled, i, 0).mean(0)))
        losses.append(min(float(table[i, best]), run.last("validation_loss")) if best == len(grid) - 1 else float(table[i, best]))
        steps.append(grid[best])
    return losses, steps


def recovery(
    ref: RemedyRef, prior: float, pairs: Sequence[tuple[float, float]], gap: float, least: float, shared: dict[str, Any], **details: float
) -> Evidence:
    """``recovered`` over pairs of (loss without, loss with the remedy); ``low`` is above 0 when the mean is, and the pairs gain ``least`` each."""
    without, effects = float(np.mean([a for a, _ in pairs])), np.array([a - b for a, b in pairs])
    effects = np.nan_to_num(effects, nan=-math.inf, neginf=-abs(without) - 1.0)
    gap = max(gap, 1e-12)
    value = float(np.clip(effects.mean() / gap, -1.0, MOST_RECOVERED))
    low, high = (None, None) if len(pairs) < 2 else bounds(pairs, effects)
    if low is not None and high is not None:
        low, high = value * low, value * high
        low = min(low, 0.0) if np.sort(effects)[len(effects) // MANY] < least or value <= 0 else low
    size = make_remedy(ref).size
    return Evidence(
        experiment="intervention",
        measure="recovered",
        value=value,
        low=low,
        high=None if low is None or high is None else max(low, high),
        subject=str(ref),
        remedy=ref,
        details={
            "quantity": "validation_loss",
            "before": without,
            "after": without - float(effects.mean()),
            "reachable": without - gap,
            "mean_effect": float(effects.mean()),
            "least_effect": float(effects.min()),
            "share_of_training": 1.0,
            "prior": prior,
            "score": float(np.clip(effects.mean() / gap, -1.0, MOST_SCORED)) + SIGN_WORTH * prior - SIZE_COST * size,
            **details,
        },
        **shared,
    )


def bounds(pairs: Sequence[tuple[float, float]], effects: np.ndarray) -> tuple[float, float]:
    """Student's bounds of the mean paired effect, as shares of that mean; of logarithms where losses are positive."""
    from scipy.stats import t

    values = np.array(pairs, dtype=float)
    if bool((values > 0).all()) and bool(np.isfinite(values).all()):
        effects = np.log(values[:, 0]) - np.log(values[:, 1])
    if effects.mean() <= 0:
        return -1.0, 1.0
    quantile = float(t.ppf(0.5 + CONFIDENCE / 2, len(effects) - 1))
    margin = quantile * float(effects.std(ddof=1)) / math.sqrt(len(effects)) / float(effects.mean())
    return 1 - margin, 1 + margin
