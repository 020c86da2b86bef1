"""Probabilities handed to a loss that expects logits (CAUSES: hand over logits)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present
from traindx.records import Evidence, RemedyRef


class SoftmaxBeforeCrossEntropy(DirectFitRule):
    """Settled by logits."""

    cause = "softmax-before-cross-entropy"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The outputs of the last layer."""
        return (RemedyRef(id="linear-output"), RemedyRef(id="proper-loss"))

    def sign(self, reading: Reading) -> float:
        """Outputs that are probabilities, whatever the input."""
        return float(reading.value("audit", "outputs_are_probabilities") == 1)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """What the outputs can be."""
        return present(reading.find("audit", "outputs_are_probabilities"), reading.find("audit", "output_activation"))
