"""The gradient is near zero, nothing goes down from there, and other starts do better (CAUSES: restarts, widen)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import CONFIRMING_SHARE, Rule, present
from traindx.records import Branch, Finding, RemedyRef, Standing

# Other starts that are tried; one that gets near what is reachable shows that this one is stuck, not that the network cannot.
STARTS = 8
# A loss that over its last half still fell by this share of what is left to reachable is at no minimum.
STILL_FALLING = 0.1


class LocalMinimum(Rule):
    """Settled by other starts at the same length, when nothing else lowered the training loss."""

    cause = "local-minimum"
    branch = Branch.OPTIMIZATION
    question = "restarts"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Starts around the one that was drawn, far enough to be elsewhere."""
        if reading.value("audit", "pretrained") == 1 or self._falls(reading):
            return ()
        return tuple(RemedyRef(id="perturb-start", params={"scale": 1.0, "draw": draw}) for draw in range(1, STARTS + 1))

    def _falls(self, reading: Reading) -> bool:
        """Whether the training was still going down."""
        return reading.sign("last_half_fall") > STILL_FALLING * (reading.train - reading.reachable)

    def judge(self, reading: Reading) -> Finding:
        """Confirmed where another start recovers most of the gap; cleared where none does."""
        tried = [e for ref in self.remedies(reading) if (e := reading.raced(ref)) is not None and e.measure == "recovered"]
        if not tried:
            if not reading.training_is_large or self._falls(reading):
                said = "the loss was still falling" if reading.training_is_large else "training reaches what is reachable"
                return self.finding(Standing.CLEARED, 0.7, said)
            return self.finding(
                Standing.UNDECIDED, 0.1, "other starts were not tried: another remedy settled the question, or the budget ended"
            )
        best = max(tried, key=lambda e: e.value)
        said = f"of {len(tried)} other starts the best recovers {best.value:.0%} of the gap"
        evidence = (best, *present(reading.find("baseline", "late_gradient_norm"), reading.find("critical_point", "answer")))
        effect = reading.share(float(best.details["before"]) - float(best.details["after"]))
        if best.value >= CONFIRMING_SHARE and effect >= MARGIN:
            assert best.remedy is not None, "a race gives evidence of remedies"
            return self.finding(Standing.CONFIRMED, 0.5 + 0.3 * min(best.value, 1.0), said, evidence, (best.remedy,))
        return self.finding(Standing.CLEARED, 0.7, said, evidence)
