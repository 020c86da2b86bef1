from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "output-target-shape-mismatch"


def broadcast(facts: Facts, same_size: bool = True) -> Facts:
    """Every row is compared with 64 targets."""
    said = "outputs (N, 1) and targets (N,) are broadcast"
    return facts.put("audit", "broadcast_pairs", 64.0, text=said, details={"same_size": same_size})


def refused(facts: Facts, only_shapes_differ: bool) -> Facts:
    return facts.put("audit", "loss_error", 1.0, text="ValueError: sizes", details={"only_shapes_differ": only_shapes_differ})


def test_fires_plainly_on_rows_compared_with_other_rows(facts: Facts) -> None:
    finding = broadcast(facts).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [ref.id for ref in finding.remedies] == ["align-shapes"]
    assert "broadcast" in finding.summary


def test_fires_plainly_on_shapes_that_the_loss_refuses_for_their_shape_alone(facts: Facts) -> None:
    assert refused(facts, True).judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_on_shapes_that_agree(facts: Facts) -> None:
    assert rule(CAUSE).seen(facts.reading) is None
    assert facts.underfitted().judged(CAUSE).standing is Standing.CLEARED


def test_declines_where_the_width_itself_is_wrong(facts: Facts) -> None:
    assert broadcast(facts, same_size=False).judged(CAUSE).standing is Standing.CLEARED
    assert refused(facts, False).judged(CAUSE).standing is Standing.CLEARED
