from __future__ import annotations

from evidence_by_hand import Facts

from traindx.diagnosis import conclude
from traindx.diagnosis.rules.detached_graph import CUT_SHARE
from traindx.records import Branch, RemedyRef, Standing

CAUSE = "detached-graph"


def test_fires_where_what_matters_receives_no_gradient_and_the_loss_is_large(facts: Facts) -> None:
    cut = facts.underfitted().audit(cut_share=2 * CUT_SHARE)
    finding = cut.judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.DEFECT, ())
    assert "20% of the parameters" in finding.summary
    helped = cut.raced(RemedyRef(id="scale-rate", params={"factor": 10.0}), 0.9)
    assert conclude(helped.evidence).findings[0].cause == CAUSE, "whatever else helps"


def test_stays_silent_where_every_parameter_that_matters_learns(facts: Facts) -> None:
    assert facts.underfitted().audit(cut_share=0.0, unused_share=0.5).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_training_gets_where_it_can(facts: Facts) -> None:
    finding = facts.audit(cut_share=0.8).judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "all the same" in finding.summary


def test_declines_where_no_backward_pass_could_be_looked_at(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.NOT_APPLICABLE
