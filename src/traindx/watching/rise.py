"""A loss that has left its level and not come back, read from its curve alone.

Three kinds count. An explosion ends orders of magnitude above all levels before it. A loss is lost where it has stayed, for as long as its first
descent took, well above its start, or at its start after it had been far below. A network is thrown away at its start where an update as long as a
good part of the weights makes the loss jump, and the loss stays up there, or a layer gets no gradient any more. What rises for other reasons is told apart: a task that changed
falls again; noise, also of heavy tails, moves no median of five; and where looks after the rise show updates of an ordinary length, as in a
generator whose critic learns, the weights were not thrown away. Levels are medians over a few losses, so that an explosion does not widen the
noise that it is held against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from traindx.diagnosis.rules.learning_rate_too_high import RATIO_FULL, RATIO_NONE
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
# A loss jumps that comes to so many times its first, before any update, within STAYED updates.
JUMPED = 10.0
# The level that a loss leaves is that of so many updates before; a rise that takes longer is no explosion within moments.
RECENT = 64
# A rate has risen that is so many times the highest of the first half of the updates so far, less than so many updates ago left out; by MUCH,
# it needs no rise of the loss before a NaN.
RATE_RISEN, RATE_AGO, RATE_RISEN_MUCH = 3.0, 16, 10.0
# Updates between this length and RATIO_NONE, in shares of the weights, are ordinary ones; shorter ones are those of a network that is dead.
DEAD = 1e-7


class Kind(StrEnum):
    """What makes a rise one."""

    EXPLODED = "exploded"
    """It ends at many times every level up to its lowest."""
    DRIVEN = "driven"
    """It ends well above these levels, once the rate had risen."""
    RISEN = "risen"
    """It has stayed well above its start."""
    BACK = "back"
    """It has stayed at its start, after it had been far below."""
    THROWN = "thrown"
    """It jumped with the first updates, one of them long, and has not come back below its start."""
    DIED = "died"
    """It jumped likewise, and a layer receives no gradient since, wherever the loss is now."""
    BROKEN = "broken"
    """It need not have risen: the rate had, far, before it ceased to be finite."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The highest rate of the first half of the updates until then, and the highest since; NaN where none was recorded."""

    before: float
    then: float
    until: int
    """The update that they are those of."""

    @property
    def rose(self) -> bool:
        """Whether it had risen to heights that it had not had before: not as in a warm-up, which doubles it from the first half to the second."""
        return self.until > 2 * RATE_AGO and self.then >= RATE_RISEN * self.before > 0

    @property
    def rose_much(self) -> bool:
        """Whether it had risen so far that the loss need not have."""
        return self.rose and self.then >= RATE_RISEN_MUCH * self.before


@dataclass(frozen=True, slots=True)
class Rise:
    """A loss that left its level at a step: where it was lowest and where it ends, what that is held against, and the rates."""

    kind: Kind
    lowest: float
    """Where it jumped, since then."""
    end: float
    """Where it jumped, the height to which it did."""
    before: float
    """Its start; where it exploded or was driven, its highest level up to its lowest."""
    step: int
    broken_at: int | None
    """The first step whose loss is not finite."""
    rates: Rates

    @property
    def threshold(self) -> float:
        """What ``end / before`` is above."""
        return {Kind.EXPLODED: EXPLODED, Kind.BACK: LOST, Kind.THROWN: JUMPED, Kind.DIED: JUMPED}.get(self.kind, RISEN)


