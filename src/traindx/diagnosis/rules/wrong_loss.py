"""The loss is none for this task: a distance between class probabilities (CAUSES: the task's proper loss)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import DirectFitRule, present
from traindx.records import Evidence, Finding, RemedyRef, Standing

# A distance between class probabilities has small gradients where the network is surely wrong; many trainings get by with it.
DISTANCE_SIGN = 0.8
# A classifier names the number of a row more often than a rounded regression does by this share of the rows, by its interval: 0.17 for digits
# taken as numbers and more for images; 0.01 for grades of wine, 0.03 for three kinds of wine.
NAMING = 0.08


class WrongLoss(DirectFitRule):
    """Settled by cross-entropy, judged by the old loss; or seen plainly, where the loss takes something else for what it is."""

    cause = "wrong-loss"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Cross-entropy."""
        return (RemedyRef(id="proper-loss"),)

    def judge(self, reading: Reading) -> Finding:
        """Confirmed where numbers are names of classes; else plainly, or by the race."""
        found = reading.find("class_index", "gain_of_naming")
        if found is None or (found.low or 0.0) < NAMING:
            return super().judge(reading)
        named, rounded = float(found.details["named"]), float(found.details["rounded"])
        said = (
            f"the targets are names of classes, not quantities: a classifier names {named:.0%} of held-out rows rightly,"
            f" a rounded regression {rounded:.0%}; cross-entropy with an output a class is the proper loss"
        )
        return self.finding(Standing.CONFIRMED, 0.9, said, (found.replace(threshold=NAMING), *self.signs(reading)))

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
