"""Steps overshoot: divergence, or a plateau on which the loss stops and the gradient does not shrink (CAUSES: lr / 3, / 10, / 30)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, FitRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# Updates of a few per cent of the weights wreck what was learned; around 1e-3 is common in trainings that go well.
RATIO_NONE, RATIO_FULL = 0.02, 0.2
# Successive gradients that point against each other mean that steps jump across a valley.
COSINE_NONE, COSINE_FULL = -0.1, -0.5
# A batch loss that once stood at several times the initial one: the first steps threw the weights far away.
SPIKE_NONE, SPIKE_FULL = 2.0, 8.0


class LearningRateTooHigh(FitRule):
    """Settled by lower rates."""

    cause = "learning-rate-too-high"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A tenth, then less as long as it helps."""
        return (RemedyRef(id="scale-rate", params={"factor": 0.1}),)

    def sign(self, reading: Reading) -> float:
        """Divergence, a loss above its start now or once, large updates, opposed gradients."""
        if reading.broken:
            return SYMPTOM
        risen = ramp(reading.train / max(reading.sign("initial_loss"), 1e-12), 1.02, 1.5)
        spike = log_ramp(reading.sign("highest_batch_loss") / max(reading.sign("initial_loss"), 1e-12), SPIKE_NONE, SPIKE_FULL)
        ratio = log_ramp(reading.sign("median_update_ratio"), RATIO_NONE, RATIO_FULL)
        return SYMPTOM * max(risen, spike, ratio, 0.7 * ramp(reading.sign("late_gradient_cosine"), COSINE_NONE, COSINE_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The run's outcome, its update ratio and gradient cosine."""
        return present(
            *(reading.find("baseline", m) for m in ("outcome", "highest_batch_loss", "median_update_ratio", "late_gradient_cosine"))
        )
