"""Validation had a minimum and rose (CAUSES: early stopping)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import GeneralizationRule, present, ramp
from traindx.records import Evidence, RemedyRef


class TrainedTooLong(GeneralizationRule):
    """Settled by early stopping."""

    cause = "trained-too-long"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Early stopping, with a patience of a tenth of the epochs."""
        if reading.late_rise <= 0.3 * MARGIN:
            return ()
        return (RemedyRef(id="stop-early", params={"patience": max(3, round(reading.sign("epochs") / 10))}),)

    def sign(self, reading: Reading) -> float:
        """How far validation rose from its lowest point."""
        return ramp(reading.late_rise, 0.3 * MARGIN, 1.5 * MARGIN)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Where the lowest validation loss was."""
        return present(*(reading.find("baseline", m) for m in ("lowest_validation_loss", "lowest_validation_step")))

    def nothing_to_try(self, reading: Reading) -> str:
        """No rise."""
        return "the validation loss ended at its lowest point, or near it"
