"""Class proportions differ between training and test (CAUSES: re-weighting)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import Rule, present
from traindx.records import Branch, Finding, RemedyRef, Standing

# Total variation of the class proportions from which they count as different, and the level of the chi-squared test.
DISTANCE_BOUND, P_BOUND = 0.1, 0.001
# Below this area under the curve a classifier does not tell the test inputs of a class from its training inputs.
ALIKE = 0.6
# The share of the harm that re-weighting must remove, for proportions to explain it.
EXPLAINED = 0.5


def proportions_differ(reading: Reading) -> bool:
    """By distance and by test."""
    labels = reading.find("two_sample", "label_distance")
    return labels is not None and labels.value > DISTANCE_BOUND and float(labels.details["p_value"]) < P_BOUND


def proportions_explain(reading: Reading) -> bool:
    """Whether half of the harm or more goes away when test rows are weighted to the validation rows' proportions: no training needed.

    Where that cannot be told, for a class has few test rows, proportions explain it if inputs do not differ within classes.
    """
    weighted, test = reading.find("two_sample", "reweighted_test_loss"), reading.value("two_sample", "test_loss")
    if not proportions_differ(reading) or weighted is None or math.isnan(weighted.value) or math.isnan(test):
        return False
    most = test - EXPLAINED * (test - reading.validation)
    unclear = weighted.low is not None and weighted.low <= most
    return test > reading.validation and (weighted.value <= most or (unclear and _alike_within_classes(reading)))


def _alike_within_classes(reading: Reading) -> bool:
    within = reading.find("two_sample", "auc_within_classes")
    return within is not None and (within.high or within.value) <= ALIKE


def why_not_compared(reading: Reading, missing: str) -> str:
    """Why there is no comparison with the test set: it was not opened, or it lacks what is needed."""
    return missing if reading.asked("two_sample") else "the test set stays sealed while it is not known why the training loss is large"


class LabelShift(Rule):
    """Settled by re-weighting the test rows to the validation rows' proportions."""

    cause = "label-shift"
    branch = Branch.MISMATCH
    question = "test"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed when proportions differ, the test loss is worse, and the proportions explain it."""
        labels = reading.find("two_sample", "label_distance")
        if labels is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, why_not_compared(reading, "there is no test set with one known class a row"))
        evidence = present(
            labels.replace(threshold=DISTANCE_BOUND),
            *(reading.find("two_sample", m) for m in ("reweighted_test_loss", "test_loss")),
            reading.find("baseline", "validation_loss"),
        )
        said = f"class proportions differ by {labels.value:.2f} (total variation)"
        if not proportions_differ(reading):
            return self.finding(Standing.CLEARED, 0.9, f"{said}: alike", evidence)
        if not reading.test_harm_is_real:
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but the test loss is no worse: the shift does no harm", evidence)
        if not proportions_explain(reading):
            return self.finding(
                Standing.CLEARED,
                0.6,
                f"{said}, but they do not explain the harm: test rows weighted to the validation rows' still show it",
                evidence,
            )
        return self.finding(
            Standing.CONFIRMED,
            0.85,
            f"{said}, and the harm goes away when test rows are weighted to the validation rows'",
            evidence,
            (RemedyRef(id="match-class-proportions"),),
        )
