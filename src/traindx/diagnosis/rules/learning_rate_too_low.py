"""Steps are too short for the budget (CAUSES: lr x 3, x 10, x 30)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, FitRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# Updates far below a thousandth of the weights; see learning_rate_too_high for the upper end.
RATIO_NONE, RATIO_FULL = 1e-3, 1e-4
COSINE_NONE, COSINE_FULL = 0.4, 0.9


class LearningRateTooLow(FitRule):
    """Settled by higher rates."""

    cause = "learning-rate-too-low"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Ten times, then more as long as it helps."""
        return (RemedyRef(id="scale-rate", params={"factor": 10.0}),)

    def sign(self, reading: Reading) -> float:
        """Tiny updates, or gradients that keep their direction."""
        if reading.broken:
            return 0.0
        tiny = log_ramp(reading.sign("median_update_ratio"), RATIO_NONE, RATIO_FULL)
        return SYMPTOM * max(tiny, 0.5 * ramp(reading.sign("median_gradient_cosine"), COSINE_NONE, COSINE_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Update ratio and gradient cosine."""
        return present(*(reading.find("baseline", m) for m in ("median_update_ratio", "median_gradient_cosine")))
