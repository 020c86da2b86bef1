"""Broadcasting pairs every output with every target (CAUSES: align shapes)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule
from traindx.records import Branch, Evidence, RemedyRef


class OutputTargetShapeMismatch(InspectedRule):
    """Seen in a loss of a batch that is not the mean of its rows' losses, or in one that refuses shapes of equally many numbers."""

    cause = "output-target-shape-mismatch"
    branch = Branch.OPTIMIZATION

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """What mends it."""
        return (RemedyRef(id="align-shapes"),)

    def seen(self, reading: Reading) -> Evidence | None:
        """What shows it."""
        pairs = reading.find("audit", "broadcast_pairs")
        if pairs is not None and pairs.details["same_size"]:
            return pairs
        refused = reading.find("audit", "loss_error")
        return refused if refused is not None and refused.details["only_shapes_differ"] else None

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "the loss compares every row with its own target"
