"""What half of the rows would have given: how much more data would help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from traindx.experiments.base import Lab
from traindx.experiments.divisions import baselines, bounds
from traindx.records import Evidence, NotApplicable, Question, Run
from traindx.remedies import FewerRows
from traindx.tasks import FOLDS

# Runs on half of the rows are cut off this many times later than the whole ones were lowest: they have their lowest point no later.
AFTER_LOWEST = 1.25
# But no sooner than this share of the training.
LEAST_SHARE = 0.2


class LearningCurve:
    """Trains on half of the rows for as many updates, and compares the lowest validation losses: what each could give at its best."""

    name, title, version, reads_test = "learning_curve", "learning curve", 4, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``gain_of_doubling``: mean fall of the lowest validation loss from half to all rows, with its interval over divisions."""
        wholes = baselines(lab, self._affordable(lab, int(question.params["repeats"])))
        half = FewerRows(0.5).ref
        horizon = self._horizon(lab, wholes)
        try:
            jobs = [lab.job(half, repeat=run.seed - lab.recipe.seed, refold=True, horizon=horizon) for run in wholes]
        except NotApplicable as reason:
            return [Evidence(experiment=self.name, measure="not-applicable", value=math.nan, text=str(reason))]
        if not jobs:
            return [Evidence(experiment=self.name, measure="not-applicable", value=math.nan, text="no baseline ended with a finite loss")]
        spent = np.cumsum([lab.cost(job) for job in jobs])
        jobs = [job for job, cost in zip(jobs, spent, strict=True) if cost <= lab.left + 1e-9] or jobs[:1]
        halves = lab.train(jobs, "learning curve: half of the rows")
        wholes = wholes[: len(halves)]
        for repeat in range(int(question.params["repeats"]), FOLDS):
            if len(wholes) > 1 and _doubtful(wholes, halves, horizon) and (more := self._one_more(lab, repeat, horizon)):
                wholes, halves = [*wholes, more[0]], [*halves, more[1]]
        gains = _gains(wholes, halves, horizon)
        shared: dict[str, Any] = {"runs": tuple(run.key for run in (*wholes, *halves)), "seeds": tuple(run.seed for run in wholes)}
        low, high = _bounds(wholes, halves, horizon)
        found = [
            Evidence(
                experiment=self.name,
                measure="gain_of_doubling",
                value=float(gains.mean()),
                low=low,
                high=high,
                details={"least": float(gains.min())},
                **shared,
            )
        ]
        for share, runs in ((0.5, halves), (1.0, wholes)):
            value = float(np.mean([_lowest(run, horizon) for run in runs]))
            found.append(Evidence(experiment=self.name, measure="validation_loss", value=value, details={"share": share}, **shared))
        return found

    def _one_more(self, lab: Lab, repeat: int, horizon: int | None) -> list[Run]:
        """The baseline and the training on half of the rows on one more division; nothing where the budget does not pay."""
        jobs = [lab.job(repeat=repeat, refold=True), lab.job(FewerRows(0.5).ref, repeat=repeat, refold=True, horizon=horizon)]
        if sum(map(lab.cost, jobs)) > lab.left + 1e-9:
            return []
        runs = lab.train(jobs, "learning curve: one more division")
        return runs if all(math.isfinite(_lowest(run, horizon)) for run in runs) else []

    def _affordable(self, lab: Lab, repeats: int) -> int:
        """Divisions that the budget pays for, besides those whose baselines are known: two runs each."""
        known = sum(lab.job(repeat=repeat, refold=True).key in lab.runs for repeat in range(repeats))
        return min(repeats, max(known, 1) + max(0, math.floor((lab.left - max(known, 1)) / 2 + 1e-9)))

    def _horizon(self, lab: Lab, wholes: Sequence[Run]) -> int | None:
        """The step at which runs on half of the rows may stop: soon after the last of the whole ones was lowest."""
        latest = max((_lowest_step(run) for run in wholes), default=lab.total)
        step = lab.horizon(max(LEAST_SHARE, min(1.0, AFTER_LOWEST * latest / lab.total)))
        return None if step >= lab.total else step


def _lowest(run: Run, horizon: int | None) -> float:
    curve = run.curves["validation_loss"]
    known = [v for s, v in zip(curve.steps, curve.values, strict=True) if math.isfinite(v) and (horizon is None or s <= horizon)]
    return min(known, default=math.nan)


def _lowest_step(run: Run) -> int:
    curve = run.curves["validation_loss"]
    return curve.steps[int(np.nanargmin(curve.values))]


def _gains(wholes: Sequence[Run], halves: Sequence[Run], horizon: int | None) -> np.ndarray:
    return np.array([_lowest(h, horizon) - _lowest(w, horizon) for h, w in zip(halves, wholes, strict=True)])


def _bounds(wholes: Sequence[Run], halves: Sequence[Run], horizon: int | None) -> tuple[float, float]:
    """The interval of the mean gain: over divisions where there are several, else from the spread over rows."""
    gains = _gains(wholes, halves, horizon)
    gain = float(gains.mean())
    if len(gains) == 1:
        margin = 2 * math.hypot(*(run.spread.get("validation_loss", 0.0) for run in (wholes[0], halves[0])))
        return gain - margin, gain + margin
    pairs = [(_lowest(h, horizon), _lowest(w, horizon)) for h, w in zip(halves, wholes, strict=True)]
    low, high = (share * abs(gain) for share in bounds(pairs, gains))
    return min(low, gain), max(high, gain)


def _doubtful(wholes: Sequence[Run], halves: Sequence[Run], horizon: int | None) -> bool:
    """Whether more rows help on average, but not beyond the noise of these divisions."""
    return bool(_gains(wholes, halves, horizon).mean() > 0 >= _bounds(wholes, halves, horizon)[0])
