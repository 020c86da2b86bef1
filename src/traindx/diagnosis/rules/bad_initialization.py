"""Constant, zero or wrongly scaled weights (CAUSES: He or Glorot)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Root mean square of a layer's weights times the root of its fan-in: 1.4 by He, 1 by Glorot, 0.6 by torch's default.
LARGE_NONE, LARGE_FULL = 3.0, 10.0
SMALL_NONE, SMALL_FULL = 0.15, 0.03
# How much the units of a layer differ, in units of their weights: 1 for independent draws, 0 where all are equal and learn the same.
SPREAD_NONE, SPREAD_FULL = 0.3, 0.03
# A loss at the start this many times what the constant predictor pays.
START_NONE, START_FULL = 5.0, 50.0
START_SIGN = 0.9

TINY = 1e-9


def weights_off(reading: Reading) -> float:
    """How far the fresh weights are from any sound draw: too equal, too large, or too small."""
    return max(
        log_ramp(max(reading.value("audit", "unit_spread"), TINY), SPREAD_NONE, SPREAD_FULL),
        log_ramp(reading.value("audit", "largest_gain"), LARGE_NONE, LARGE_FULL),
        log_ramp(max(reading.value("audit", "smallest_gain"), TINY), SMALL_NONE, SMALL_FULL),
    )


class BadInitialization(DirectFitRule):
    """Settled by fresh weights."""

    cause = "bad-initialization"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Fresh weights."""
        return (RemedyRef(id="reinitialize"),)

    def sign(self, reading: Reading) -> float:
        """Scale of the weights, equal units, a loss far above chance at the start."""
        if reading.value("audit", "pretrained") == 1:
            return 0.0
        start = reading.sign("initial_loss") / max(reading.constant, 1e-12)
        return max(weights_off(reading), START_SIGN * log_ramp(start, START_NONE, START_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Scales of the weights."""
        return present(
            reading.find("audit", "unit_spread"),
            reading.find("audit", "smallest_gain"),
            reading.find("audit", "largest_gain"),
            reading.find("baseline", "initial_loss"),
        )
