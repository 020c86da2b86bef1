"""Trainings by which a treatment is chosen: on repeats whose seeds play no part in its verification, as far as the budget and the clock go."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traindx.experiments import Lab
from traindx.experiments.verification import CHOOSING, REPEATS, final_loss, paired_gains
from traindx.records import RemedyRef, Run

# A smaller share of the loss is not worth a change.
WORTH = 0.005
# The fallback is verified on so many seeds at least; their untreated trainings are there by then.
FALLBACK_PAIRS = 3

Remedies = tuple[RemedyRef, ...]


class Choosing:
    """Validation losses of remedies on the repeats of CHOOSING, in order, and whether more can be paid.

    What the verification will cost is kept back, and for the ``fallback`` so much that its effect, which a diagnosis has confirmed, can be seen again.
    ``deadline`` is in seconds of the lab's clock.
    """

    def __init__(self, lab: Lab, deadline: float | None, fallback: Remedies = ()) -> None:
        self.lab, self.deadline, self.fallback = lab, math.inf if deadline is None else deadline, fallback

    def left(self, remedies: Remedies) -> float:
        """Baseline runs that are free, when the verification of these remedies is paid; nothing after the deadline.

        Raises:
            NotApplicable: when the remedies cannot be applied.

        """
        kept_back = len(REPEATS) * (self._once(()) + self._once(remedies))
        if self.fallback not in ((), remedies):
            kept_back += FALLBACK_PAIRS * self._once(self.fallback)
        return 0.0 if self.lab.spending.seconds > self.deadline else self.lab.left - kept_back

    def cost(self, remedies: Remedies) -> float:
        """Baseline runs that trainings on every repeat cost."""
        return len(CHOOSING) * self._once(remedies)

    def _once(self, remedies: Remedies) -> float:
        """Baseline runs that one training costs."""
        return self.lab.cost(self.lab.job(*remedies))

    def loss(self, remedies: Remedies, repeat: int, stage: str, horizon: int | None = None) -> float:
        """The final validation loss on one repeat, infinite where it diverged; or the loss at ``horizon`` updates."""
        job = self.lab.job(*remedies, repeat=CHOOSING[repeat], refold=True, horizon=horizon)
        return final_loss(self.lab.train([job], stage)[0])

    def runs(self, remedies: Remedies, stage: str) -> list[Run]:
        """The trainings on every repeat."""
        return self.lab.train([self.lab.job(*remedies, repeat=repeat, refold=True) for repeat in CHOOSING], stage)

    def score(self, remedies: Remedies, stage: str) -> Score:
        """What the trainings on every repeat end at."""
        runs, metric = self.runs(remedies, stage), self.lab.task.metric
        values = [0.0 if metric is None else run.last("validation_metric") for run in runs]
        sign = 1.0 if metric is None or metric.higher_is_better else -1.0
        return Score(tuple(map(final_loss, runs)), tuple(sign * value for value in values))


class Score(NamedTuple):
    """The final validation loss of every repeat, and the metric, negative where lower is better; none or zeros without a metric.

    It is NaN where the metric cannot be had of these outputs; the losses alone decide then.
    """

    losses: tuple[float, ...]
    metrics: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """The geometric mean of the losses where all are positive, as gains are shares of them; else their mean."""
        positive = min(self.losses) > 0 and math.isfinite(max(self.losses))
        return math.exp(np.mean(np.log(self.losses))) if positive else float(np.mean(self.losses))

    def better(self, known: Score) -> bool:
        """Whether the losses are lower, repeat by repeat, by more on average than that average's standard error and WORTH.

        The metric may not be worse by more than its own standard error: of few rows, it is coarse.
        """
        if not all(map(math.isfinite, (*self.losses, *known.losses))):
            return all(map(math.isfinite, self.losses))
        gains = paired_gains(known.losses, self.losses)
        least = WORTH if min(*self.losses, *known.losses) > 0 else WORTH * abs(known.mean)
        return bool(gains.mean() > max(_error(gains), least) and self._as_good(known))

    def _as_good(self, known: Score) -> bool:
        changes = np.subtract(self.metrics, known.metrics)
        return len(changes) == 0 or bool(np.isnan(known.metrics).any() or changes.mean() >= -_error(changes))


def _error(values: NDArray[np.float64]) -> float:
    """The standard error of their mean."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))
