"""Parameters that should learn do not (CAUSES: unfreeze)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present, ramp
from traindx.records import Evidence, RemedyRef

# Frozen weights that differ between two draws were trained by nobody: from this share of all weights on, that is plain.
FROZEN_PLAIN = 0.25
FROZEN_NONE, FROZEN_FULL = 0.0, 0.25
# A pretrained part is often frozen on purpose.
PRETRAINED_SIGN = 0.4


class FrozenParameters(DirectFitRule):
    """Seen plainly where nobody has trained what is frozen; else settled by unfreezing."""

    cause = "frozen-parameters"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Everything learns."""
        return (RemedyRef(id="unfreeze"),)

    def sign(self, reading: Reading) -> float:
        """Frozen share."""
        drawn = ramp(reading.value("audit", "frozen_drawn_share"), FROZEN_NONE, FROZEN_FULL)
        frozen = reading.value("audit", "frozen_share")
        return max(drawn, PRETRAINED_SIGN if frozen > 0 else 0.0)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Frozen shares."""
        return present(
            reading.find("audit", "frozen_share"), reading.find("audit", "frozen_drawn_share"), reading.find("audit", "learnable")
        )

    def seen(self, reading: Reading) -> Evidence | None:
        """Random weights that never learn, or nothing that learns at all."""
        drawn, learnable = reading.find("audit", "frozen_drawn_share"), reading.value("audit", "learnable")
        if drawn is None or not (drawn.value >= FROZEN_PLAIN or learnable == 0):
            return None
        if learnable == 0:
            return drawn.replace(text="every parameter is frozen: nothing learns")
        return drawn.replace(text=f"{drawn.value:.0%} of the weights are frozen as they were drawn: they never learn")
