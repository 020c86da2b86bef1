from __future__ import annotations

from evidence_by_hand import Facts

from traindx.diagnosis import conclude, next_question
from traindx.records import Branch, Standing

CAUSE = "non-finite-data"


def with_nan(facts: Facts, borne: bool) -> Facts:
    return facts.put("audit", "non_finite_rows", 0.01, "training inputs", text="8 rows have NaN", details={"rows": 8, "borne": borne})


def test_fires_on_rows_that_the_model_does_not_bear(facts: Facts) -> None:
    finding = with_nan(facts, borne=False).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.DATA)
    assert [r.id for r in finding.remedies] == ["fill-missing"]


def test_no_training_is_asked_for(facts: Facts) -> None:
    seen = Facts(e for e in with_nan(facts, borne=False).evidence if e.experiment == "audit")
    assert next_question(seen.evidence, 8.0) is None
    assert conclude(seen.evidence).findings[0].cause == CAUSE


def test_comes_before_all_else_that_was_found(facts: Facts) -> None:
    assert conclude(with_nan(facts.mismatched(), borne=False).evidence).findings[0].cause == CAUSE


def test_stays_silent_where_the_model_has_its_own_way_with_them(facts: Facts) -> None:
    finding = with_nan(facts, borne=True).judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "stay finite" in finding.summary


def test_stays_silent_on_finite_rows(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_declines_where_rows_are_no_arrays(facts: Facts) -> None:
    assert facts.without("audit", "pure_error").judged(CAUSE).standing is Standing.NOT_APPLICABLE
