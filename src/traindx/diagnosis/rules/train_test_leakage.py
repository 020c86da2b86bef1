"""The same rows in training and evaluation (CAUSES: de-duplicate)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import PLAIN, InspectedRule
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# Copies beyond what training rows share among themselves, in standard errors and as a share of the rows: a set that was drawn like the
# training rows shares as many with them as they do with each other.
EXCESS_ERRORS, EXCESS_SHARE = 4.0, 0.03
# Copies in the pool itself, as a share of the rows or of the rows of one class: half of a pool was copied, or one class. The most natural
# repetitions among 21 untouched sets of three sizes: 37 % where few columns were rounded, 29 % in wine-quality, 23 % elsewhere.
POOL_SHARE, CLASS_SHARE = 0.45, 0.8
# Copies carry their labels with them; rows that only look alike do not always.
AGREEING = 0.9


class TrainTestLeakage(InspectedRule):
    """Seen in the rows: equal rows, and rows far nearer to one another than chance allows, on both sides."""

    cause = "train-test-leakage"
    branch = Branch.DATA

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Leave the copies out of training."""
        return (RemedyRef(id="remove-duplicates"),)

    def found(self, reading: Reading) -> Evidence | None:
        """What was counted: across validation, or across the test set where that leaks."""
        test = reading.find("two_sample", "copied_share")
        return test if test is not None and leaks(test) else reading.find("audit", "copied_share", "validation")

    def seen(self, reading: Reading) -> Evidence | None:
        """Copies of training rows among the validation rows."""
        found = reading.find("audit", "copied_share", "validation")
        return found if found is not None and leaks(found) else None

    def judge(self, reading: Reading) -> Finding:
        """Confirmed by the count; not applicable where rows cannot be compared."""
        found = self.found(reading)
        if found is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, "rows of the splits cannot be compared: they are not arrays of one shape")
        if not leaks(found):
            return self.finding(Standing.CLEARED, 0.9, f"{found.text}: no more than chance and repetition explain", (found,))
        return self.finding(Standing.CONFIRMED, PLAIN, found.text, (found,), self.remedies(reading))


def leaks(found: Evidence) -> bool:
    """Whether the copies are more than training rows share among themselves, or the pool itself was copied."""
    details = found.details
    excess = found.value - float(details["within"])
    if float(details["agreeing"]) < AGREEING:
        return False
    crossing = excess > EXCESS_SHARE and excess > EXCESS_ERRORS * float(details["error"])
    return crossing or found.value >= POOL_SHARE or float(details["most_in_a_class"]) >= CLASS_SHARE
