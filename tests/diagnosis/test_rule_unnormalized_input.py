from __future__ import annotations

import pytest
from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.unnormalized_input import OFFSET_FULL, SCALE_FULL, SMALL_FULL, SPREAD_FULL
from traindx.records import Branch, Standing

CAUSE = "unnormalized-input"


def test_fires_when_standardised_inputs_train(facts: Facts) -> None:
    facts = facts.audit(feature_scale_largest=SCALE_FULL).underfitted()
    finding = facts.raced(facts.remedies(CAUSE)[0], 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [r.id for r in finding.remedies] == ["standardize-inputs"]
    assert "feature_scale_largest" in {e.measure for e in finding.evidence}


def test_stays_silent_on_inputs_of_one_scale(facts: Facts) -> None:
    finding = facts.underfitted().judged(CAUSE)
    assert finding.standing is Standing.CLEARED and not facts.underfitted().remedies(CAUSE)


def test_declines_where_inputs_are_no_numbers(facts: Facts) -> None:
    facts = facts.audit(feature_scale_largest=SCALE_FULL).underfitted()
    finding = facts.race_refused(facts.remedies(CAUSE), "inputs are not arrays of real numbers").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "inputs are not arrays of real numbers")


def test_what_was_not_measured_is_no_sign(facts: Facts) -> None:
    assert rule(CAUSE).sign(facts.without("audit").reading) == 0


@pytest.mark.parametrize(
    "scales",
    [
        {"feature_scale_largest": SCALE_FULL},
        {"feature_scale_largest": SMALL_FULL},
        {"feature_scale_largest": 10.0, "feature_scale_spread": SPREAD_FULL},
        {"feature_offset": OFFSET_FULL},
    ],
)
def test_signs_are_large_small_and_uneven_scales_and_offsets(facts: Facts, scales: dict[str, float]) -> None:
    assert rule(CAUSE).sign(facts.audit(**scales).reading) > 0.5
