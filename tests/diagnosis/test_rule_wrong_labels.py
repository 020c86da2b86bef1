from __future__ import annotations

import pytest
from evidence_by_hand import Facts

from traindx.diagnosis import conclude, next_question
from traindx.diagnosis.rules.wrong_labels import AGREEMENT_GAIN, UNSEEN_CHANCE, UNSEEN_SHARE
from traindx.records import Branch, RemedyRef, Standing

CAUSE = "wrong-labels"


def refused(facts: Facts, distinct: int) -> Facts:
    return facts.put("audit", "refused_labels", 0.1, text="outside", details={"distinct": distinct, "width": 10})


def unseen(facts: Facts, share: float, chance: float, shift: int = 0) -> Facts:
    return facts.put("audit", "unseen_labels", share, "validation", text="unseen", details={"shift": shift, "chance": chance})


def recoded(facts: Facts, low: float) -> Facts:
    return facts.put("label_map", "agreement_gain", low + 0.1, low=low, text="another coding", details={"order": "1,0,2"})


def test_columns_are_put_back_in_their_order(facts: Facts) -> None:
    finding = facts.put("label_map", "agreement_gain", 0.5, low=0.4, text="another order", details={"columns": "1,0,2"}).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and finding.remedies[0].params == {"split": "validation", "columns": "1,0,2"}


def mapped(facts: Facts, wrong: bool) -> Facts:
    return facts.put("label_map", "affine_map", 2.2, text="other units", details={"wrong": wrong, "scale": 2.2, "offset": 1.0})


def test_fires_on_labels_that_the_loss_refuses(facts: Facts) -> None:
    finding = refused(facts, 10).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.DATA)
    assert finding.remedies == (RemedyRef(id="repair-labels", params={"split": "all"}),)


def test_fires_on_validation_labels_that_training_does_not_have(facts: Facts) -> None:
    finding = unseen(facts, 0.1, 1e-9, shift=1).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED
    assert finding.remedies[0].params == {"split": "validation", "offset": 1.0}


def test_fires_on_another_coding_and_on_other_units(facts: Facts) -> None:
    coded = recoded(facts, 2 * AGREEMENT_GAIN).judged(CAUSE)
    assert coded.standing is Standing.CONFIRMED and coded.remedies[0].params["order"] == "1,0,2"
    units = mapped(facts, True).judged(CAUSE)
    assert units.standing is Standing.CONFIRMED and units.remedies[0].params["scale"] == 2.2
    assert next_question(recoded(facts, 2 * AGREEMENT_GAIN).evidence, 8.0) is None


def test_fires_on_labels_that_only_the_test_set_has(facts: Facts) -> None:
    facts = facts.put("two_sample", "label_distance", 0.1, "labels", details={"unseen_share": 2 * UNSEEN_SHARE})
    assert facts.judged(CAUSE).standing is Standing.CONFIRMED


def read(facts: Facts, repaired: float, test_loss: float = 2.0) -> Facts:
    """Another coding of the test labels, with the network's test loss as it is and so read."""
    facts = facts.put("two_sample", "test_loss", test_loss).put("two_sample", "repaired_test_loss", repaired)
    return facts.put("two_sample", "agreement_gain", 0.8, "labels", text="another coding", details={"order": "1,0"})


def test_fires_on_another_coding_of_the_test_labels_that_takes_the_harm_away(facts: Facts) -> None:
    finding = read(facts, 0.2).judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.DATA, ())
    assert "another coding" in finding.summary and finding.evidence[0].measure == "repaired_test_loss"
    answer = conclude(read(facts, 0.2).evidence)
    assert (answer.branch, answer.findings[0].cause) == (Branch.DATA, CAUSE)


def test_fires_on_other_units_of_the_test_targets(facts: Facts) -> None:
    units = facts.put("two_sample", "affine_map", 1e5, "labels", text="other units", details={"wrong": True, "scale": 1e5, "offset": 0.0})
    units = units.put("two_sample", "test_loss", 1e9).put("two_sample", "repaired_test_loss", 0.2)
    assert units.judged(CAUSE).standing is Standing.CONFIRMED
    sound = units.put("two_sample", "affine_map", 1.0, "labels", details={"wrong": False})
    assert sound.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_another_coding_leaves_the_harm_or_there_is_none(facts: Facts) -> None:
    assert read(facts, 1.9).judged(CAUSE).standing is Standing.CLEARED
    assert read(facts, 0.2, test_loss=0.2).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_a_map_of_the_inputs_takes_the_harm_away_too(facts: Facts) -> None:
    another = read(facts, 0.3).put("two_sample", "auc", 0.99, "inputs").put("two_sample", "aligned_test_loss", 0.2)
    assert another.put("two_sample", "aligned_auc", 0.6, "inputs").judged(CAUSE).standing is Standing.CLEARED
    assert another.put("two_sample", "aligned_auc", 0.9, "inputs").judged(CAUSE).standing is Standing.CONFIRMED


@pytest.mark.parametrize(("share", "chance"), [(UNSEEN_SHARE / 2, 1e-9), (0.1, 2 * UNSEEN_CHANCE)])
def test_stays_silent_on_a_rare_class_that_chance_left_out(facts: Facts, share: float, chance: float) -> None:
    assert unseen(facts, share, chance).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_outputs_are_too_few_or_the_coding_is_as_good(facts: Facts) -> None:
    assert refused(facts, 11).judged(CAUSE).standing is Standing.CLEARED
    assert recoded(facts, 0.0).judged(CAUSE).standing is Standing.CLEARED
    assert mapped(facts, False).judged(CAUSE).standing is Standing.CLEARED
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_validation_rows_given_apart_are_asked_about(facts: Facts) -> None:
    question = next_question(facts.put("audit", "validation_given", 1.0).evidence, 8.0)
    assert question is not None and question.experiment == "label_map"
