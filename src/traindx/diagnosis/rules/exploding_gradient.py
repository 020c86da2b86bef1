"""The gradient grows through depth or time (CAUSES: clipping, initialization, normalization)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import NOTICEABLE, SYMPTOM, DirectFitRule, log_ramp, present, ratio
from traindx.records import Evidence, RemedyRef

# Gradient of the first weight over that of the last, at step 0.
RATIO_NONE, RATIO_FULL = 10.0, 300.0
# Spread of the last hidden activations over that of the first, at step 0: what weights blow up on the way out, they blow up on the way back.
OUTWARDS_NONE, OUTWARDS_FULL = 10.0, 300.0
# The largest gradient norm over the median one: cliffs of recurrent networks (Pascanu et al. 2013).
CLIFF_NONE, CLIFF_FULL = 20.0, 500.0


class ExplodingGradient(DirectFitRule):
    """Settled by clipping, by fresh weights or by normalization."""

    cause = "exploding-gradient"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A bound on the norm; fresh weights; normalization."""
        return (RemedyRef(id="clip-gradients", params={"norm": 1.0}), RemedyRef(id="reinitialize"), RemedyRef(id="insert-normalization"))

    def sign(self, reading: Reading) -> float:
        """Growth through the layers, of gradients on their way back or of activations on their way out; cliffs."""
        growth = log_ramp(reading.sign("first_last_gradient_ratio"), RATIO_NONE, RATIO_FULL)
        cliff = log_ramp(ratio(reading.sign("highest_gradient_norm"), reading.sign("median_gradient_norm")), CLIFF_NONE, CLIFF_FULL)
        outwards = log_ramp(reading.sign("activation_scale_ratio"), OUTWARDS_NONE, OUTWARDS_FULL)
        return max(growth, outwards, SYMPTOM * cliff, NOTICEABLE if reading.broken else 0.0)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Gradient norms."""
        return present(
            reading.find("baseline", "first_last_gradient_ratio"),
            reading.find("baseline", "activation_scale_ratio"),
            reading.find("baseline", "highest_gradient_norm"),
            reading.find("baseline", "median_gradient_norm"),
        )
