"""The network is one affine map (CAUSES: add activations)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule
from traindx.records import Branch, Evidence, RemedyRef

# |f(a + b) + f(0) - f(a) - f(b)| over the spread of f, in double precision: rounding leaves 1e-12, a single bend far more than this.
AFFINE = 1e-9
# One layer is meant to be linear; two that follow each other without a bend are not.
LAYERS = 2


class MissingNonlinearity(InspectedRule):
    """Seen by the additivity of fresh networks."""

    cause = "missing-nonlinearity"
    branch = Branch.MODEL_BIAS

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """What mends it."""
        return (RemedyRef(id="insert-activations", params={"to": "relu"}),)

    def seen(self, reading: Reading) -> Evidence | None:
        """What shows it."""
        found = reading.find("audit", "distance_from_affine")
        if found is None or not found.value < AFFINE or float(found.details["weight_layers"]) < LAYERS:
            return None
        return found.replace(
            text=f"{found.details['weight_layers']:g} layers with weights, and together they are one affine map", threshold=AFFINE
        )

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "a nonlinearity stands between inputs and outputs, or there is one layer only"
