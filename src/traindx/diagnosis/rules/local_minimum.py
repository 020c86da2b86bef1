"""The gradient is near zero, nothing goes down from there, and other starts do better, or nothing does (CAUSES: restarts, widen)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import CLEARING_SHARE, CONFIRMING_SHARE, Rule, present, why_not_run
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# Other starts that are tried; one that gets near what is reachable shows that this one is stuck, not that the network cannot.
STARTS = 8
# What curvature says of a point from which no direction goes down by anything that counts.
VALLEYS = ("minimum-like", "flat")
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
        """Confirmed where another start recovers most of the gap; suspected where curvature shows a valley that nothing leaves; else cleared."""
        tried = [e for ref in self.remedies(reading) if (e := reading.raced(ref)) is not None and e.measure == "recovered"]
        if tried and (valley := _valley(reading)) and not self._falls(reading) and not _recovered(reading):
            return self._in_a_valley(valley, len(tried))
        if not tried:
            if not reading.training_is_large or self._falls(reading):
                said = "the loss was still falling" if reading.training_is_large else "training reaches what is reachable"
                return self.finding(Standing.CLEARED, 0.7, said)
            return self.finding(Standing.UNDECIDED, 0.1, f"other starts were not tried: {why_not_run(reading)}")
        best = max(tried, key=lambda e: e.value)
        said = f"of {len(tried)} other starts the best recovers {best.value:.0%} of the gap"
        evidence = (best, *present(reading.find("baseline", "late_gradient_norm"), reading.find("critical_point", "answer")))
        effect = reading.share(float(best.details["before"]) - float(best.details["after"]))
        if best.value >= CONFIRMING_SHARE and effect >= MARGIN:
            assert best.remedy is not None, "a race gives evidence of remedies"
            return self.finding(Standing.CONFIRMED, 0.5 + 0.3 * min(best.value, 1.0), said, evidence, (best.remedy,))
        return self.finding(Standing.CLEARED, 0.7, said, evidence)

    def _in_a_valley(self, valley: tuple[Evidence, ...], starts: int) -> Finding:
        """Suspected: what nothing that was tried leaves. The races that failed rank no finding."""
        no_way = "a step along the one direction that goes down gained next to nothing" if len(valley) > 1 else "no direction goes down"
        said = (
            f"training came to rest above what is reachable, where {no_way}; no other remedy that was tried got it lower, nor did"
            f" {starts} other start{'' if starts == 1 else 's'}: a valley, or all that these layers can do"
        )
        return self.finding(Standing.SUSPECTED, 0.4, said, valley[:1])


def _valley(reading: Reading) -> tuple[Evidence, ...]:
    """The answer of curvature, where training is large and ended in a valley; on a saddle that a step off it did not leave, the step as well."""
    answer, off = reading.find("critical_point", "answer"), reading.raced(RemedyRef(id="escape-saddle"))
    if answer is None or not reading.training_is_large:
        return ()
    if answer.details["answer"] in VALLEYS:
        return (answer,)
    return (answer, off) if off is not None and off.measure == "recovered" and off.value < CLEARING_SHARE else ()


def _recovered(reading: Reading) -> bool:
    """Whether anything that was tried closed half of the gap, and other seeds did not refute it."""
    found = (e for e in reading.evidence if e.measure == "recovered" and (e.low is None or e.low > 0))
    return any(e.value >= CONFIRMING_SHARE for e in found)
