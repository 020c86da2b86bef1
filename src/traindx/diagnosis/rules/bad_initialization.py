"""Constant, zero or wrongly scaled weights (CAUSES: He or Glorot)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# Root mean square of a layer's weights times the root of its fan-in: 1.4 by He, 1 by Glorot, 0.6 by torch's default.
LARGE_NONE, LARGE_FULL = 3.0, 10.0
SMALL_NONE, SMALL_FULL = 0.15, 0.03
# Share of a layer's units with the same weights as another.
EQUAL_NONE, EQUAL_FULL = 0.1, 0.5
# A loss at the start this many times what the constant predictor pays.
START_NONE, START_FULL = 5.0, 50.0


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
        return max(
            ramp(reading.value("audit", "equal_units"), EQUAL_NONE, EQUAL_FULL),
            log_ramp(reading.value("audit", "largest_gain"), LARGE_NONE, LARGE_FULL),
            log_ramp(max(reading.value("audit", "smallest_gain"), 1e-9), SMALL_NONE, SMALL_FULL),
            0.5 * log_ramp(start, START_NONE, START_FULL),
        )

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Scales of the weights."""
        return present(
            reading.find("audit", "equal_units"),
            reading.find("audit", "smallest_gain"),
            reading.find("audit", "largest_gain"),
            reading.find("baseline", "initial_loss"),
        )
