"""Units that put out 0 for every row, from the start (CAUSES: re-initialise, LeakyReLU, bias 0)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.bad_initialization import weights_off
from traindx.diagnosis.rules.base import SYMPTOM, DirectFitRule, present, ramp
from traindx.records import Evidence, RemedyRef

# Share of always-zero rectifiers of the worst layer, before the first update: later ones may be the work of too high a rate.
DEAD_NONE, DEAD_FULL = 0.6, 0.9


class DeadUnits(DirectFitRule):
    """Settled by fresh weights or by rectifiers that leak."""

    cause = "dead-units"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Fresh weights, leaky rectifiers."""
        return (RemedyRef(id="reinitialize"), RemedyRef(id="swap-activations", params={"to": "leaky_relu"}))

    def sign(self, reading: Reading) -> float:
        """Dead at step 0; a symptom only, where the weights that they were drawn with are no sound draw."""
        dead = ramp(reading.value("audit", "dead_share"), DEAD_NONE, DEAD_FULL)
        return dead * (1 - (1 - SYMPTOM) * weights_off(reading))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Dead shares."""
        return present(
            reading.find("audit", "dead_share"),
            reading.find("baseline", "final_zero_share"),
            reading.find("audit", "bias_offset"),
        )
