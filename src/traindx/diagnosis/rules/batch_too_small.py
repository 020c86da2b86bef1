"""Updates are mostly noise (CAUSES: larger batch, or lower rate)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Rows of a batch: means over 8 rows still point downhill, single rows hardly do.
ROWS_NONE, ROWS_FULL = 8.0, 2.0


class BatchTooSmall(DirectFitRule):
    """Settled by larger batches over as many epochs."""

    cause = "batch-too-small"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Eight times the batch."""
        return (RemedyRef(id="scale-batch", params={"factor": 8.0}),)

    def sign(self, reading: Reading) -> float:
        """Batches of a few rows."""
        found = reading.find("audit", "batch_share")
        return log_ramp(float(found.details["batch_size"]), ROWS_NONE, ROWS_FULL) if found else 0.0

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Batch."""
        return present(reading.find("audit", "batch_share"))
