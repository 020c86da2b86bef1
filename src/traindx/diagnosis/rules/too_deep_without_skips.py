"""A deep plain network trains worse than a shallower one (CAUSES: residual connections)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Layers with weights: plain networks of ten layers train with care, of thirty hardly.
DEPTH_NONE, DEPTH_FULL = 7.0, 18.0


class TooDeepWithoutSkips(DirectFitRule):
    """Settled by shortcuts."""

    cause = "too-deep-without-skips"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Shortcuts around blocks of equal width."""
        return (RemedyRef(id="add-skips"),)

    def sign(self, reading: Reading) -> float:
        """Depth."""
        return log_ramp(reading.sign("weight_layers"), DEPTH_NONE, DEPTH_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Depth."""
        return present(reading.find("baseline", "weight_layers"), reading.find("baseline", "first_last_gradient_ratio"))
