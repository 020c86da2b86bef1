"""NaN or infinity in inputs or targets (CAUSES: impute, drop)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import PLAIN, InspectedRule
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing


class NonFiniteData(InspectedRule):
    """Seen in the rows, unless a fresh model gives a finite loss and finite gradients on them: then it has its own way with them."""

    cause = "non-finite-data"
    branch = Branch.DATA

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Fill in the training mean; leave out rows without a target."""
        return (RemedyRef(id="fill-missing"),) if self.found(reading) else ()

    def found(self, reading: Reading) -> tuple[Evidence, ...]:
        """The splits and sides with missing values."""
        return tuple(e for e in reading.evidence if e.experiment == "audit" and e.measure == "non_finite_rows")

    def seen(self, reading: Reading) -> Evidence | None:
        """The first of those that the model does not bear."""
        return next((e for e in self.found(reading) if not e.details["borne"]), None)

    def judge(self, reading: Reading) -> Finding:
        """Confirmed where the model does not bear them; not applicable where rows are no arrays."""
        looked_at = any(
            math.isfinite(reading.value("audit", measure)) for measure in ("pure_error", "non_finite_inputs", "non_finite_targets")
        )
        if self.seen(reading) is None and not looked_at:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, "inputs and targets are not plain arrays")
        found = self.found(reading)
        if self.seen(reading) is None and found:
            said = f"{found[0].text}, but the model's loss and gradients stay finite on them"
            return self.finding(Standing.CLEARED, PLAIN, said, found)
        return super().judge(reading)

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "every input and target is a finite number"
