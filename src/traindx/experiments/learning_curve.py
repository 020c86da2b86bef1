"""What half of the rows would have given: how much more data would help."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from traindx.experiments.base import Lab
from traindx.records import Evidence, NotApplicable, Question, Run
from traindx.remedies import FewerRows


class LearningCurve:
    """Trains on half of the rows for as many updates, and compares the lowest validation losses: what each could give at its best."""

    name, title, version, reads_test = "learning_curve", "learning curve", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``gain_of_doubling``: mean fall of the lowest validation loss from half to all rows, with its interval over divisions."""
        repeats = range(1 + max(0, min(int(question.params["repeats"]), math.floor((lab.left - 1) / 2))))
        half = FewerRows(0.5).ref
        try:
            jobs = [lab.job(half, repeat=repeat, refold=True) for repeat in repeats]
        except NotApplicable as reason:
            return [Evidence(experiment="learning_curve", measure="not-applicable", value=math.nan, text=str(reason))]
        wholes = lab.train([lab.job(repeat=repeat, refold=True) for repeat in repeats], "learning curve: all rows")
        halves = lab.train(jobs, "learning curve: half of the rows")
        gains = np.array([_lowest(h) - _lowest(w) for h, w in zip(halves, wholes, strict=True)])
        shared = {"runs": tuple(run.key for run in (*wholes, *halves)), "seeds": tuple(run.seed for run in wholes)}
        gain, error = float(gains.mean()), _error(gains, wholes[0], halves[0])
        found = [
            Evidence(
                experiment="learning_curve", measure="gain_of_doubling", value=gain, low=gain - 2 * error, high=gain + 2 * error, **shared
            )
        ]
        for share, runs in ((0.5, halves), (1.0, wholes)):
            value = float(np.mean([_lowest(run) for run in runs]))
            found.append(Evidence(experiment="learning_curve", measure="validation_loss", value=value, details={"share": share}, **shared))
        return found


def _lowest(run: Run) -> float:
    curve = run.curves["validation_loss"]
    return min((value for value in curve.values if math.isfinite(value)), default=math.nan)


def _error(gains: np.ndarray, whole: Run, half: Run) -> float:
    """Standard error of the mean gain: over divisions where there are several, else from the spread over rows."""
    if len(gains) > 1:
        return float(gains.std(ddof=1)) / math.sqrt(len(gains))
    return math.hypot(whole.spread.get("validation_loss", 0.0), half.spread.get("validation_loss", 0.0))
