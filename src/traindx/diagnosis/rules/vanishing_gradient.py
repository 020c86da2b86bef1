"""Early layers get no signal (CAUSES: ReLU family with He initialization, normalization, skip connections)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import NOTICEABLE, SYMPTOM, FitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Gradient of the first weight over that of the last, at step 0; AutoTrainer alarms below 1e-3, sound deep ReLU networks stay near 1.
RATIO_NONE, RATIO_FULL = 0.1, 1e-3
# Depth from which shortcuts are worth a race.
DEEP = 6


class VanishingGradient(FitRule):
    """Settled by what lets gradients through."""

    cause = "vanishing-gradient"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Rectifiers, normalization, and shortcuts in deep networks; none for a network of two layers, or without a sign."""
        if reading.sign("weight_layers") < 3 or self.sign(reading) < NOTICEABLE:
            return ()
        skips = (RemedyRef(id="add-skips"),) if reading.sign("weight_layers") >= DEEP else ()
        return (RemedyRef(id="swap-activations", params={"to": "relu"}), RemedyRef(id="insert-normalization"), *skips)

    def sign(self, reading: Reading) -> float:
        """The first layer's gradient against the last one's, the more so behind bounded activations; depth beyond what plain networks train at."""
        depth = 0.6 * log_ramp(reading.sign("weight_layers"), 10.0, 40.0)
        fading = log_ramp(reading.sign("first_last_gradient_ratio"), RATIO_NONE, RATIO_FULL)
        bounded = reading.find("baseline", "initial_pinned_share") is not None
        return max(fading if bounded else SYMPTOM * fading, depth)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The ratio, the decay a layer, the depth."""
        return present(*(reading.find("baseline", m) for m in ("first_last_gradient_ratio", "gradient_decay_per_layer", "weight_layers")))

    def nothing_to_try(self, reading: Reading) -> str:
        """Too shallow, or no sign."""
        return "fewer than three weight layers, or gradients of like size in all of them"
