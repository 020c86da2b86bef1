"""Activations drift with depth (CAUSES: insert normalisation)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Spread of the last activations over that of the first, at step 0, or the inverse.
DRIFT_NONE, DRIFT_FULL = 5.0, 100.0


class MissingNormalization(DirectFitRule):
    """Settled by normalization layers."""

    cause = "missing-normalization"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Normalization after hidden layers."""
        return (RemedyRef(id="insert-normalization"),)

    def sign(self, reading: Reading) -> float:
        """Drift of the scale, in a network without normalization."""
        if reading.value("audit", "norm_layers") > 0 or reading.sign("weight_layers") < 3:
            return 0.0
        ratio = reading.sign("activation_scale_ratio")
        return SYMPTOM * log_ramp(max(ratio, 1 / ratio) if ratio > 0 else 0.0, DRIFT_NONE, DRIFT_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Drift."""
        return present(reading.find("baseline", "activation_scale_ratio"), reading.find("audit", "norm_layers"))
