"""Labels shuffled against their inputs, or out of step with them (CAUSES: realign)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import Rule, present
from traindx.diagnosis.rules.label_shift import ALIKE
from traindx.diagnosis.rules.preprocessing_mismatch import unrelated
from traindx.diagnosis.rules.wrong_labels import read_otherwise
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# The labels do no better than permuted ones above this p-value; labels shifted by a row or two do better below the other, by this share of
# explained variance at least. On 21 data sets of 150 to 3000 rows the p-value is 0.005, the least there is, but once (150 images of 10
# classes); labels shifted by a row or two explain what they should, and by chance at most 0.06 on 150 rows, 0.01 on 300 and more.
AS_PERMUTED, BEYOND, SHIFTED_SHARE = 0.02, 0.011, 0.05
# Where labels explain something as they are, a shift must explain this much more: neighbours in time or space have similar labels. On none
# of 16 data sets in their own order does a shift explain more than the labels as they are.
SHIFTED_BEYOND = 0.1
# Rows are enough from this many on (a class that nearly all rows share counts as often as the others together), when the test would have
# noticed this share of explained variance.
LEAST_ROWS, DETECTABLE = 300, 0.05
# A network that gets below the constant predictor's loss by this share of it, or above its accuracy by this many standard errors, has
# found what reference models miss.
BETTER_LOSS, BETTER_ERRORS = 0.05, 3.0
# The half-width of the validation loss is granted too, up to this share of the constant predictor's loss.
MOST_NOISE = 0.15


class LabelsUnrelatedToInputs(Rule):
    """Settled by a permutation test, where neither a reference model nor the network predicts unseen rows better than a constant."""

    cause = "labels-unrelated-to-inputs"
    branch = Branch.DATA
    question = "relation"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed when the labels do as permuted ones do, though enough rows were tested."""
        if (held := _unrelated(reading, "label_map")) is not None and _inputs_alike(reading, "label_map"):
            return self._of_held_rows(held, "validation")
        if (held := _unrelated(reading, "two_sample")) is not None and reading.test_harm_is_real and _inputs_alike(reading, "two_sample"):
            return self._of_held_rows(held, "test")
        found = reading.find("relation", "explained")
        refused = reading.find("relation", "not-applicable")
        if found is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, refused.text if refused else "no reference model could be had")
        moved = reading.find("relation", "explained_shifted")
        evidence = present(found.replace(threshold=AS_PERMUTED), moved, reading.best_reference, reading.find("baseline", "validation_loss"))
        p_value = float(found.details["p_value"])
        if moved is not None and _out_of_step(reading, found, moved):
            offset = int(moved.details["offset"])
            said = (
                f"the labels are out of step: with those of the row {abs(offset)} {'further on' if offset > 0 else 'before'}, reference models"
                f" explain {moved.value:.0%} of the variance on held-out rows, and {max(found.value, 0.0):.0%} as they are"
            )
            return self.finding(Standing.CONFIRMED, 0.95, said, evidence, (RemedyRef(id="realign-labels", params={"offset": offset}),))
        if reading.references_beat_constant:
            said = "a reference model predicts held-out rows better than the constant predictor"
            return self.finding(Standing.CLEARED, 0.95, said, present(reading.best_reference))
        said = f"of {found.details['rows']:g} rows, the labels explain {found.value:.1%} of the variance out of fold, p = {p_value:.2g} against permuted labels"
        if p_value <= AS_PERMUTED:
            return self.finding(Standing.CLEARED, 0.8, f"{said}: they do better", evidence)
        if _network_knows(reading):
            return self.finding(Standing.CLEARED, 0.8, f"{said}, but the network predicts unseen rows better than a constant", evidence)
        if float(found.details["telling"]) < LEAST_ROWS or float(found.details["detectable"]) > DETECTABLE:
            return self.finding(Standing.UNDECIDED, 0.3, f"{said}: too few rows to notice a weak relation", evidence)
        return self.finding(Standing.CONFIRMED, 0.9, f"{said}: they might as well be drawn at random", evidence)

    def _of_held_rows(self, held: Evidence, side: str) -> Finding:
        said = (
            f"what reference models learned from the training rows agrees with the {side} labels no better than chance:"
            f" {held.value:.0%}, where {float(held.details['usual']):.0%} is usual and {float(held.details['chance']):.0%} is chance"
        )
        return self.finding(Standing.CONFIRMED, 0.9, said, (held,))


def _out_of_step(reading: Reading, found: Evidence, moved: Evidence) -> bool:
    """Whether the labels of another row explain more; where references see nothing in the row's own, neither may the network."""
    seen = float(found.details["p_value"]) <= AS_PERMUTED
    beyond = moved.value - max(found.value, 0.0) >= (SHIFTED_BEYOND if seen else SHIFTED_SHARE) and float(moved.details["p_value"]) < BEYOND
    return beyond and (seen or not _network_knows(reading))


def _unrelated(reading: Reading, experiment: str) -> Evidence | None:
    """The agreement of validation labels (label_map) or test labels (two_sample), if it is chance and no other coding explains that."""
    held = reading.find(experiment, "agreement")
    return held if held is not None and unrelated(held) and read_otherwise(reading, experiment) is None else None


def _inputs_alike(reading: Reading, experiment: str) -> bool:
    """Whether a classifier hardly tells validation or test inputs from training: models that are good on those are good on these."""
    inputs = reading.find(experiment, "auc")
    return inputs is not None and (inputs.high if inputs.high is not None else inputs.value) <= ALIKE


def _network_knows(reading: Reading) -> bool:
    """Whether the network was ever better on validation rows than the constant predictor."""
    if reading.broken:
        return False
    loss, ended = min(reading.validation, reading.sign("lowest_validation_loss")), reading.find("baseline", "validation_loss")
    width = 0.0 if ended is None or ended.high is None or ended.low is None else (ended.high - ended.low) / 2
    on_these = reading.value("references", "validation_loss", "constant")
    constant = reading.constant if math.isnan(on_these) else on_these
    if loss < constant - max(BETTER_LOSS * reading.level, min(width, MOST_NOISE * reading.level)):
        return True
    share, reached = reading.value("references", "out_of_fold_metric", "constant"), reading.value("baseline", "validation_metric")
    rows = max(reading.value("audit", "rows") / 4, 1.0)
    return reading.find("audit", "class_ratio") is not None and reached > share + BETTER_ERRORS * (share * (1 - share) / rows) ** 0.5
