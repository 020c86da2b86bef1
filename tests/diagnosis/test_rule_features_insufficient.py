from __future__ import annotations

import math

from evidence_by_hand import Facts

from traindx.diagnosis.rules.features_insufficient import PURE_ERROR_BOUND, REPEATED_ROWS
from traindx.records import Branch, Standing

CAUSE = "features-insufficient"


def _pure(facts: Facts, error: float, repeated: float) -> Facts:
    return facts.put("audit", "pure_error", error, details={"repeated_rows": repeated})


def test_fires_on_equal_inputs_with_different_targets(facts: Facts) -> None:
    finding = _pure(facts, 2 * PURE_ERROR_BOUND, 1.0).judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.MODEL_BIAS, ())
    assert finding.evidence[0].threshold == PURE_ERROR_BOUND


def test_stays_silent_on_equal_inputs_with_equal_targets(facts: Facts) -> None:
    assert _pure(facts, 0.0, 1.0).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_hardly_a_row_has_a_twin(facts: Facts) -> None:
    assert _pure(facts, 1.0, REPEATED_ROWS / 2).judged(CAUSE).standing is Standing.CLEARED


def test_what_follows_a_sequence_is_open_by_its_nature(facts: Facts) -> None:
    letters = _pure(facts, 0.6, 1.0).audit(continues=1.0, tables=1.0)
    assert letters.judged(CAUSE).standing is Standing.CLEARED
    assert letters.audit(continues=0.0).judged(CAUSE).standing is Standing.CONFIRMED
    assert letters.audit(tables=0.0).judged(CAUSE).standing is Standing.CONFIRMED, "numbers, not tokens"


def test_a_shared_floor_alone_is_not_blamed(facts: Facts) -> None:
    for name in ("linear", "nearest-neighbours", "gradient-boosting"):
        facts = facts.put("references", "out_of_fold_loss", 2.2, name)
    assert facts.underfitted(2.2).judged(CAUSE).standing is Standing.CLEARED


def test_declines_where_equal_rows_cannot_be_looked_for_and_says_why(facts: Facts) -> None:
    finding = facts.put("audit", "pure_error", math.nan, text="some targets are not finite").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "some targets are not finite")
    assert facts.without("audit", "pure_error").judged(CAUSE).standing is Standing.NOT_APPLICABLE
