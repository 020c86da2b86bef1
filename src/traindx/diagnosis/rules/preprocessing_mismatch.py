"""The test set went through another pipeline (CAUSES: one pipeline)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import Rule, present
from traindx.diagnosis.rules.label_shift import proportions_explain, why_not_compared
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# Given validation labels are unrelated where this much agreement above chance is usual, and at most this share of it is left, by its
# interval; validation rows from elsewhere (other speakers, drifted sensors, inland for coast) keep 0.4 of it and more.
USUAL_SKILL, LEFT = 0.3, 0.25
# Validation inputs are plainly other ones above this area; where models then expect no more than chance of them, labels are not to blame.
PLAINLY_APART = 0.9
# Before the map a classifier must tell the sets apart by more than this area under the curve.
APART = 0.6
# The area's excess over one half must have fallen to this share, and the map must take away that share of the harm, or leave none that counts.
EXCESS_LEFT, HARM_REMOVED = 0.5, 0.7
# A flexible map makes the columns of any two sets alike: it must do nearly all that there is to do.
FLEXIBLE_EXCESS_LEFT, FLEXIBLE_HARM_REMOVED = 0.2, 0.9


@dataclass(frozen=True)
class Kind:
    """Maps of one kind: the name of their measures, and what is asked of them."""

    name: str
    excess_left: float
    harm_removed: float


_PLAIN, _FLEXIBLE = Kind("aligned", EXCESS_LEFT, HARM_REMOVED), Kind("flexibly_aligned", FLEXIBLE_EXCESS_LEFT, FLEXIBLE_HARM_REMOVED)


def pipeline_explains(reading: Reading, kinds: Sequence[Kind] = (_PLAIN, _FLEXIBLE)) -> bool:
    """Whether a map of these kinds, learned on inputs alone, makes the sets alike and takes the harm away."""
    harmed = reading.test_harm_is_real or refused(reading) is not None
    return harmed and any(aligned(reading, kind) and _mends(reading, kind) for kind in kinds)


def validation_pipeline(reading: Reading) -> Evidence | None:
    """The network's loss after a map of the validation inputs, where that makes them like the training inputs and takes the harm away."""
    apart, found = reading.find("label_map", "auc"), reading.find("label_map", "aligned_validation_loss")
    if apart is None or found is None or reading.generalization_gap <= MARGIN:
        return None
    alike = float(found.details["auc"]) - 0.5 <= EXCESS_LEFT * (apart.value - 0.5)
    harm = reading.validation - max(reading.train, reading.reachable)
    return found if alike and reading.validation - found.value >= HARM_REMOVED * harm else None


def validation_elsewhere(reading: Reading) -> Evidence | None:
    """The agreement of validation labels, where it is chance on inputs that are plainly other ones."""
    apart, found = reading.find("label_map", "auc"), reading.find("label_map", "agreement")
    if apart is None or found is None or apart.value < PLAINLY_APART or reading.generalization_gap <= MARGIN:
        return None
    return found if unrelated(found) else None


def unrelated(held: Evidence) -> bool:
    """Whether reference models, good on training rows, do on given validation or test rows as chance does, beyond the noise."""
    chance, skill = float(held.details["chance"]), float(held.details["skill"])
    high = held.value if held.high is None else held.high
    return skill >= USUAL_SKILL and held.value - chance <= LEFT / 2 * skill and high - chance <= LEFT * skill


def refused(reading: Reading) -> Evidence | None:
    """That the network cannot take the test rows as they are: as harmful as can be, though it has no number."""
    return reading.find("two_sample", "refused", "inputs")


def harm_unknown(reading: Reading) -> str:
    """Why it is open whether the test set does worse."""
    if reading.find("two_sample", "test_loss") is not None:
        return f"the test loss is worse by {reading.test_harm:.0%} of the distance to the constant predictor, which in so few rows may be chance"
    return "the network cannot take the test rows" if refused(reading) else "without test labels the harm is unknown"


def aligned(reading: Reading, kind: Kind = _PLAIN) -> bool:
    """Whether a map makes the sets much more alike."""
    before, after = reading.value("two_sample", "auc"), reading.value("two_sample", f"{kind.name}_auc")
    return before > APART and after - 0.5 <= kind.excess_left * (before - 0.5)


def _mends(reading: Reading, kind: Kind) -> bool:
    return mended(reading, f"{kind.name}_test_loss", kind.harm_removed)


