from __future__ import annotations

import pytest
from evidence_by_hand import Facts

from traindx.diagnosis import conclude
from traindx.records import Branch, Standing

CAUSE = "preprocessing-mismatch"


def mapped(facts: Facts, auc: float, loss: float, measure: str = "aligned", kind: str = "moments") -> Facts:
    facts = facts.put("two_sample", f"{measure}_auc", auc, "inputs", details={"kind": kind})
    return facts.put("two_sample", f"{measure}_test_loss", loss)


def flexibly(facts: Facts, auc: float, loss: float) -> Facts:
    """After a plain map that does little, and a flexible one."""
    return mapped(mapped(facts, 0.9, 1.9), auc, loss, "flexibly_aligned", "monotone")


@pytest.fixture
def mismatched(facts: Facts) -> Facts:
    return facts.mismatched()


def test_fires_when_a_map_restores_the_loss(mismatched: Facts) -> None:
    facts = mapped(mismatched, 0.52, 0.25)
    finding = facts.judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.MISMATCH)
    assert [(r.id, r.params) for r in finding.remedies] == [("align-test-inputs", {"kind": "moments"})]
    assert facts.judged("covariate-shift").standing is Standing.CLEARED


@pytest.mark.parametrize(("auc", "loss"), [(0.94, 0.25), (0.52, 1.9)])
def test_stays_silent_when_the_sets_or_the_harm_stay_apart(mismatched: Facts, auc: float, loss: float) -> None:
    facts = mapped(mismatched, auc, loss)
    assert facts.judged(CAUSE).standing is Standing.CLEARED
    assert facts.judged("covariate-shift").standing is Standing.CONFIRMED


def test_a_flexible_map_must_do_nearly_all(mismatched: Facts) -> None:
    before, validation = mismatched.reading.test, mismatched.reading.validation
    nearly_all, most = (validation + share * (before - validation) for share in (0.05, 0.2))
    finding = flexibly(mismatched, 0.52, nearly_all).judged(CAUSE)
    assert (finding.standing, finding.remedies[0].params) == (Standing.CONFIRMED, {"kind": "monotone"})
    for auc, loss in ((0.52, most), (0.65, nearly_all)):
        facts = flexibly(mismatched, auc, loss)
        assert facts.judged(CAUSE).standing is Standing.CLEARED
        assert facts.judged("covariate-shift").standing is Standing.CONFIRMED
        assert mapped(mismatched, auc, loss).judged(CAUSE).standing is Standing.CONFIRMED, "a plain one need not"


def test_the_plain_map_is_believed_where_both_restore_the_loss(mismatched: Facts) -> None:
    facts = mapped(mapped(mismatched, 0.55, 0.25), 0.5, 0.2, "flexibly_aligned", "monotone")
    assert facts.judged(CAUSE).remedies[0].params == {"kind": "moments"}


def test_a_flexible_map_proves_nothing_without_test_labels(mismatched: Facts) -> None:
    facts = flexibly(mismatched, 0.5, 0.2).without("two_sample", "test_loss", "aligned_test_loss", "flexibly_aligned_test_loss")
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_without_harm_or_difference(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED
    harmless = mapped(facts.mismatched(0.2), 0.52, 0.2).judged(CAUSE)
    assert harmless.standing is Standing.CLEARED and "no harm" in harmless.summary


def test_suspects_without_test_labels(mismatched: Facts) -> None:
    facts = mapped(mismatched, 0.52, 0.25).without("two_sample", "test_loss", "aligned_test_loss")
    assert facts.judged(CAUSE).standing is Standing.SUSPECTED


def test_test_rows_that_the_network_refuses_are_as_harmful_as_can_be(mismatched: Facts) -> None:
    refused = mismatched.without("two_sample", "test_loss", "reweighted_test_loss").put("two_sample", "refused", 1.0, "inputs")
    restored, lost = mapped(refused, 0.52, 0.25), mapped(refused, 0.52, 1.9)
    both = lost.without("two_sample", "aligned_test_loss").put("two_sample", "refused", 1.0, "aligned inputs")
    finding = restored.judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and "cannot take" in finding.summary
    assert restored.judged("covariate-shift").standing is Standing.CLEARED
    told = conclude(restored.evidence)
    assert told.branch is Branch.MISMATCH and "nan" not in told.sentence
    for facts in (lost, both, refused):
        assert facts.judged(CAUSE).standing in (Standing.SUSPECTED, Standing.CLEARED)
        assert "labels" not in facts.judged("covariate-shift").summary
        assert conclude(facts.evidence).branch is not Branch.MISMATCH


def test_declines_without_a_test_set(facts: Facts) -> None:
    assert facts.refused("two_sample", "there is no test set").judged(CAUSE).standing is Standing.NOT_APPLICABLE


def validated_elsewhere(facts: Facts, auc: float = 1.0, agreement: float = 0.1) -> Facts:
    """Validation rows that were given apart, on which network and models fail."""
    facts = facts.baseline(train_loss=0.1, validation_loss=2.0, lowest_validation_loss=1.5).put("label_map", "auc", auc, "inputs")
    return facts.put("label_map", "agreement", agreement, details={"usual": 0.9, "skill": 0.8, "chance": 0.1})


def test_fires_when_a_map_restores_the_validation_loss(facts: Facts) -> None:
    facts = validated_elsewhere(facts).put("label_map", "aligned_validation_loss", 0.2, details={"kind": "range", "auc": 0.5})
    finding = facts.judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.MISMATCH)
    assert [(r.id, r.params) for r in finding.remedies] == [("align-validation-inputs", {"kind": "range"})]
    assert facts.judged("wrong-labels").standing is not Standing.CONFIRMED
    assert conclude(facts.evidence).sentence.startswith("The validation set is another world")


@pytest.mark.parametrize(("auc", "loss"), [(0.95, 0.2), (0.5, 1.9)])
def test_stays_silent_when_validation_rows_stay_apart_or_hard(facts: Facts, auc: float, loss: float) -> None:
    harder = validated_elsewhere(facts, agreement=0.6).put(
        "label_map", "aligned_validation_loss", loss, details={"kind": "range", "auc": auc}
    )
    assert harder.judged(CAUSE).standing is not Standing.CONFIRMED


def test_labels_are_not_accused_on_inputs_that_are_plainly_other_ones(facts: Facts) -> None:
    assert validated_elsewhere(facts).judged(CAUSE).standing is Standing.SUSPECTED, "rows of other groups look alike"
    assert validated_elsewhere(facts).judged("labels-unrelated-to-inputs").standing is Standing.CLEARED
    assert validated_elsewhere(facts, auc=0.5).judged(CAUSE).standing is not Standing.CONFIRMED
    assert validated_elsewhere(facts, auc=0.5).judged("labels-unrelated-to-inputs").standing is Standing.CONFIRMED
