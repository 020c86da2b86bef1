"""Trainings by which a treatment is chosen: on repeats that play no part in its verification, as far as the budget and the clock go."""

from __future__ import annotations

import math
from collections.abc import Sequence

from traindx.experiments import Lab
from traindx.experiments.verification import CHOOSING, REPEATS, final_loss
from traindx.records import RemedyRef, Run

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

    def improved(self, remedies: Remedies, known: Sequence[float], stage: str) -> list[float] | None:
        """The losses where none is above the known one and they are not all the same; None otherwise."""
        found = self.nowhere_above(remedies, known, stage)
        return None if found == list(known) else found

    def nowhere_above(self, remedies: Remedies, known: Sequence[float], stage: str) -> list[float] | None:
        """The losses where none is above the known one; None at the first that is."""
        found: list[float] = []
        for repeat, before in enumerate(known):
            found.append(self.loss(remedies, repeat, stage))
            if not found[-1] <= before:
                return None
        return found
