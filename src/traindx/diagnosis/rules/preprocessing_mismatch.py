"""The test set went through another pipeline (CAUSES: one pipeline)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import Rule, present
from traindx.diagnosis.rules.label_shift import proportions_explain, why_not_compared
from traindx.records import Branch, Finding, RemedyRef, Standing

# Before the map a classifier must tell the sets apart by more than the first area under the curve; after it, the area's excess over one
# half must have fallen to this share.
APART, EXCESS_LEFT = 0.6, 0.5
# The map must take away this share of the harm, or leave none that counts.
HARM_REMOVED = 0.7


def pipeline_explains(reading: Reading) -> bool:
    """Whether an affine map, learned on inputs alone, makes the sets alike and takes the harm away."""
    return aligned(reading) and reading.test_harm_is_real and mended(reading, "aligned_test_loss")


def aligned(reading: Reading) -> bool:
    """Whether a map makes the sets much more alike."""
    before, after = reading.value("two_sample", "auc"), reading.value("two_sample", "aligned_auc")
    return before > APART and after - 0.5 <= EXCESS_LEFT * (before - 0.5)


def mended(reading: Reading, measure: str) -> bool:
    """Whether the test loss after a map, under this name, is near the validation loss, or most of the harm is gone."""
    after = reading.value("two_sample", measure)
    if math.isnan(after):
        return False
    left = after - reading.validation
    return left <= (1 - HARM_REMOVED) * (reading.test - reading.validation) or reading.share(left) <= MARGIN


class PreprocessingMismatch(Rule):
    """Settled by the map: it was learned without labels and without the network, so a loss that returns is no accident."""

    cause = "preprocessing-mismatch"
    branch = Branch.MISMATCH
    question = "test"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed when the map restores the test loss; suspected without labels; a harmless one is cleared and said."""
        inputs, after = reading.find("two_sample", "auc"), reading.find("two_sample", "aligned_auc")
        if inputs is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, why_not_compared(reading, "there is no test set of array inputs to compare"))
        if after is None:
            return self.finding(Standing.CLEARED, 0.9, f"training and test rows are alike (AUC {inputs.value:.2f})", (inputs,))
        evidence = present(
            after,
            inputs,
            *(reading.find("two_sample", m) for m in ("aligned_test_loss", "test_loss")),
            reading.find("baseline", "validation_loss"),
        )
        said = f"an affine map of the test inputs ({after.details['kind']}) takes the AUC from {inputs.value:.2f} to {after.value:.2f}"
        remedies = (RemedyRef(id="align-test-inputs", params={"kind": str(after.details["kind"])}),)
        if not aligned(reading):
            return self.finding(Standing.CLEARED, 0.7, f"{said}: no map makes the sets alike", evidence)
        if reading.find("two_sample", "test_loss") is None:
            return self.finding(Standing.SUSPECTED, 0.6, f"{said}; without test labels the harm is unknown", evidence, remedies)
        if not reading.test_harm_is_real:
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but the test loss is no worse: the shift does no harm", evidence)
        loss = reading.value("two_sample", "aligned_test_loss")
        said = f"{said}, and the test loss from {reading.test:.3g} to {loss:.3g}, where validation has {reading.validation:.3g}"
        if not mended(reading, "aligned_test_loss"):
            return self.finding(Standing.CLEARED, 0.7, f"{said}: most of the harm stays", evidence)
        if proportions_explain(reading):
            return self.finding(Standing.CLEARED, 0.6, f"{said}, but the changed class proportions explain the harm", evidence)
        return self.finding(Standing.CONFIRMED, 0.95, said, evidence, remedies)
