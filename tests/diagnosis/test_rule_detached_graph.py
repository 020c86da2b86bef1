from __future__ import annotations

from evidence_by_hand import Facts

from traindx.diagnosis.rules.detached_graph import CUT_SHARE
from traindx.records import Branch, Standing

CAUSE = "detached-graph"


def test_fires_where_what_matters_receives_no_gradient(facts: Facts) -> None:
    finding = facts.audit(cut_share=2 * CUT_SHARE).judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.DEFECT, ())
    assert "20% of the parameters" in finding.summary


def test_stays_silent_where_every_parameter_that_matters_learns(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED
    assert facts.audit(cut_share=0.0, unused_share=0.5).judged(CAUSE).standing is Standing.CLEARED


def test_declines_on_a_pretrained_part_that_is_kept_as_it_is(facts: Facts) -> None:
    assert facts.audit(cut_share=0.9, pretrained=1.0).judged(CAUSE).standing is Standing.CLEARED