def mended(reading: Reading, measure: str, harm_removed: float = HARM_REMOVED) -> bool:
    """Whether the test loss after a map, under this name, is near the validation loss, or this share of the harm is gone.

    What may be left counts as none within MARGIN, or within less of it where more of the harm must be gone.
    """
    after = reading.value("two_sample", measure)
    if math.isnan(after):
        return False
    left, none = after - reading.validation, MARGIN * (1 - harm_removed) / (1 - HARM_REMOVED)
    return left <= (1 - harm_removed) * (reading.test - reading.validation) or reading.share(left) <= none


class PreprocessingMismatch(Rule):
    """Settled by the map: it was learned without labels and without the network, so a loss that returns is no accident."""

    cause = "preprocessing-mismatch"
    branch = Branch.MISMATCH
    question = "test"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed when a map restores the validation or the test loss; suspected without one or without labels; a harmless one is cleared and said."""
        if (validation := validation_pipeline(reading)) is not None:
            return self._of_validation(reading, validation)
        if (validation := validation_elsewhere(reading)) is not None:
            said = (
                f"a classifier tells the validation inputs from the training inputs with AUC {reading.value('label_map', 'auc'):.2f}, and their labels agree"
                f" with what reference models expect by {validation.value:.0%}, where {float(validation.details['usual']):.0%} is usual: another pipeline, or"
                " rows of other groups"
            )
            return self.finding(Standing.SUSPECTED, 0.6, said, present(validation, reading.find("label_map", "auc")))
        kind = _FLEXIBLE if pipeline_explains(reading, (_FLEXIBLE,)) and not pipeline_explains(reading, (_PLAIN,)) else _PLAIN
        inputs, after = reading.find("two_sample", "auc"), reading.find("two_sample", f"{kind.name}_auc")
        if inputs is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, why_not_compared(reading, "there is no test set of array inputs to compare"))
        if after is None and inputs.value <= APART:
            return self.finding(Standing.CLEARED, 0.9, f"training and test rows are alike (AUC {inputs.value:.2f})", (inputs,))
        if after is None:
            return self.finding(Standing.CLEARED, 0.7, f"no map of the test inputs suggests itself (AUC {inputs.value:.2f})", (inputs,))
        evidence = present(
            after,
            inputs,
            refused(reading),
            *(reading.find("two_sample", m) for m in (f"{kind.name}_test_loss", "test_loss")),
            reading.find("baseline", "validation_loss"),
        )
        said = f"a map of the test inputs ({after.details['kind']}) takes the AUC from {inputs.value:.2f} to {after.value:.2f}"
        remedies = (RemedyRef(id="align-test-inputs", params={"kind": str(after.details["kind"])}),)
        if not aligned(reading, kind):
            return self.finding(Standing.CLEARED, 0.7, f"{said}: no map makes the sets alike", evidence)
        loss = reading.value("two_sample", f"{kind.name}_test_loss")
        if reading.find("two_sample", "test_loss") is None:
            if pipeline_explains(reading, (kind,)):
                said = f"{said}; the network cannot take the test rows, but those mapped, with a loss of {loss:.3g}, where validation has {reading.validation:.3g}"
                return self.finding(Standing.CONFIRMED, 0.95, said, evidence, remedies)
            return self.finding(Standing.SUSPECTED, 0.6, f"{said}; {harm_unknown(reading)}", evidence, remedies)
        if not reading.test_harm_is_real:
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but the test loss is no worse: the shift does no harm", evidence)
        said = f"{said}, and the test loss from {reading.test:.3g} to {loss:.3g}, where validation has {reading.validation:.3g}"
        if not _mends(reading, kind):
            return self.finding(Standing.CLEARED, 0.7, f"{said}: most of the harm stays", evidence)
        if proportions_explain(reading):
            return self.finding(Standing.CLEARED, 0.6, f"{said}, but the changed class proportions explain the harm", evidence)
        return self.finding(Standing.CONFIRMED, 0.95, said, evidence, remedies)

    def _of_validation(self, reading: Reading, found: Evidence) -> Finding:
        said = (
            f"a map of the validation inputs ({found.details['kind']}) takes the AUC of telling them from the training inputs from"
            f" {reading.value('label_map', 'auc'):.2f} to {float(found.details['auc']):.2f}, and the validation loss from {reading.validation:.3g} to {found.value:.3g}"
        )
        remedy = RemedyRef(id="align-validation-inputs", params={"kind": str(found.details["kind"])})
        evidence = present(found, reading.find("label_map", "auc"), reading.find("baseline", "validation_loss"))
        return self.finding(Standing.CONFIRMED, 0.95, said, evidence, (remedy,))
