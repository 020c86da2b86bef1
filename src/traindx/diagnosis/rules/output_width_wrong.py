"""Too few or too many outputs for the classes or targets (CAUSES: the right width)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule
from traindx.records import Branch, Evidence, RemedyRef


class OutputWidthWrong(InspectedRule):
    """Seen in the widths: fewer outputs than classes, or outputs and targets of which the narrower side is broadcast, or which the loss refuses."""

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
        if reading.find("audit", "repeated_outputs") is not None:
            return width.replace(text=_widths(width, needed))
        spread = width.value > 1 and reading.value("audit", "distance_between_rows") == 1
        refused = reading.find("audit", "loss_error")
        by_width = refused is not None and not refused.details.get("only_type_differs")
        wrong = width.value != needed.value and (spread or by_width)
        return width.replace(text=_widths(width, needed)) if wrong else None

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "as many outputs as classes or targets"


def _widths(width: Evidence, needed: Evidence) -> str:
    return f"{width.value:g} output{'s' if width.value != 1 else ''} a row for {needed.value:g} targets a row"
