"""A regression target of large scale or offset (CAUSES: standardise targets)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Root of the mean square of the targets: of targets far from 0 the first gradients are as large as of those that spread as far.
FAR_NONE, FAR_FULL = 10.0, 100.0
# Their standard deviation: outputs of a fresh network are of the order of 1.
SCALE_NONE, SCALE_FULL = 4.0, 40.0
SMALL_NONE, SMALL_FULL = 0.05, 0.005
# Mean of the targets in units of their deviation: it takes a bias many steps to get there.
OFFSET_NONE, OFFSET_FULL = 4.0, 40.0


class UnnormalizedTarget(DirectFitRule):
    """Settled by standardised targets."""

    cause = "unnormalized-target"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Standardised targets."""
        return (RemedyRef(id="standardize-targets"),)

    def sign(self, reading: Reading) -> float:
        """Scale and offset."""
        std, mean = reading.value("audit", "target_std"), reading.value("audit", "target_mean")
        if not std > 0:
            return 0.0
        return max(
            log_ramp(math.hypot(mean, std), FAR_NONE, FAR_FULL),
            log_ramp(std, SCALE_NONE, SCALE_FULL),
            log_ramp(std, SMALL_NONE, SMALL_FULL),
            log_ramp(abs(mean) / std, OFFSET_NONE, OFFSET_FULL),
        )

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Mean and deviation."""
        return present(reading.find("audit", "target_mean"), reading.find("audit", "target_std"))
