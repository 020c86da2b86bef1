"""A loss that has left its level and not come back, read from its curve alone.

Two kinds count. An explosion ends orders of magnitude above all levels before it. A loss is lost where it has stayed, for as long as its first
descent took, well above its start, or at its start after it had been far below. What rises for other reasons is told apart: a task that changed
falls again; noise, also of heavy tails, moves no median of five; and where looks after the rise show updates of an ordinary length, as in a
generator whose critic learns, the weights were not thrown away. Levels are medians over a few losses, so that an explosion does not widen the
noise that it is held against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from traindx.diagnosis.rules.learning_rate_too_high import RATIO_NONE
from traindx.records import Curve

# A loss that ends at so many times its start has been driven away from it, and one at so many times all its levels before has exploded.
RISEN, EXPLODED = 1.5, 100.0
# A loss below this share of its start has learned something that can be lost, and has lost it where it comes back to this share.
LEARNED, LOST = 0.5, 0.95
# A change of a loss counts beyond so many standard errors.
NOISES = 3.0
# Fewer losses than this make no trend, and fewer than these no rise before a loss that is not finite.
LEAST_POINTS, LEAST_BEFORE_BREAK = 8, 5
# Levels are medians of so many losses: in a run of LONG, and in a shorter one.
LEVEL, LEVEL_IN_SHORT, LONG = 5, 3, 32
# A loss has stayed where it is from so many updates on, or from this share of a short run.
STAYED, STAYED_SHARE = 32, 0.25
# And from as many updates on as its first descent took; from so many times these, where it is only back at its start.
DESCENTS = 3
# The level that a loss leaves is that of so many updates before; a rise that takes longer is no explosion within moments.
RECENT = 64
# A rate has risen that is so many times the highest of the first half of the updates so far, less than so many updates ago left out; by MUCH,
# it needs no rise of the loss before a NaN.
RATE_RISEN, RATE_AGO, RATE_RISEN_MUCH = 2.0, 16, 10.0
# Updates between this length and RATIO_NONE, in shares of the weights, are ordinary ones; shorter ones are those of a network that is dead.
DEAD = 1e-7


@dataclass(frozen=True, slots=True)
class Rise:
    """Levels of a loss, the step at which it left the low one, and the rates before and then (NaN where none was recorded)."""

    start: float
    lowest: float
    highest_before: float
    """Up to where it was lowest."""
    end: float
    step: int
    exploded: bool
    broken_at: int | None
    """The first step whose loss is not finite."""
    rate_before: float
    rate: float

    @property
    def rate_rose(self) -> bool:
        """Whether the rate had risen to heights that it had not had before."""
        return self.rate >= RATE_RISEN * self.rate_before > 0


def rise_of(losses: Curve, rates: Curve, update_ratios: Curve) -> Rise | None:
    """The rise of a loss that a rate too high would explain; None where there is none. Cost: some microseconds a loss.

    Args:
        losses: in the order of their steps, also some that are not finite: what comes after the first of these is not read.
        rates: learning rates by step; of equal ones in a row, the first is enough.
        update_ratios: lengths of updates in shares of the weights, of those that were looked at.

    """
    values = np.array(losses.values)
    broken = np.flatnonzero(~np.isfinite(values))
    finite = values[: broken[0]] if len(broken) else values
    if len(finite) < (LEAST_BEFORE_BREAK if len(broken) else LEAST_POINTS):
        return None
    curve = _Levels(finite)
    if not len(broken) and max(curve.end, curve.late) < LEARNED * curve.start:  # the common case, and the cheapest to tell
        return None
    exploded = curve.end >= EXPLODED * curve.highest_before > 0
    left = curve.left(exploded)
    step, broken_at = losses.steps[left], losses.steps[broken[0]] if len(broken) else None
    before, rate = _rates(rates, step if exploded or broken_at is None else broken_at)
    end = curve.end if exploded or broken_at is not None else max(curve.end, curve.late)
    rise = Rise(curve.start, curve.lowest, curve.highest_before, end, step, exploded, broken_at, before, rate)
    return rise if _counts(rise, curve, left, update_ratios) else None


def _counts(rise: Rise, curve: _Levels, left: int, update_ratios: Curve) -> bool:
    """Whether the rise is one."""
    lost = rise.exploded or (rise.rate_rose and curve.is_driven())
    if rise.broken_at is not None:
        return lost or _broken_by_rate(rise, rise.broken_at)
    if curve.falls_again(left):
        return lost and rise.rate_rose
    slowly = curve.took(rise.exploded) > RECENT
    if lost:
        return rise.rate_rose or not (slowly and _ordinary(update_ratios, rise.step, slowly))
    if not curve.is_lost() or not curve.has_stayed(left) or curve.comes_and_goes(left):
        return False
    if rise.rate_rose:
        return True
    if curve.late <= RISEN * rise.start and len(update_ratios) and update_ratios.steps[-1] < rise.step:
        return False  # it may be another task that is not learned: the next look will tell
    return not _ordinary(update_ratios, rise.step, slowly)


def _broken_by_rate(rise: Rise, broken_at: int) -> bool:
    """Whether the rate had risen so far that the loss need not have: not within the first updates, where rates are warmed up."""
    return broken_at > 2 * RATE_AGO and rise.rate >= RATE_RISEN_MUCH * rise.rate_before > 0


class _Levels:
    """A finite curve of losses and its running medians: ``level[i]`` is that of ``values[i : i + width]``."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.width = LEVEL if len(values) >= LONG else LEVEL_IN_SHORT
        self.start, self.end = float(np.median(values[:3])), float(np.median(values[-self.width :]))
        self.late = late_level(values)

    @cached_property
    def level(self) -> np.ndarray:
        levels: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(self.values, self.width), axis=1)
        return levels

    @cached_property
    def lowest_at(self) -> int:
        return int(self.level.argmin())

    @cached_property
    def lowest(self) -> float:
        return float(self.level[self.lowest_at])

    @cached_property
    def highest_before(self) -> float:
        """Up to where it was lowest."""
        return max(abs(self.start), float(np.abs(self.level[: self.lowest_at + 1]).max()))

    def left(self, exploded: bool) -> int:
        """The index at which the loss left its low level for that of its end: its last crossing of a height between them, followed back."""
        height = 2 * self.highest_before if exploded else 0.5 * (self.lowest + self.late)
        crossed = _last(self.level <= height)
        recent = self.level[max(self.lowest_at, crossed - RECENT) : crossed + 1]
        low = float(np.median(recent)) if len(recent) else self.lowest
        near = _last(self.level[: crossed + 1] <= low + NOISES * _noise(self.values[: crossed + 1]))
        return min(near + self.width // 2 + 1, len(self.values) - 1)

    def took(self, exploded: bool) -> int:
        """How many updates the rise took, but for its beginning and end."""
        low, high = 2 * self.highest_before, EXPLODED * self.highest_before
        if not exploded:
            low, high = (self.lowest + share * (self.late - self.lowest) for share in (0.25, 0.75))
        left = _last(self.level <= low)
        arrived = np.flatnonzero(self.level[left:] >= high)
        return int(arrived[0]) if len(arrived) else len(self.level) - left

    @cached_property
    def noise_before(self) -> float:
        """Up to where it was lowest."""
        return _noise(self.values[: self.lowest_at + self.width])

    def is_driven(self) -> bool:
        """Whether even the last few losses, all but the lowest of them, are well above every level before."""
        end = float(np.quantile(self.values[-self.width :], 0.25))
        return self.lowest >= 0 and end > RISEN * self.highest_before and end - self.highest_before > NOISES * self.noise_before

    def is_lost(self) -> bool:
        """Whether three in four of the last eighth of the losses, none of which can be negative, are well above the start, or at it after it
        had learned; beyond what was noise before.
        """
        if self.lowest < 0 or self.start <= 0:
            return False
        end, noise = float(np.quantile(self.values[-max(1, len(self.values) // 8) :], 0.25)), self.noise_before
        risen = end > RISEN * self.start and end - self.start > NOISES * noise
        return risen or (self.lowest < LEARNED * self.start and end > LOST * self.start and end - self.lowest > NOISES * noise)

    def has_stayed(self, left: int) -> bool:
        """Whether it has been up there for as long as its first descent took, or longer: a new task would have been learned by then."""
        halfway = 0.5 * (self.start + self.lowest)
        descent = int(np.flatnonzero(self.level <= halfway)[0]) if self.lowest < LEARNED * self.start else 0
        descents = descent if self.late > RISEN * self.start else DESCENTS * descent
        return len(self.values) - left >= max(descents, min(STAYED, math.ceil(STAYED_SHARE * len(self.values))))

    def falls_again(self, left: int) -> bool:
        """Whether it has fallen since it rose, by more than noise."""
        first, second = np.array_split(self.values[left:], 2)
        if not len(second):
            return False
        fall, error = np.median(first) - np.median(second), 1.25 * _noise(self.values[left:]) * math.sqrt(2 / len(second))
        return bool(fall > NOISES * error)

    def comes_and_goes(self, left: int) -> bool:
        """Whether it has been far higher not long ago, as where tasks become harder and each is learned."""
        return self.end < LEARNED * float(self.level[(left + len(self.level)) // 2 :].max())


def late_level(values: np.ndarray) -> float:
    """The median over the last eighth."""
    return float(np.median(values[-max(1, len(values) // 8) :]))


def _last(is_low: np.ndarray) -> int:
    """The index of the last True; the first where there is none."""
    found = np.flatnonzero(is_low)
    return int(found[-1]) if len(found) else 0


def _noise(values: np.ndarray) -> float:
    """The standard deviation around the trend, from the median difference of neighbours: few jumps do not widen it."""
    return float(np.median(np.abs(np.diff(values)))) * 1.4826 / math.sqrt(2) if len(values) > 2 else 0.0


def _rates(rates: Curve, step: int) -> tuple[float, float]:
    """The highest rate up to halfway to the step, and the highest since then; NaN where none was recorded."""
    known = [(s, v) for s, v in zip(rates.steps, rates.values, strict=True) if s <= step]
    if not known:
        return math.nan, math.nan
    ago = max(min(step // 2, step - RATE_AGO), known[0][0])
    in_force = rates.at(ago)
    return max([v for s, v in known if s <= ago]), max([in_force, *(v for s, v in known if s > ago)])


def _ordinary(update_ratios: Curve, since: int, slowly: bool) -> bool:
    """Whether the updates that were looked at since this step were of an ordinary length. Where none was, the last ones tell what those of a
    slow rise were; nothing tells of a fast one.
    """
    late = [v for s, v in zip(update_ratios.steps, update_ratios.values, strict=True) if s >= since]
    late = late or list(update_ratios.values[-LEVEL:] if slowly else ())
    return bool(late) and DEAD < float(np.median(late)) < RATIO_NONE
