from __future__ import annotations

import pytest
from evidence_by_hand import Facts

from traindx.records import Branch, Standing

CAUSE = "preprocessing-mismatch"


def mapped(facts: Facts, auc: float, loss: float) -> Facts:
    facts = facts.put("two_sample", "aligned_auc", auc, "inputs", details={"kind": "moments"})
    return facts.put("two_sample", "aligned_test_loss", loss)


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


def test_stays_silent_without_harm_or_difference(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED
    harmless = mapped(facts.mismatched(0.2), 0.52, 0.2).judged(CAUSE)
    assert harmless.standing is Standing.CLEARED and "no harm" in harmless.summary


def test_suspects_without_test_labels(mismatched: Facts) -> None:
    facts = mapped(mismatched, 0.52, 0.25).without("two_sample", "test_loss", "aligned_test_loss")
    assert facts.judged(CAUSE).standing is Standing.SUSPECTED


def test_declines_without_a_test_set(facts: Facts) -> None:
    assert facts.refused("two_sample", "there is no test set").judged(CAUSE).standing is Standing.NOT_APPLICABLE
