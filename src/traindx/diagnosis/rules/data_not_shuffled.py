"""Batches in the order of a sorted file (CAUSES: shuffle)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present, ramp
from traindx.records import Evidence, RemedyRef

# How alike the targets of neighbouring rows are: 0 in random order, 1 when sorted.
ORDER_NONE, ORDER_FULL = 0.1, 0.5


class DataNotShuffled(DirectFitRule):
    """Settled by shuffling."""

    cause = "data-not-shuffled"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A random order."""
        return (RemedyRef(id="shuffle"),)

    def sign(self, reading: Reading) -> float:
        """Order, and no shuffling."""
        return ramp(reading.value("audit", "row_order"), ORDER_NONE, ORDER_FULL) if reading.value("audit", "shuffled") == 0 else 0.0

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Order of the rows."""
        return present(reading.find("audit", "row_order"), reading.find("audit", "shuffled"))
