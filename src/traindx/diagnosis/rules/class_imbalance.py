"""A class is rare, and goes unlearned for it (CAUSES: re-weighting, sampling)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import Rule, present, ramp
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# From this many times the rows of the smallest class on, it is looked into what that does; up to 16 occur in sound sets (gas-drift), whose rare
# classes are learned. Below RARE, classes overlap in sound trainings too, and what is less frequent is recalled less: there a class must go ignored,
# by a recall below this share of the others'.
RATIO, RARE, IGNORED = 10.0, 15.0, 0.1
# Balanced sampling must raise the recall of the rare classes by the first, and the mean recall of all by the second with an interval above
# zero. Rare classes of fashion-mnist, adult and wine-quality gain 0.33 to 0.72 and the mean 0.06 to 0.23; in CIFAR-10, where a network of
# this kind does not tell the classes apart, rare ones gain at the others' cost: the mean by -0.01 to 0.02.
RARE_GAIN, MEAN_GAIN = 0.25, 0.03
# Where the other classes are recalled this well, rare ones whose recall is below this share of theirs, by its interval, go unlearned for want
# of rows: to draw a handful of them more often may not mend that.
LEARNED, UNLEARNED = 0.7, 0.5


def imbalanced(reading: Reading) -> Evidence | None:
    """The class counts, where they differ enough; tokens that follow a sequence are as rare as they are in the language."""
    found = reading.find("audit", "class_ratio")
    return found if found is not None and found.value >= RATIO and not reading.continues else None


class ClassImbalance(Rule):
    """Settled by drawing classes equally often; a rare class that is learned as well as the others is no trouble."""

    cause = "class-imbalance"
    branch = Branch.DATA
    question = "classes"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed by the gain of mean recall over paired seeds."""
        ratio = reading.find("audit", "class_ratio")
        if ratio is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, "rows have no single class label")
        said = f"the largest class has {ratio.value:.3g} times the rows of the smallest"
        if imbalanced(reading) is None:
            return self.finding(Standing.CLEARED, 0.95, said, (ratio.replace(threshold=RATIO),))
        recall, gain = reading.find("class_balance", "rare_recall"), reading.find("class_balance", "recall_gain")
        refused = reading.find("class_balance", "not-applicable")
        evidence = present(gain, recall, ratio)
        if gain is not None and gain.low is not None:
            said = f"{said}; drawn equally often, mean recall rises by {gain.value:.2f} and that of rare classes from {float(gain.details['before']):.0%} to {float(gain.details['after']):.0%}"
            risen = float(gain.details["after"]) - float(gain.details["before"])
            rare = ratio.value >= RARE or float(gain.details["before"]) < IGNORED * float(gain.details["others"])
            if rare and risen >= RARE_GAIN and gain.value >= MEAN_GAIN and gain.low > 0:
                evidence = present(gain.replace(threshold=MEAN_GAIN), recall, ratio)
                confidence = 0.7 + 0.3 * ramp(risen, RARE_GAIN, 3 * RARE_GAIN)
                return self.finding(Standing.CONFIRMED, confidence, said, evidence, (RemedyRef(id="balance-classes"),))
            if ratio.value >= RARE and _unlearned(gain):
                others, rows = float(gain.details["others"]), float(gain.details["rows"])
                said = (
                    f"the largest class has {ratio.value:.3g} times the rows of the smallest; of {rows:.0f} held-out rows of rare classes"
                    f" {float(gain.details['before']):.0%} are recalled, of the others {others:.0%}: a rare class goes unlearned for want of rows"
                )
                return self.finding(Standing.CONFIRMED, 0.7, said, evidence, (RemedyRef(id="balance-classes"),))
            return self.finding(Standing.CLEARED, 0.8, f"{said}: that is not what holds them back", evidence)
        if refused is not None:
            return self.finding(Standing.NOT_APPLICABLE if recall is None else Standing.UNDECIDED, 0.1, f"{said}; {refused.text}", evidence)
        if recall is None:
            return self.finding(Standing.UNDECIDED, 0.2, f"{said}; what it does was not looked into", evidence)
        return self.finding(Standing.CLEARED, 0.9, f"{said}, but rare classes are recalled as well ({recall.value:.0%})", evidence)


def _unlearned(gain: Evidence) -> bool:
    """Whether rare classes are hardly recalled beside others that are, beyond the chance of few rows (Wilson's upper bound at 95 %)."""
    share, others, rows = (float(gain.details.get(name, math.nan)) for name in ("before", "others", "rows"))
    if not others >= LEARNED or not rows > 0:
        return False
    z = 1.96
    centre, half = share + z * z / (2 * rows), z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return (centre + half) / (1 + z * z / rows) < UNLEARNED * others
