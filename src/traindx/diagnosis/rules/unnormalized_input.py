"""Features of a large or a very different scale (CAUSES: standardise inputs)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import FitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Root mean square of the largest feature: 1 when standardised, about 0.5 for pixels in 0..1, over 100 for raw pixels.
SCALE_NONE, SCALE_FULL = 3.0, 30.0
SMALL_NONE, SMALL_FULL = 0.15, 0.01
SPREAD_NONE, SPREAD_FULL = 30.0, 1000.0
OFFSET_NONE, OFFSET_FULL = 5.0, 50.0
# A spread counts where the largest feature is above this: among pixels in 0..1 some are nearly constant, and do no harm.
SPREAD_COUNTS = 1.5
# Below these, standardising is no change worth a race.
NOTICEABLE = 0.02


class UnnormalizedInput(FitRule):
    """Settled by standardised inputs."""

    cause = "unnormalized-input"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Standardised inputs, where they are not so already."""
        return (RemedyRef(id="standardize-inputs"),) if self.sign(reading) > NOTICEABLE else ()

    def sign(self, reading: Reading) -> float:
        """The largest scale, the smallest, their spread, and means far from zero."""
        largest = reading.value("audit", "feature_scale_largest")
        spread = log_ramp(reading.value("audit", "feature_scale_spread"), SPREAD_NONE, SPREAD_FULL)
        return max(
            log_ramp(largest, SCALE_NONE, SCALE_FULL),
            log_ramp(largest, SMALL_NONE, SMALL_FULL),
            0.8 * spread if largest > SPREAD_COUNTS else 0.0,
            0.8 * log_ramp(reading.value("audit", "feature_offset"), OFFSET_NONE, OFFSET_FULL),
        )

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The features' scales."""
        return present(*(reading.find("audit", m) for m in ("feature_scale_largest", "feature_scale_spread", "feature_offset")))

    def nothing_to_try(self, reading: Reading) -> str:
        """Standardised already, or nothing to standardise."""
        return "inputs are on a common scale near 1, or are no real numbers"