def rise_of(losses: Curve, rates: Curve, update_ratios: Curve, layer_gradients: Sequence[Curve] = ()) -> Rise | None:
    """The rise of a loss that a rate too high would explain; None where there is none. Cost: some microseconds a loss.

    Args:
        losses: in the order of their steps, also some that are not finite: what comes after the first of these is not read.
        rates: learning rates by step; of equal ones in a row, the first is enough.
        update_ratios: lengths of updates in shares of the weights, of those that were looked at.
        layer_gradients: the norms of the gradients of layers, in the same looks.

    """
    values = np.array(losses.values)
    broken = np.flatnonzero(~np.isfinite(values))
    finite = values[: broken[0]] if len(broken) else values
    if len(finite) < (LEAST_BEFORE_BREAK if len(broken) else LEAST_POINTS):
        return None
    if not len(broken) and _has_jumped(finite) and (thrown := _thrown(losses, rates, update_ratios, layer_gradients)):
        return thrown
    curve = _Levels(finite)
    if not len(broken) and max(curve.end, curve.late) < LEARNED * curve.start:  # the common case, and the cheapest to tell
        return None
    step, broken_at = losses.steps[curve.left], losses.steps[broken[0]] if len(broken) else None
    risen = _rates(rates, step if curve.has_exploded or broken_at is None else broken_at)
    kind = _broken(curve, risen) if broken_at is not None else _lasting(curve, risen, step, update_ratios)
    if kind is None:
        return None
    before = curve.highest_before if kind in (Kind.EXPLODED, Kind.DRIVEN) else curve.start
    end = curve.end if curve.has_exploded or broken_at is not None else max(curve.end, curve.late)
    return Rise(kind, curve.lowest, end, before, step, broken_at, risen)


def _has_jumped(values: np.ndarray) -> bool:
    """Whether it came to many times its first value with the first updates, long enough ago to have recovered."""
    return len(values) >= 2 * STAYED and bool(values[:STAYED].max() >= JUMPED * values[0] > 0) and bool(values.min() >= 0)


def _thrown(losses: Curve, rates: Curve, update_ratios: Curve, layer_gradients: Sequence[Curve]) -> Rise | None:
    """What the jump left, if an update was long enough to have thrown the weights away. The length of later ones tells nothing: what remains
    of a network that died, as its last bias, is trained by ordinary ones.
    """
    longest = max((v for s, v in zip(update_ratios.steps, update_ratios.values, strict=True) if s <= STAYED), default=0.0)
    if longest < RATIO_FULL:
        return None
    curve = _Levels(np.array(losses.values))
    died = any(len(g) and g.values[0] > 0 == g.last for g in layer_gradients)
    if not died and not curve.stays_up():
        return None
    peak = int(curve.values[:STAYED].argmax())
    kind, lowest = Kind.DIED if died else Kind.THROWN, float(curve.level[peak:].min())
    return Rise(
        kind, lowest, float(curve.values[peak]), float(curve.values[0]), losses.steps[peak], None, _rates(rates, losses.steps[peak])
    )


def _lost(curve: _Levels, rates: Rates) -> Kind | None:
    """Whether even its last few values tell."""
    if curve.has_exploded:
        return Kind.EXPLODED
    return Kind.DRIVEN if rates.rose and curve.is_driven() else None


def _broken(curve: _Levels, rates: Rates) -> Kind | None:
    """A rise before a loss that is not finite."""
    return _lost(curve, rates) or (Kind.BROKEN if rates.rose_much else None)


