"""Bounded units pinned at their ends (CAUSES: ReLU family, smaller initialization, scaled inputs)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present, ramp
from traindx.records import Evidence, RemedyRef

# Share of pinned outputs of the worst layer, before the first update and at the end.
PINNED_NONE, PINNED_FULL = 0.2, 0.6


class SaturatingActivation(DirectFitRule):
    """Settled by rectifiers, or by fresh weights."""

    cause = "saturating-activation"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Rectifiers; fresh weights."""
        return (RemedyRef(id="swap-activations", params={"to": "relu"}), RemedyRef(id="reinitialize"))

    def sign(self, reading: Reading) -> float:
        """Pinned at step 0; less so, pinned at the end."""
        start, end = reading.value("audit", "pinned_share"), reading.sign("final_pinned_share")
        return max(ramp(start, PINNED_NONE, PINNED_FULL), 0.5 * ramp(end, PINNED_NONE, PINNED_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Pinned shares."""
        return present(reading.find("audit", "pinned_share"), reading.find("baseline", "final_pinned_share"))
