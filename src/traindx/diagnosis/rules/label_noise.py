"""Part of the labels is wrong (CAUSES: clean, robust loss)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import GeneralizationRule, present, ramp
from traindx.records import Branch, Evidence, RemedyRef

# Contradicted labels among the surest half of the rows: lower end of the interval. Clean sets of the zoo stay below the first.
SUREST_NONE, SUREST_FULL = 0.05, 0.12


class LabelNoise(GeneralizationRule):
    """Settled by training without the contradicted labels."""

    cause = "label-noise"
    branch = Branch.DATA

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Leave the suspects out, where even the surest rows are contradicted."""
        return (RemedyRef(id="drop-suspect-labels"),) if self.sign(reading) > 0 else ()

    def sign(self, reading: Reading) -> float:
        """Contradicted labels among the surest."""
        found = reading.find("label_noise", "contradicted_among_surest")
        return 0.0 if found is None else ramp(found.low if found.low is not None else found.value, SUREST_NONE, SUREST_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The contradicted share."""
        return present(*(reading.find("label_noise", m) for m in ("contradicted_among_surest", "suspect_share")))

    def nothing_to_try(self, reading: Reading) -> str:
        """Clean-looking."""
        refused = reading.find("label_noise", "not-applicable")
        return refused.text if refused is not None else "labels agree with held-out predictions where these are surest"
