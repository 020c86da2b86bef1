"""Trainings by which a treatment is chosen: on repeats that play no part in its verification, as far as the budget and the clock go."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from traindx.experiments import Lab
from traindx.experiments.verification import CHOOSING, REPEATS, final_loss
from traindx.records import RemedyRef, Run

# A smaller share of the loss is not worth a change.
WORTH = 0.005

Remedies = tuple[RemedyRef, ...]


class Choosing:
    """Validation losses of remedies on the repeats of CHOOSING, in order, and whether more can be paid.

    What the verification will cost is kept back, also that of the ``fallback``. ``deadline`` is in seconds of the lab's clock.
    """

    def __init__(self, lab: Lab, deadline: float | None, fallback: Remedies = ()) -> None:
        self.lab, self.deadline, self.fallback = lab, math.inf if deadline is None else deadline, fallback

    def left(self, remedies: Remedies) -> float:
        """Baseline runs that are free, when the verification of these remedies is paid; nothing after the deadline.

        Raises:
            NotApplicable: when the remedies cannot be applied.

        """
        plans = [(), remedies, *([self.fallback] if self.fallback else ())]
        kept_back = len(REPEATS) * sum(self.lab.cost(self.lab.job(*plan)) for plan in plans)
        return 0.0 if self.lab.spending.seconds > self.deadline else self.lab.left - kept_back

    def cost(self, remedies: Remedies) -> float:
        """Baseline runs that trainings on every repeat cost."""
        return len(CHOOSING) * self.lab.cost(self.lab.job(*remedies))

    def loss(self, remedies: Remedies, repeat: int, stage: str, horizon: int | None = None) -> float:
        """The final validation loss on one repeat, infinite where it diverged; or the loss at ``horizon`` updates."""
        job = self.lab.job(*remedies, repeat=CHOOSING[repeat], refold=True, horizon=horizon)
        return final_loss(self.lab.train([job], stage)[0])

    def runs(self, remedies: Remedies, stage: str) -> list[Run]:
        """The trainings on every repeat."""
        return self.lab.train([self.lab.job(*remedies, repeat=repeat, refold=True) for repeat in CHOOSING], stage)

    def losses(self, remedies: Remedies, stage: str) -> list[float]:
        """The final validation losses on every repeat."""
        return [final_loss(run) for run in self.runs(remedies, stage)]


def lower(losses: Sequence[float], known: Sequence[float]) -> bool:
    """Whether these are below the known ones, repeat by repeat, by more on average than that average's standard error, and by WORTH."""
    if not all(map(math.isfinite, losses)) or not all(map(math.isfinite, known)):
        return all(map(math.isfinite, losses))
    gains = np.array(known) - np.array(losses)
    return bool(gains.mean() > max(gains.std(ddof=1) / math.sqrt(len(gains)), WORTH * float(np.mean(known))))