def _lasting(curve: _Levels, rates: Rates, since: int, update_ratios: Curve) -> Kind | None:
    """A rise of a loss that is finite to its end."""
    lost = _lost(curve, rates)
    if curve.falls_again():
        return lost if rates.rose else None
    kind = lost or curve.stays()
    if kind is None or rates.rose:
        return kind
    if kind is Kind.BACK and len(update_ratios) and update_ratios.steps[-1] < since:
        return None  # it may be another task that is not learned: the next look will tell
    return None if _ordinary(update_ratios, since, slowly=curve.took() > RECENT) else kind


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

    @cached_property
    def has_exploded(self) -> bool:
        return self.end >= EXPLODED * self.highest_before > 0

    @cached_property
    def left(self) -> int:
        """The index at which the loss left its low level for that of its end: its last crossing of a height between them, followed back."""
        height = 2 * self.highest_before if self.has_exploded else 0.5 * (self.lowest + self.late)
        crossed = _last(self.level <= height)
        recent = self.level[max(self.lowest_at, crossed - RECENT) : crossed + 1]
        low = float(np.median(recent)) if len(recent) else self.lowest
        near = _last(self.level[: crossed + 1] <= low + NOISES * _noise(self.values[: crossed + 1]))
        return min(near + self.width // 2 + 1, len(self.values) - 1)

    @cached_property
    def noise_before(self) -> float:
        """Up to where it was lowest."""
        return _noise(self.values[: self.lowest_at + self.width])

    def took(self) -> int:
        """How many updates the rise took, but for its beginning and end."""
        low, high = 2 * self.highest_before, EXPLODED * self.highest_before
        if not self.has_exploded:
            low, high = (self.lowest + share * (self.late - self.lowest) for share in (0.25, 0.75))
        left = _last(self.level <= low)
        arrived = np.flatnonzero(self.level[left:] >= high)
        return int(arrived[0]) if len(arrived) else len(self.level) - left

    def is_driven(self) -> bool:
        """Whether three in four of the last few losses are well above every level up to its lowest, beyond noise."""
        end = float(np.quantile(self.values[-self.width :], 0.25))
        return self.lowest >= 0 and end > RISEN * self.highest_before and end - self.highest_before > NOISES * self.noise_before

    def stays(self) -> Kind | None:
        """Whether it is up there, none of its values being negative, and has been for long: a new task would have been learned by then."""
        if self.lowest < 0 or self.start <= 0 or self._comes_and_goes():
            return None
        end = float(np.quantile(self.values[-max(1, len(self.values) // 8) :], 0.25))  # three in four of the last eighth are above
        learned = self.lowest < LEARNED * self.start
        descent = int(np.flatnonzero(self.level <= 0.5 * (self.start + self.lowest))[0]) if learned else 0
        stayed = len(self.values) - self.left
        if stayed < min(STAYED, math.ceil(STAYED_SHARE * len(self.values))):
            return None
        if end > RISEN * self.start and end - self.start > NOISES * self.noise_before and stayed >= descent:
            return Kind.RISEN
        back = learned and end > LOST * self.start and end - self.lowest > NOISES * self.noise_before
        return Kind.BACK if back and stayed >= DESCENTS * descent else None

    def stays_up(self) -> bool:
        """Whether no level since the first updates is below its first value, and it falls no more: one that recovers slowly would."""
        since = self.values[STAYED:]
        return bool(self.level[STAYED:].min() > LOST * self.values[0]) and not _falls(since)

    def falls_again(self) -> bool:
        """Whether it has fallen since it rose, by more than noise."""
        return _falls(self.values[self.left :])

    def _comes_and_goes(self) -> bool:
        """Whether it has been far higher not long ago, as where tasks become harder and each is learned."""
        since = min((self.left + len(self.level)) // 2, len(self.level) - 1)
        return self.end < LEARNED * float(self.level[since:].max())


def late_level(values: np.ndarray) -> float:
    """The median over the last eighth."""
    return float(np.median(values[-max(1, len(values) // 8) :]))


def _last(is_low: np.ndarray) -> int:
    """The index of the last True; the first where there is none."""
    found = np.flatnonzero(is_low)
    return int(found[-1]) if len(found) else 0


def _falls(values: np.ndarray) -> bool:
    """Whether its second half is lower than its first, by more than noise."""
    first, second = np.array_split(values, 2)
    if not len(second):
        return False
    fall, error = np.median(first) - np.median(second), 1.25 * _noise(values) * math.sqrt(2 / len(second))
    return bool(fall > NOISES * error)


def _noise(values: np.ndarray) -> float:
    """The standard deviation around the trend, from the median difference of neighbours: few jumps do not widen it."""
    return float(np.median(np.abs(np.diff(values)))) * 1.4826 / math.sqrt(2) if len(values) > 2 else 0.0


def _rates(rates: Curve, step: int) -> Rates:
    known = [(s, v) for s, v in zip(rates.steps, rates.values, strict=True) if s <= step]
    if not known:
        return Rates(math.nan, math.nan, step)
    first = known[0][0]
    ago = max(min((first + step) // 2, step - RATE_AGO), first)
    before, then = [v for s, v in known if s <= ago], [v for s, v in known if s > ago]
    return Rates(max(before), max([before[-1], *then]), step)


def _ordinary(update_ratios: Curve, since: int, slowly: bool) -> bool:
    """Whether the updates that were looked at since this step were of an ordinary length. Where none was, the last ones tell what those of a
    slow rise were; nothing tells of a fast one.
    """
    late = [v for s, v in zip(update_ratios.steps, update_ratios.values, strict=True) if s >= since]
    late = late or list(update_ratios.values[-LEVEL:] if slowly else ())
    return bool(late) and DEAD < float(np.median(late)) < RATIO_NONE
