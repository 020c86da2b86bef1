"""Inputs do not determine the target: network and references stop at the same floor, far from zero (CAUSES: more features)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import Rule, present
from traindx.records import Branch, Finding, Standing

# Pure error from which equal inputs with different targets bound the result: a share of rows, or of the target's variance.
PURE_ERROR_BOUND = 0.1
# The share of rows that must have a twin for the inputs to take few values. Inputs that were left out or rounded leave 0.7 to 1; of sound trainings
# with noisy targets (ratings of the same film, words in the same place) up to 0.67 have one.
REPEATED_ROWS = 0.7


class FeaturesInsufficient(Rule):
    """Settled by pure error: equal inputs with different targets. A shared floor alone is said, not blamed."""

    cause = "features-insufficient"
    branch = Branch.MODEL_BIAS
    question = "floor"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed by pure error only."""
        pure = reading.find("audit", "pure_error")
        if pure is None or math.isnan(pure.value):
            return self.finding(Standing.NOT_APPLICABLE, 0.0, "equal rows were not looked for" if pure is None else pure.text)
        evidence = present(pure.replace(threshold=PURE_ERROR_BOUND), reading.best_reference)
        repeated = float(pure.details["repeated_rows"])
        if repeated < REPEATED_ROWS:
            return self.finding(
                Standing.CLEARED,
                0.5,
                f"{repeated:.0%} of the rows have a twin: the inputs do not take few values",
                evidence,
            )
        said = f"{repeated:.0%} of the rows have a twin, and {pure.value:.0%} is pure error that no function of these inputs can remove"
        if reading.continues:
            return self.finding(Standing.CLEARED, 0.6, f"{said}: what follows a sequence is open by its nature", evidence)
        if pure.value >= PURE_ERROR_BOUND:
            return self.finding(Standing.CONFIRMED, 0.9, said, evidence)
        return self.finding(Standing.CLEARED, 0.8, said, evidence)
