"""Too few units or layers: no recipe trains this model lower, a wider or deeper one does (CAUSES: widen, deepen)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import CapacityRule, present, ramp
from traindx.records import Evidence, RemedyRef


class ModelTooSimple(CapacityRule):
    """Settled by a wider and by a deeper model."""

    cause = "model-too-simple"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Wider hidden layers where there are any, and one more hidden layer."""
        wider = (RemedyRef(id="widen", params={"factor": 4, "layer": ""}),) if reading.value("audit", "linear_layers") > 1 else ()
        return (*wider, RemedyRef(id="deepen", params={"width": 64}))

    def sign(self, reading: Reading) -> float:
        """A single layer that trained as far as the linear reference; else a little, by how large the training loss is."""
        if not reading.training_is_large:
            return 0.0
        linear = reading.value("references", "out_of_fold_loss", "linear")
        if reading.value("audit", "linear_layers") <= 1 and reading.train - linear < 2 * MARGIN * reading.distance:
            return 0.9
        return 0.3 * ramp(reading.fit_excess, MARGIN, 5 * MARGIN)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Parameters and layers."""
        return present(*(reading.find("audit", m) for m in ("parameters", "linear_layers")))
