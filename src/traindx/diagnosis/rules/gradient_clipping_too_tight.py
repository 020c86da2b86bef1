"""Nearly every step is clipped to almost nothing (CAUSES: raise or remove the bound)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present, ratio
from traindx.records import Evidence, RemedyRef

# The median gradient norm over the bound: at 1 half of the steps are clipped, at 10 steps are a tenth of what they would be.
EXCESS_NONE, EXCESS_FULL = 2.0, 20.0


class GradientClippingTooTight(DirectFitRule):
    """Settled by unclipped gradients."""

    cause = "gradient-clipping-too-tight"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """No bound."""
        return (RemedyRef(id="loosen-clipping"),)

    def sign(self, reading: Reading) -> float:
        """Gradient norm over its bound."""
        return log_ramp(ratio(reading.sign("median_gradient_norm"), reading.value("audit", "clip_norm")), EXCESS_NONE, EXCESS_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Bound and norm."""
        return present(reading.find("audit", "clip_norm"), reading.find("baseline", "median_gradient_norm"))
