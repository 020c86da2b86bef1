"""Too few updates in the budget (CAUSES: smaller batch)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Share of the rows that a batch holds, and updates in all: a sign where both speak.
SHARE_NONE, SHARE_FULL = 0.05, 0.25
UPDATES_NONE, UPDATES_FULL = 500.0, 80.0


class BatchTooLarge(DirectFitRule):
    """Settled by smaller batches over as many epochs."""

    cause = "batch-too-large"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """An eighth of the batch."""
        return (RemedyRef(id="scale-batch", params={"factor": 0.125}),)

    def sign(self, reading: Reading) -> float:
        """Large batches, few updates."""
        large = log_ramp(reading.value("audit", "batch_share"), SHARE_NONE, SHARE_FULL)
        return min(large, log_ramp(reading.value("audit", "planned_updates"), UPDATES_NONE, UPDATES_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Batch and updates."""
        return present(reading.find("audit", "batch_share"), reading.find("audit", "planned_updates"))
