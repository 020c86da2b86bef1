"""The step grows with the batch: the loss is a sum over rows (CAUSES: mean reduction)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# A loss of twice the rows is twice as large, but for rounding.
SUMMED = 1.9
# Sums over fewer rows than these are small.
ROWS_NONE, ROWS_FULL = 4.0, 16.0


class LossSummedOverBatch(DirectFitRule):
    """Settled by the mean over the rows."""

    cause = "loss-summed-over-batch"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The mean."""
        return (RemedyRef(id="mean-reduction"),)

    def sign(self, reading: Reading) -> float:
        """A sum, over many rows."""
        growth = reading.value("audit", "loss_growth_with_rows")
        return log_ramp(_batch_size(reading), ROWS_NONE, ROWS_FULL) if growth > SUMMED else 0.0

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Growth with the rows."""
        return present(reading.find("audit", "loss_growth_with_rows"), reading.find("audit", "batch_share"))


def _batch_size(reading: Reading) -> float:
    found = reading.find("audit", "batch_share")
    return float(found.details["batch_size"]) if found else 0.0
