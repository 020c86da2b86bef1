"""A constant rate keeps a noise floor (CAUSES: cosine or step decay)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, DirectFitRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# Successive gradients that point against each other late in the training: steps jump across the valley.
COSINE_NONE, COSINE_FULL = 0.1, -0.2
# A loss that still jumps by this share of itself from one evaluation to the next.
JUMPS_NONE, JUMPS_FULL = 0.02, 0.15


class MissingDecay(DirectFitRule):
    """Settled by a rate that falls to zero, over the whole training."""

    cause = "missing-decay"
    question = "late"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Cosine decay."""
        return (RemedyRef(id="set-schedule", params={"schedule": "cosine"}),)

    def sign(self, reading: Reading) -> float:
        """A constant rate, late jumps and opposed gradients."""
        if reading.value("audit", "schedule") == 1 or reading.broken:
            return 0.0
        opposed = ramp(-reading.sign("late_gradient_cosine"), -COSINE_NONE, -COSINE_FULL)
        jumps = log_ramp(reading.sign("late_jumps") / max(abs(reading.train), 1e-12), JUMPS_NONE, JUMPS_FULL)
        return SYMPTOM * max(opposed, jumps)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Schedule and late jumps."""
        return present(
            reading.find("audit", "schedule"), reading.find("baseline", "late_gradient_cosine"), reading.find("baseline", "late_jumps")
        )
