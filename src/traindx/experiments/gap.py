"""The gap that a race is about, and what pairs of losses say of it.

The gap lies between the loss at which the baseline ended (``before``) and the loss that is reachable (``goal``). A pair is the loss without a
remedy and with it, on one seed. Losses above the ``ceiling`` are all the same: nothing was learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Pair: TypeAlias = tuple[float, float]

# A loss above this share of the ceiling has learned nothing.
NOTHING_LEARNED = 0.97
# A loss below the goal recovers more than the whole gap: up to this share is told.
MOST_RECOVERED = 1.5
# A difference below this share of the gap is no difference.
LEAST_SHARE = 0.05
# Pairs that an effect must show on.
PAIRS = 3
# What every pair must show of the gap for an effect that is sure although its size is not, less where the remedy halves the loss; and how
# near every seed must get with the remedy where the baseline fails on most of them only.
EACH, HALVED, NEAR = 0.3, 0.1, 0.5


@dataclass(frozen=True)
class Gap:
    """From ``before`` down to ``goal``, in units of the loss."""

    before: float
    goal: float
    ceiling: float = math.inf

    @property
    def size(self) -> float:
        """Its width."""
        return max(self.before - self.goal, 1e-12)

    def recovered(self, loss: float) -> float:
        """Share of the gap that a loss closes, from -1 to MOST_RECOVERED."""
        return min(MOST_RECOVERED, max(-1.0, (self.before - loss) / self.size)) if math.isfinite(loss) else -1.0

    def effect(self, without: float, with_remedy: float) -> float:
        """What a pair shows, in shares of the gap, at most the whole of it either way."""
        return max(-1.0, min(1.0, (min(without, self.ceiling) - min(with_remedy, self.ceiling)) / self.size))

    def learned(self, loss: float) -> bool:
        """Whether a loss is below that of having learned nothing; a remedy too weak to learn anything says nothing of a stronger one."""
        return not math.isfinite(self.ceiling) or loss < NOTHING_LEARNED * self.ceiling

    def speaks_for(self, pairs: Sequence[Pair]) -> bool:
        """Whether no pair contradicts the remedy, so that one more may settle what their sizes leave open."""
        return all(self.effect(*pair) > 0 or self.recovered(pair[1]) >= NEAR for pair in pairs)

    def bounds(self, pairs: Sequence[Pair], recovered: float) -> tuple[float, float]:
        """The interval of the paired effect, as shares of its mean, around what the longest run recovered.

        It is wide where sizes differ. The range over seeds stands for it where that leaves no doubt: every pair shows an effect; or the
        baseline fails on most seeds, and with the remedy every one gets near the goal.
        """
        below, above = interval([(min(without, self.ceiling), min(with_remedy, self.ceiling)) for without, with_remedy in pairs])
        if below > 0 or len(pairs) < PAIRS:
            return recovered * below, recovered * above
        effects = [self.effect(*pair) for pair in pairs]
        if all(effect >= EACH or (effect >= HALVED and self._halved(pair)) for effect, pair in zip(effects, pairs, strict=True)):
            return min(*effects, recovered), max(*effects, recovered)
        reached = [self.recovered(with_remedy) for _, with_remedy in pairs]
        if min(reached) >= NEAR and min(effects) > -LEAST_SHARE and sum(effect >= EACH for effect in effects) > len(pairs) / 2:
            return min(reached), max(reached)
        return recovered * below, recovered * above

    def _halved(self, pair: Pair) -> bool:
        return 2 * pair[1] <= min(pair[0], self.ceiling)


def interval(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Student's 95 % bounds of a mean paired effect, as shares of that mean; an effect of no definite direction has a bound of at most 0.

    Effects are differences of logarithms where losses are positive: one division may be several times as hard as another, and what a remedy
    does is to take a share off.
    """
    from scipy.stats import t

    values = np.array(pairs, dtype=float)
    values = np.log(values) if bool((values > 0).all()) else values
    effects = values[:, 0] - values[:, 1]
    if len(effects) < 2 or not np.isfinite(effects).all() or effects.mean() <= 0:
        return -1.0, 1.0
    margin = float(t.ppf(0.975, len(effects) - 1)) * float(effects.std(ddof=1)) / math.sqrt(len(effects)) / float(effects.mean())
    return 1 - margin, 1 + margin
