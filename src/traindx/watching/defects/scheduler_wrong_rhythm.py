"""A scheduler made for epochs is stepped with every batch, or the reverse."""

from __future__ import annotations

from typing import Any

from traindx.watching.defects.base import LIKELY, Detector
from traindx.watching.loop import Loop

# A rate that falls below this share of its highest within so many updates, and is held there as long, has ended the learning at its start.
SPENT, WITHIN = 0.01, 50
# Updates between two steps of a scheduler from which on it is stepped by the epoch.
AN_EPOCH = 8
# Schedulers whose length counts updates or epochs as their maker chose, by the attribute that holds it.
_LENGTHS = {"OneCycleLR": "total_steps", "CosineAnnealingLR": "T_max", "LinearLR": "total_iters", "PolynomialLR": "total_iters"}


class SchedulerWrongRhythm(Detector):
    """Seen in the rates that the updates really have, and, where the scheduler is given, in how often it steps against its own length.

    Stepped too often: the rate is spent within the first updates and training goes on, or a cosine comes back up. Too rarely: a schedule
    of as many steps as there are updates advances once an epoch.
    """

    cause = "scheduler-wrong-rhythm"
    needed = 1
    confidence = LIKELY
    lasting = True
    settles = "step the scheduler as often as its length is counted: once an epoch, or once an update"

    def __init__(self) -> None:
        super().__init__()
        self._highest, self._highest_at, self._spent_at = 0.0, 0, -1
        self._steps_at: dict[int, int] = {}

    def reported(self, loop: Loop) -> None:
        """The rate of this update."""
        if not loop.updates_since_report or self.held is not None:
            return
        rate = loop.rate
        if rate > self._highest:
            self._highest, self._highest_at, self._spent_at = rate, loop.updates, -1
        elif rate >= SPENT * self._highest:
            self._spent_at = -1
        elif self._spent_at < 0:
            self._spent_at = loop.updates
        if 0 < self._spent_at <= self._highest_at + WITHIN and loop.updates >= self._spent_at + WITHIN:
            lost = f"from {self._highest:.2g} to {rate:.2g} within {loop.updates - self._highest_at} updates"
            self.saw(loop, f"the learning rate fell {lost}, and training goes on without it", value=rate / self._highest)
        elif loop.scheduler is not None:
            self._compare(loop, loop.scheduler)

    def _compare(self, loop: Loop, scheduler: Any) -> None:
        """The scheduler's steps against the updates; those of its parts, where it is made of several."""
        parts = getattr(scheduler, "_schedulers", [scheduler])
        steps = getattr(scheduler, "last_epoch", getattr(parts[0], "last_epoch", None))
        if steps is None:  # one that counts in its own way
            return
        self._steps_at.setdefault(steps, loop.updates)
        for part in parts:
            if steps >= loop.updates - 2:
                self._compare_with_updates(loop, part)
            elif steps >= 2:
                self._compare_with_epochs(loop, part)

    def _compare_with_updates(self, loop: Loop, part: Any) -> None:
        length, steps = _length(part), int(part.last_epoch)
        if type(part).__name__ == "CosineAnnealingLR" and length and steps > 1.5 * length:
            said = f"CosineAnnealingLR(T_max={length}) is stepped with every update and has come back up after {steps} of them"
            self.saw(loop, said, value=steps)

    def _compare_with_epochs(self, loop: Loop, part: Any) -> None:
        length, an_epoch = _length(part), self._steps_at.get(2, 0) - self._steps_at.get(1, 0)
        if length and an_epoch >= AN_EPOCH and length % an_epoch == 0 and length > an_epoch:
            said = (
                f"{type(part).__name__} is made for {length} steps, {length // an_epoch} times the {an_epoch} updates between two of them"
            )
            self.saw(loop, f"{said}: it is stepped once an epoch", value=length)


def _length(scheduler: Any) -> int | None:
    """The steps that it is made for, where it has a length."""
    return getattr(scheduler, _LENGTHS.get(type(scheduler).__name__, ""), None)
