"""The inputs of the test set come from elsewhere (CAUSES: importance weights, matching data)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import Rule, present, ramp
from traindx.diagnosis.rules.label_shift import proportions_explain, why_not_compared
from traindx.diagnosis.rules.preprocessing_mismatch import aligned, harm_unknown, pipeline_explains
from traindx.diagnosis.rules.wrong_labels import test_labels_explain
from traindx.records import Branch, Finding, RemedyRef, Standing

# Below this area under the curve a classifier hardly tells the sets apart: two draws of one distribution stay under it.
AUC_BOUND = 0.6


class CovariateShift(Rule):
    """Settled by the domain classifier (within classes, where labels are known) and by the harm on the test set."""

    cause = "covariate-shift"
    branch = Branch.MISMATCH
    question = "test"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed when inputs differ and the test loss is worse by MARGIN and beyond chance; suspected where the harm is not known.

        A harmless shift is cleared and said.
        """
        inputs = reading.find("two_sample", "auc")
        if inputs is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, why_not_compared(reading, "there is no test set of array inputs to compare"))
        within = reading.find("two_sample", "auc_within_classes") or inputs
        evidence = present(
            within.replace(threshold=AUC_BOUND),
            *(reading.find("two_sample", m) for m in ("auc", "shifted_features", "test_loss")),
            reading.find("baseline", "validation_loss"),
        )
        said = (
            f"a classifier tells training from test rows{' of the same class' if within is not inputs else ''} with AUC {within.value:.2f}"
        )
        if (within.low if within.low is not None else within.value) <= AUC_BOUND:
            return self.finding(Standing.CLEARED, 0.9, f"{said}: inputs come from one distribution", evidence)
        if (inputs.high if inputs.high is not None else inputs.value) <= AUC_BOUND:
            said = f"{said}, but all test rows together from all training rows with AUC {inputs.value:.2f}: labels differ, inputs do not"
            return self.finding(Standing.CLEARED, 0.8, said, evidence)
        if test_labels_explain(reading):
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but the harm goes away when the test labels are read otherwise", evidence)
        remedies = (RemedyRef(id="importance-weights"),)
        if reading.find("two_sample", "test_loss") is None:
            if aligned(reading) or pipeline_explains(reading):
                return self.finding(Standing.CLEARED, 0.6, f"{said}, but a map of the test inputs makes the sets alike", evidence)
            return self.finding(
                Standing.SUSPECTED,
                0.3 + 0.4 * ramp(within.value, AUC_BOUND, 1.0),
                f"{said}; {harm_unknown(reading)}",
                evidence,
                remedies,
            )
        if not reading.test_harm_is_real and reading.test_harm > MARGIN:
            return self.finding(Standing.SUSPECTED, 0.3, f"{said}; {harm_unknown(reading)}", evidence, remedies)
        if not reading.test_harm_is_real:
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but the test loss is no worse: the shift does no harm", evidence)
        if proportions_explain(reading):
            return self.finding(Standing.CLEARED, 0.6, f"{said}, but the changed class proportions explain the harm", evidence)
        if pipeline_explains(reading):
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but a map of the test inputs takes the harm away", evidence)
        said = f"{said}, and the test loss is worse by {reading.test_harm:.0%} of the distance to the constant predictor"
        return self.finding(Standing.CONFIRMED, 0.7 + 0.3 * ramp(within.value, AUC_BOUND, 0.9), said, evidence, remedies)
