"""Steps overshoot: divergence, or a plateau on which the loss stops and the gradient does not shrink (CAUSES: lr / 3, / 10, / 30)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, FitRule, log_ramp, present, ramp, ratio
from traindx.records import Evidence, RemedyRef

# Updates of a few per cent of the weights wreck what was learned; around 1e-3 is common in trainings that go well.
RATIO_NONE, RATIO_FULL = 0.02, 0.2
# Successive gradients that point against each other mean that steps jump across a valley.
COSINE_NONE, COSINE_FULL = -0.1, -0.5
# A batch loss that once stood at several times the initial one: the first steps threw the weights far away.
SPIKE_NONE, SPIKE_FULL = 2.0, 8.0
# Rate times largest eigenvalue over its bound of stability. Descent that goes well hovers at the bound, or just above (Cohen et al., Gradient
# descent on neural networks typically occurs at the edge of stability, ICLR 2021); a step at four times the bound multiplies an error by 7.
CURVATURE_NONE, CURVATURE_FULL = 1.2, 4.0
# What had been learned is lost again, on the same rows: few other causes leave a network above where it has been.
LOST_NONE, LOST_FULL, LOST_SIGN = 0.3, 0.9, 0.85
# What trainings that go well may show for a while, too: never enough by itself for an experiment that nothing else asks for.
WEAK = 0.7


class LearningRateTooHigh(FitRule):
    """Settled by lower rates."""

    cause = "learning-rate-too-high"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A tenth, then less as long as it helps."""
        return (RemedyRef(id="scale-rate", params={"factor": 0.1}),)

    def sign(self, reading: Reading) -> float:
        """Divergence, a loss above its start now or once, a fall that is lost again, large updates, opposed gradients, steps too long for
        the curvature.
        """
        if reading.broken:
            return SYMPTOM
        risen = ramp(reading.train / max(reading.sign("initial_loss"), 1e-12), 1.02, 1.5)
        spike = log_ramp(reading.sign("highest_batch_loss") / max(reading.sign("initial_loss"), 1e-12), SPIKE_NONE, SPIKE_FULL)
        updates = log_ramp(reading.sign("median_update_ratio"), RATIO_NONE, RATIO_FULL)
        opposed = ramp(reading.sign("late_gradient_cosine"), COSINE_NONE, COSINE_FULL)
        lost = LOST_SIGN * ramp(reading.sign("lost_again_share"), LOST_NONE, LOST_FULL)
        return max(lost, SYMPTOM * max(risen, spike, updates, WEAK * max(opposed, self._unstable(reading))))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The run's outcome, its update ratio and gradient cosine; rate times curvature, where it was measured."""
        return present(
            *(
                reading.find("baseline", m)
                for m in ("outcome", "highest_batch_loss", "lost_again_share", "median_update_ratio", "late_gradient_cosine")
            ),
            *_rates_times_curvature(reading),
        )

    def _unstable(self, reading: Reading) -> float:
        shares = (ratio(e.value, e.threshold or 0.0) for e in _rates_times_curvature(reading))
        return max((log_ramp(share, CURVATURE_NONE, CURVATURE_FULL) for share in shares), default=0.0)


def _rates_times_curvature(reading: Reading) -> tuple[Evidence, ...]:
    """Rate times largest eigenvalue where the training began and where it ended, against the bound of its optimizer."""
    return present(*(reading.find("critical_point", "rate_times_largest_eigenvalue", subject) for subject in ("start", "end")))
