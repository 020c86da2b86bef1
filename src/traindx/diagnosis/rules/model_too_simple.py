"""Too few units or layers: no recipe trains this model lower, a wider or deeper one does (CAUSES: widen, deepen)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import SYMPTOM, CapacityRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# The fewest units of a hidden layer: that few say little, and so few much.
FEW_NONE, FEW_FULL = 24.0, 3.0
# The width that is tried: four times what is there, and no less than this, of which a hidden layer usually has more.
USUAL_WIDTH, LEAST_FACTOR = 64, 4


class ModelTooSimple(CapacityRule):
    """Settled by a wider and by a deeper model."""

    cause = "model-too-simple"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Wider hidden layers where there are any, the widest at least of the usual width, and one more hidden layer."""
        deeper = RemedyRef(id="deepen", params={"width": USUAL_WIDTH})
        if reading.value("audit", "weight_layers") + reading.value("audit", "tables") <= 1:
            return (deeper,)
        missing = USUAL_WIDTH / max(_widths(reading), default=USUAL_WIDTH)
        factor = max(LEAST_FACTOR, 2 ** math.ceil(math.log2(missing)))
        return (RemedyRef(id="widen", params={"factor": factor, "layer": ""}), deeper)

    def sign(self, reading: Reading) -> float:
        """A single layer that trained as far as the linear reference; else how few units there are, and a little, how large the loss is."""
        if not reading.training_is_large:
            return 0.0
        linear = reading.value("references", "out_of_fold_loss", "linear")
        if reading.value("audit", "weight_layers") <= 1 and reading.train - linear < 2 * MARGIN * reading.distance:
            return 0.9
        widths = _widths(reading)
        few = log_ramp(FEW_NONE / min(widths), 1.0, FEW_NONE / FEW_FULL) if widths else 0.0
        return max(SYMPTOM * few, 0.3 * ramp(reading.fit_excess, MARGIN, 5 * MARGIN))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Parameters and layers."""
        return present(*(reading.find("audit", m) for m in ("parameters", "weight_layers")))


def _widths(reading: Reading) -> list[float]:
    """Of the hidden layers."""
    return [float(e.details["width"]) for e in reading.evidence if e.experiment == "audit" and e.measure == "narrowing"]
