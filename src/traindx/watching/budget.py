"""The watcher's own cost, measured, and what it may still spend."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# The first updates tell most, and all of these are looked at in full; then ever fewer, as long as the budget allows.
FIRST_LOOKS = (0, 1, 2, 4, 8, 16, 24, 32, 40, 48)
# Between two looks lie so many updates, and this share of those done so far: a long run holds some hundred observations, not millions.
LEAST_SPACING, SPACING = 64, 0.02
# A look that cannot be paid for is asked about again after so many updates.
ASKED_AGAIN = 16
# Looks in full may take this part of the budget: most of it is for what is followed at every update, a part of which no clock in here can see.
FOR_LOOKS = 0.1


class Budget:
    """Thins out the looks in full, so that watching takes less than a share of the time spent on training.

    Args:
        share: of the training's own wall time.
        clock: in seconds.

    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.share, self.clock = share, clock
        self.started = clock()
        self.spent = 0.0
        self._next_look, self._looked_at, self._before_look, self._look_cost = 0, 0.0, 0.0, 0.0

    @property
    def training_seconds(self) -> float:
        """Wall time so far, without what was spent here."""
        return self.clock() - self.started - self.spent

    def affords_look(self, step: int) -> bool:
        """Whether this update is looked at in full."""
        if step < self._next_look:
            return False
        if step <= FIRST_LOOKS[-1]:
            return True
        trained = self.training_seconds
        since_look = trained - self._looked_at
        affordable = self._look_cost <= FOR_LOOKS * self.share * since_look and self.spent + self._look_cost <= self.share * trained
        if not affordable:
            self._next_look = step + ASKED_AGAIN
        return affordable

    @property
    def affords_more(self) -> bool:
        """Whether half of the budget is left, for small looks between the full ones."""
        return self.spent <= 0.5 * self.share * self.training_seconds

    def look_begins(self, step: int) -> None:
        """An update that is looked at begins."""
        self._before_look, self._looked_at = self.spent, self.training_seconds
        later = math.ceil(max(step + LEAST_SPACING, (1 + SPACING) * step))
        self._next_look = next((first for first in FIRST_LOOKS if first > step), later)

    def look_ends(self) -> None:
        """It has ended: the mean of what the last looks cost is what the next one will."""
        cost = self.spent - self._before_look
        self._look_cost = cost if not self._look_cost else 0.5 * (self._look_cost + cost)
