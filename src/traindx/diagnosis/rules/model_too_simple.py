"""Too few units or layers: no recipe trains this model lower, a wider or deeper one does (CAUSES: widen, deepen)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
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
        """One linear layer alone; training and validation alike and both large."""
        alone = 0.6 if reading.value("audit", "linear_layers") <= 1 else 0.2
        return max(alone if reading.training_is_large else 0.0, 0.3 * ramp(reading.fit_excess, 0.1, 0.5))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Parameters and layers."""
        return present(*(reading.find("audit", m) for m in ("parameters", "linear_layers")))
