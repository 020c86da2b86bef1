"""The loss is none for this task: a distance between class probabilities (CAUSES: the task's proper loss)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present
from traindx.records import Evidence, RemedyRef

# A distance between class probabilities has small gradients where the network is surely wrong; many trainings get by with it.
DISTANCE_SIGN = 0.8


class WrongLoss(DirectFitRule):
    """Settled by cross-entropy, judged by the old loss; or seen plainly, where the loss takes something else for what it is."""

    cause = "wrong-loss"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Cross-entropy."""
        return (RemedyRef(id="proper-loss"),)

    def sign(self, reading: Reading) -> float:
        """A distance on classes, or what is seen plainly."""
        if self.seen(reading) is not None:
            return 1.0
        return DISTANCE_SIGN if reading.value("audit", "distance_on_classes") == 1 else 0.0

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """What the loss expects."""
        return present(reading.find("audit", "distance_on_classes"))

    def seen(self, reading: Reading) -> Evidence | None:
        """Logits taken for log-probabilities, or for probabilities: the loss means nothing, or refuses."""
        return reading.find("audit", "not_what_the_loss_expects")
