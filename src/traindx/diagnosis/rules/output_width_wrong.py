"""Too few or too many outputs for the classes or targets (CAUSES: the right width)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule
from traindx.records import Branch, Evidence, RemedyRef


class OutputWidthWrong(InspectedRule):
    """Seen in the widths: fewer outputs than classes, or outputs that are broadcast against narrower targets."""

    cause = "output-width-wrong"
    branch = Branch.OPTIMIZATION

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """What mends it."""
        needed = reading.value("audit", "needed_width")
        return (RemedyRef(id="output-width", params={"width": int(needed)}),) if needed > 0 else ()

    def seen(self, reading: Reading) -> Evidence | None:
        """What shows it."""
        width, needed = reading.find("audit", "output_width"), reading.find("audit", "needed_width")
        if width is None or needed is None:
            return None
        if "distinct" in needed.details:
            few = width.value < needed.value and float(needed.details["distinct"]) > width.value
            return width.replace(text=f"{width.value:g} outputs for {needed.details['distinct']:g} classes") if few else None
        spread = (
            width.value > 1
            and width.value != needed.value
            and (reading.value("audit", "distance_between_rows") == 1 or reading.find("audit", "loss_error") is not None)
        )
        return width.replace(text=f"{width.value:g} outputs a row for {needed.value:g} targets a row") if spread else None

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "as many outputs as classes or targets"
