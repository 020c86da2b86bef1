"""A smaller or constrained model validates better (CAUSES: dropout, weight decay, fewer parameters)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import GeneralizationRule, present, ramp
from traindx.records import Evidence, RemedyRef


class ModelTooFlexible(GeneralizationRule):
    """Settled by constraints on the model."""

    cause = "model-too-flexible"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Weight decay, dropout, fewer units."""
        return (
            RemedyRef(id="weight-decay", params={"strength": 1.0}),
            RemedyRef(id="dropout", params={"p": 0.5}),
            RemedyRef(id="narrow", params={"factor": 8}),
        )

    def sign(self, reading: Reading) -> float:
        """The gap between training and validation, and more parameters than rows."""
        crowded = reading.value("audit", "parameters") > reading.value("audit", "rows")
        return 0.6 * ramp(reading.generalization_gap, MARGIN, 4 * MARGIN) * (1.0 if crowded else 0.5)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Parameters against rows."""
        return present(*(reading.find("audit", m) for m in ("parameters", "rows")))
