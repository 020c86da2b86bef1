"""The rate falls to nothing before the learning is done (CAUSES: constant rate)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present, ramp
from traindx.records import Evidence, RemedyRef

# Share of the updates done at less than a twentieth of the highest rate: cosine to zero has 0.14.
SPENT_NONE, SPENT_FULL = 0.25, 0.6
# Adagrad's rate falls with the sum of all squared gradients.
ADAGRAD_SIGN = 0.6


class LearningRateDecaysTooFast(DirectFitRule):
    """Settled by a constant rate; where an optimizer sums squares up, by Adam."""

    cause = "learning-rate-decays-too-fast"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A constant rate, or Adam."""
        return (
            (RemedyRef(id="set-optimizer", params={"optimizer": "adam", "lr": 0.001}),)
            if _sums_up(reading)
            else (RemedyRef(id="set-schedule", params={"schedule": "constant"}),)
        )

    def sign(self, reading: Reading) -> float:
        """Updates at next to no rate."""
        spent = ramp(reading.value("audit", "spent_share"), SPENT_NONE, SPENT_FULL)
        return max(spent, ADAGRAD_SIGN if _sums_up(reading) else 0.0)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Schedule."""
        return present(reading.find("audit", "spent_share"), reading.find("audit", "schedule"), reading.find("audit", "optimizer"))


def _sums_up(reading: Reading) -> bool:
    optimizer = reading.find("audit", "optimizer")
    return optimizer is not None and optimizer.text == "adagrad"
