"""A constant rate keeps a noise floor (CAUSES: cosine or step decay)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, DirectFitRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# Successive gradients that point against each other late in the training: steps jump across the valley.
COSINE_NONE, COSINE_FULL = 0.1, -0.2
# A loss that still jumps by this share of itself from one evaluation to the next.
JUMPS_NONE, JUMPS_FULL = 0.02, 0.15
# What the mean of the late weights loses less than the last weights, in shares of the distance. At a constant rate, untouched trainings gain
# below 0.05 in 95 of 100 cases; where a decay is missing, 0.05 to 0.4.
GAIN_NONE, GAIN_FULL = 0.02, 0.07
# A network that validates better than any reference has little need of a decay: there the mean must gain this much to speak for one in full.
GAIN_BEYOND = 0.1


class MissingDecay(DirectFitRule):
    """Settled by a rate that falls to zero, over the whole training."""

    cause = "missing-decay"
    question = "late"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Cosine decay."""
        return (RemedyRef(id="set-schedule", params={"schedule": "cosine"}),)

    def sign(self, reading: Reading) -> float:
        """A constant rate, and the mean of the late weights is better than the last ones; late jumps and opposed gradients are symptoms."""
        if reading.value("audit", "schedule") == 1 or reading.broken:
            return 0.0
        opposed = ramp(-reading.sign("late_gradient_cosine"), -COSINE_NONE, -COSINE_FULL)
        jumps = log_ramp(reading.sign("late_jumps") / max(abs(reading.train), 1e-12), JUMPS_NONE, JUMPS_FULL)
        return max(SYMPTOM * max(opposed, jumps), _averaging(reading))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Schedule and late jumps."""
        measures = ("averaging_gains_train_loss", "averaging_gains_validation_loss", "late_gradient_cosine", "late_jumps")
        return present(reading.find("audit", "schedule"), *(reading.find("baseline", measure) for measure in measures))


def _averaging(reading: Reading) -> float:
    """What averaging the late weights gains on the rows that fall short: training rows if training is large, else validation and training.

    A network that validates better than any reference has less need of it.
    """
    gains = [reading.sign(f"averaging_gains_{side}_loss") for side in ("train", "validation")]
    if reading.training_is_large:
        gains = gains[:1]
    elif reading.best_reference is not None and reading.validation <= reading.reachable:
        return ramp(reading.share(min(gains)), GAIN_FULL, GAIN_BEYOND)
    return ramp(reading.share(min(gains)), GAIN_NONE, GAIN_FULL)
