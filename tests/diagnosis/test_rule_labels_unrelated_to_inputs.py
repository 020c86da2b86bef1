from __future__ import annotations

import pytest
from evidence_by_hand import CONSTANT, Facts

from traindx.diagnosis import conclude, next_question
from traindx.records import Branch, Standing

CAUSE = "labels-unrelated-to-inputs"


@pytest.fixture
def unknowing(facts: Facts) -> Facts:
    """No reference model beats the constant predictor, nor does the network on validation rows."""
    for name in ("linear", "nearest-neighbours", "gradient-boosting"):
        facts = facts.put("references", "out_of_fold_loss", CONSTANT, name).put("references", "out_of_fold_metric", 0.1, name)
    return facts.baseline(validation_loss=2 * CONSTANT, lowest_validation_loss=CONSTANT, validation_metric=0.1)


def related(facts: Facts, p_value: float, shifted: float = 0.0, **details: float) -> Facts:
    known = {"p_value": p_value, "detectable": 0.01, "rows": 2000, "telling": 2000, **details}
    facts = facts.put("relation", "explained", 0.0, details=known)
    return facts.put("relation", "explained_shifted", shifted, details={"offset": -1, "p_value": 0.005})


def test_fires_where_labels_do_as_permuted_ones(unknowing: Facts) -> None:
    finding = related(unknowing, 0.4).judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.DATA, ())
    answer = conclude(related(unknowing, 0.4).evidence)
    assert (answer.branch, answer.findings[0].cause) == (Branch.DATA, CAUSE)
    assert next_question(related(unknowing, 0.4).evidence, 8.0) is None


def test_fires_where_labels_are_out_of_step(unknowing: Facts) -> None:
    finding = related(unknowing, 0.4, shifted=0.6).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED
    assert [(r.id, r.params) for r in finding.remedies] == [("realign-labels", {"offset": -1})]


def test_fires_where_validation_labels_agree_as_by_chance(facts: Facts) -> None:
    facts = facts.put("label_map", "agreement", 0.1, details={"usual": 0.9, "skill": 0.8, "chance": 0.1}).put(
        "label_map", "auc", 0.5, "inputs"
    )
    assert facts.judged(CAUSE).standing is Standing.CONFIRMED
    assert facts.put("label_map", "agreement", 0.5).judged(CAUSE).standing is Standing.CLEARED
    assert facts.put("label_map", "auc", 0.99, "inputs").judged(CAUSE).standing is Standing.CLEARED, "models expect nothing of other inputs"


def test_fires_where_test_labels_agree_as_by_chance_on_inputs_that_are_alike(facts: Facts) -> None:
    shuffled = facts.put("two_sample", "test_loss", CONSTANT).put(
        "two_sample", "agreement", 0.1, "labels", details={"usual": 0.9, "skill": 0.8, "chance": 0.1}
    )
    finding = shuffled.judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and "test labels" in finding.summary
    assert (
        facts.put("two_sample", "agreement", 0.1, "labels", details={"usual": 0.9, "skill": 0.8, "chance": 0.1}).judged(CAUSE).standing
        is Standing.CLEARED
    )
    assert shuffled.put("two_sample", "auc", 0.9, "inputs").judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_another_coding_explains_the_chance(facts: Facts) -> None:
    facts = facts.put("label_map", "agreement", 0.1, details={"usual": 0.9, "skill": 0.8, "chance": 0.1}).put(
        "label_map", "auc", 0.5, "inputs"
    )
    assert facts.put("label_map", "agreement_gain", 0.8, details={"order": "1,0"}).judged(CAUSE).standing is Standing.CLEARED


def test_is_asked(facts: Facts) -> None:
    question = next_question(facts.without("relation").evidence, 8.0)
    assert question is not None and question.experiment == "relation"


def test_fires_where_another_rows_labels_fit_better_though_these_fit_a_little(facts: Facts) -> None:
    assert related(facts, 0.001, shifted=0.6).judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_about_steps_where_the_network_knows_what_references_do_not_see(unknowing: Facts) -> None:
    assert related(unknowing, 0.4, shifted=0.1).judged(CAUSE).standing is Standing.CONFIRMED
    knowing = unknowing.baseline(validation_loss=0.2, lowest_validation_loss=0.2)
    assert related(knowing, 0.4, shifted=0.1).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_a_reference_knows(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED
    assert related(facts, 0.4).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_labels_do_better_than_permuted(unknowing: Facts) -> None:
    assert related(unknowing, 0.005).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_the_network_knows(unknowing: Facts) -> None:
    assert related(unknowing.baseline(lowest_validation_loss=0.5 * CONSTANT), 0.4).judged(CAUSE).standing is Standing.CLEARED
    assert related(unknowing.baseline(validation_metric=0.3).audit(class_ratio=1.0), 0.4).judged(CAUSE).standing is Standing.CLEARED


def test_declines_with_few_rows_or_without_references(unknowing: Facts) -> None:
    assert related(unknowing, 0.4, telling=150).judged(CAUSE).standing is Standing.UNDECIDED
    assert related(unknowing, 0.4, detectable=0.2).judged(CAUSE).standing is Standing.UNDECIDED
    assert unknowing.refused("relation", "rows have no single class or number").judged(CAUSE).standing is Standing.NOT_APPLICABLE
