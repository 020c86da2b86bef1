"""A softmax over one unit is always 1 (CAUSES: sigmoid output)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule
from traindx.records import Branch, Evidence, RemedyRef


class SingleUnitSoftmax(InspectedRule):
    """Seen in outputs that are constant whatever the input."""

    cause = "single-unit-softmax"
    branch = Branch.OPTIMIZATION

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """What mends it."""
        return (RemedyRef(id="sigmoid-output"),)

    def seen(self, reading: Reading) -> Evidence | None:
        """What shows it."""
        constant = reading.find("audit", "constant_output")
        if constant is None or constant.details["activation"] not in ("softmax", "log_softmax", "softmin"):
            return None
        return constant.replace(text=f"a softmax over one unit: the output is {constant.value:g} for every input")

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "outputs change with the inputs"
