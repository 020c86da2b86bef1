"""A long memory overshoots (CAUSES: momentum 0.9)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present, ramp
from traindx.records import Evidence, RemedyRef

# Momentum m remembers 1 / (1 - m) steps: 10 at the usual 0.9, 50 at 0.98.
MOMENTUM_NONE, MOMENTUM_FULL = 0.93, 0.98


class MomentumTooHigh(DirectFitRule):
    """Settled by momentum 0.9."""

    cause = "momentum-too-high"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The usual momentum."""
        return (RemedyRef(id="set-momentum", params={"momentum": 0.9}),)

    def sign(self, reading: Reading) -> float:
        """The recipe's momentum."""
        return ramp(reading.value("audit", "momentum"), MOMENTUM_NONE, MOMENTUM_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Momentum."""
        return present(reading.find("audit", "momentum"))
