"""Weight decay or dropout outweigh the data (CAUSES: reduce)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, log_ramp, present, ramp
from traindx.records import Branch, Evidence, RemedyRef

# Exponent by which decay alone shrinks the weights over the training, for optimizers that decay apart from the gradient.
SHRINK_NONE, SHRINK_FULL = 1.0, 6.0
# Weight decay as a part of the gradient: 5e-4 is common.
DECAY_NONE, DECAY_FULL = 2e-3, 5e-2
DROPOUT_NONE, DROPOUT_FULL = 0.5, 0.85


class OverRegularized(DirectFitRule):
    """Settled by taking both away."""

    cause = "over-regularized"
    branch = Branch.MODEL_BIAS

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Neither decay nor dropout."""
        return (RemedyRef(id="remove-regularization"),)

    def sign(self, reading: Reading) -> float:
        """Strength of decay and dropout."""
        decay = reading.value("audit", "weight_decay")
        shrink = decay * reading.sign("mean_learning_rate") * reading.value("audit", "planned_updates")
        strong = max(log_ramp(shrink, SHRINK_NONE, SHRINK_FULL), log_ramp(decay, DECAY_NONE, DECAY_FULL) if _coupled(reading) else 0.0)
        return max(strong, ramp(reading.value("audit", "dropout"), DROPOUT_NONE, DROPOUT_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Decay and dropout."""
        return present(reading.find("audit", "weight_decay"), reading.find("audit", "dropout"), reading.find("audit", "optimizer"))


def _coupled(reading: Reading) -> bool:
    """Whether the optimizer takes the decay as a part of the gradient."""
    optimizer = reading.find("audit", "optimizer")
    return optimizer is not None and optimizer.text != "adamw"
