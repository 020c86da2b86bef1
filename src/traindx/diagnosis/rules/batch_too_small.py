"""Updates are mostly noise (CAUSES: larger batch, or lower rate)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Rows of a batch: means over 8 rows still point downhill, single rows hardly do.
ROWS_NONE, ROWS_FULL = 8.0, 2.0
# The batch that is tried instead: eight times a single row is still mostly noise.
USUAL_ROWS, LEAST_FACTOR = 32, 4


class BatchTooSmall(DirectFitRule):
    """Settled by larger batches over as many epochs."""

    cause = "batch-too-small"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A batch of the usual size, or of all rows where these are fewer."""
        rows = min(USUAL_ROWS, reading.value("audit", "rows"))
        factor = max(LEAST_FACTOR, int(rows / _batch(reading)))
        return (RemedyRef(id="scale-batch", params={"factor": float(factor)}),)

    def sign(self, reading: Reading) -> float:
        """Batches of a few rows."""
        return log_ramp(_batch(reading), ROWS_NONE, ROWS_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Batch."""
        return present(reading.find("audit", "batch_share"))


def _batch(reading: Reading) -> float:
    """Rows of a batch; as many as are usual where that was not looked at."""
    found = reading.find("audit", "batch_share")
    return float(found.details["batch_size"]) if found else USUAL_ROWS
