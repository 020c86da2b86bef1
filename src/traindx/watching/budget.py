"""The watcher's own cost, measured, and what it may still spend."""

from __future__ import annotations

import time
from collections.abc import Callable

# The first updates tell most, and all of them are looked at in full; then ever fewer, as long as the budget allows.
FIRST_LOOKS = (0, 1, 2, 4, 8, 16, 24, 32, 40, 48)
# Between two looks lie so many updates, and this share of those done so far: a long run holds some hundred observations, not millions.
LEAST_SPACING, SPACING = 64, 0.02


class Budget:
    """Keeps the time spent on watching below a share of the time spent on training.

    Args:
        share: of the training's own wall time.
        clock: in seconds.

    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.share, self.clock = share, clock
        self.started = clock()
        self.spent = 0.0
        self._last_look, self._before_look, self._look_cost = -1, 0.0, 0.0

    @property
    def training_seconds(self) -> float:
        """Wall time so far, without what was spent here."""
        return self.clock() - self.started - self.spent

    def affords_look(self, step: int) -> bool:
        """Whether this update is looked at in full."""
        if step in FIRST_LOOKS:
            return True
        if step - self._last_look < max(LEAST_SPACING, SPACING * step):
            return False
        return self.spent + self._look_cost <= self.share * self.training_seconds

    @property
    def affords_more(self) -> bool:
        """Whether half of the budget is left, for small looks between the full ones."""
        return self.spent <= 0.5 * self.share * self.training_seconds

    def look_begins(self, step: int) -> None:
        """An update that is looked at begins."""
        self._last_look, self._before_look = step, self.spent

    def look_ends(self) -> None:
        """It has ended: the mean of what the last looks cost is what the next one will."""
        cost = self.spent - self._before_look
        self._look_cost = cost if not self._look_cost else 0.5 * (self._look_cost + cost)
