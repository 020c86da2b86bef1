from __future__ import annotations

import pytest
from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "single-unit-softmax"


def always(facts: Facts, activation: str, value: float = 1.0) -> Facts:
    """The output is the same for every input."""
    return facts.put("audit", "constant_output", value, details={"activation": activation})


@pytest.mark.parametrize(("activation", "value"), [("softmax", 1.0), ("log_softmax", 0.0), ("softmin", 1.0)])
def test_fires_plainly_on_a_softmax_over_one_unit(facts: Facts, activation: str, value: float) -> None:
    finding = always(facts, activation, value).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [ref.id for ref in finding.remedies] == ["sigmoid-output"]
    assert f"{value:g} for every input" in finding.summary


def test_stays_silent_on_outputs_that_change(facts: Facts) -> None:
    assert rule(CAUSE).seen(facts.reading) is None
    assert facts.underfitted().judged(CAUSE).standing is Standing.CLEARED


def test_declines_on_outputs_that_are_constant_for_another_reason(facts: Facts) -> None:
    assert always(facts, "").judged(CAUSE).standing is Standing.CLEARED
    assert always(facts, "relu", 0.0).judged(CAUSE).standing is Standing.CLEARED
