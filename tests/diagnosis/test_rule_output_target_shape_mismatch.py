from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "output-target-shape-mismatch"


def broadcast(facts: Facts, width: float = 1.0) -> Facts:
    """Every row is compared with 64 targets."""
    return facts.put("audit", "broadcast_pairs", 64.0, text="outputs (N, 1) and targets (N,) are broadcast").audit(output_width=width)


def test_fires_plainly_on_rows_compared_with_other_rows(facts: Facts) -> None:
    finding = broadcast(facts).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [ref.id for ref in finding.remedies] == ["align-shapes"]
    assert "broadcast" in finding.summary


def test_stays_silent_on_shapes_that_agree(facts: Facts) -> None:
    assert rule(CAUSE).seen(facts.reading) is None
    assert facts.underfitted().judged(CAUSE).standing is Standing.CLEARED


def test_declines_where_the_width_itself_is_wrong(facts: Facts) -> None:
    assert broadcast(facts, width=3).judged(CAUSE).standing is Standing.CLEARED
