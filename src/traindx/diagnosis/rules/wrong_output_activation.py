"""Outputs cannot reach the targets (CAUSES: linear output)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present, ramp
from traindx.records import Evidence, Finding, RemedyRef, Standing

# Share of the targets that the outputs cannot reach.
OUTSIDE_NONE, OUTSIDE_FULL = 0.002, 0.05
# Logits behind a rectifier or a bounded activation: all classes but one keep logits of 0, or the odds are bounded.
CONFINED = 0.9
# Confidence where targets are out of reach and no experiment can be made.
OUT_OF_REACH = 0.4
CONFINING = ("relu", "relu6", "tanh", "hardtanh", "softsign", "softplus", "logsigmoid")


class WrongOutputActivation(DirectFitRule):
    """Settled by a linear output."""

    cause = "wrong-output-activation"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The outputs of the last layer."""
        return (RemedyRef(id="linear-output"),)

    def sign(self, reading: Reading) -> float:
        """Targets out of reach; logits that are confined."""
        outside = ramp(reading.value("audit", "targets_out_of_reach"), OUTSIDE_NONE, OUTSIDE_FULL)
        activation = reading.find("audit", "output_activation")
        logits = reading.find("audit", "outputs_are_probabilities") is not None
        confined = CONFINED if logits and activation is not None and activation.text in CONFINING else 0.0
        return max(outside, confined)

    def _untried(self, reading: Reading, remedies: tuple[RemedyRef, ...], refused: list[Evidence], sign: float) -> Finding:
        """Targets that no output can reach are told also where the network cannot be changed to reach them."""
        finding = super()._untried(reading, remedies, refused, sign)
        if not refused or sign < 1:
            return finding
        said = f"signs point to it; no experiment can be made: {finding.summary}"
        return self.finding(Standing.UNDECIDED, OUT_OF_REACH, said, self.signs(reading))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """What the outputs can be."""
        return present(reading.find("audit", "targets_out_of_reach"), reading.find("audit", "output_activation"))
