from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "output-width-wrong"


def classes(facts: Facts, width: float, distinct: float = 10, needed: float = 10) -> Facts:
    return facts.put("audit", "needed_width", needed, details={"distinct": distinct}).audit(output_width=width)


def regression(facts: Facts, width: float, needed: float, distance: float = 1.0) -> Facts:
    facts = facts.without("audit", "needed_width").put("audit", "needed_width", needed)
    return facts.audit(output_width=width, distance_between_rows=distance)


def test_fires_plainly_on_fewer_outputs_than_classes(facts: Facts) -> None:
    finding = classes(facts, 9).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert [(ref.id, ref.params) for ref in finding.remedies] == [("output-width", {"width": 10})]
    assert "9 outputs for 10 classes" in finding.summary


def test_fires_plainly_on_outputs_spread_over_fewer_targets(facts: Facts) -> None:
    finding = regression(facts, 10, 1).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED
    assert finding.remedies[0].params == {"width": 1}


def test_fires_plainly_on_one_output_repeated_for_every_target(facts: Facts) -> None:
    finding = regression(facts, 1, 3).put("audit", "repeated_outputs", 3.0).judged(CAUSE)
    assert finding.standing is Standing.CONFIRMED and "1 output a row for 3 targets" in finding.summary
    assert finding.remedies[0].params == {"width": 3}


def test_fires_plainly_on_widths_that_the_loss_refuses(facts: Facts) -> None:
    assert regression(facts, 1, 3, 0).audit(loss_error="ValueError").judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_on_as_many_outputs_as_classes_or_targets(facts: Facts) -> None:
    for sound in (facts, classes(facts, 12), regression(facts, 3, 3)):
        assert rule(CAUSE).seen(sound.reading) is None
        assert sound.judged(CAUSE).standing is Standing.CLEARED


def test_declines_on_labels_that_are_only_numbered_too_high(facts: Facts) -> None:
    assert rule(CAUSE).seen(classes(facts, 10, needed=11).reading) is None


def test_declines_where_the_loss_may_want_other_widths(facts: Facts) -> None:
    for width, needed in ((2, 1), (1, 3)):
        assert rule(CAUSE).seen(regression(facts, width, needed, distance=0).reading) is None
    assert not rule(CAUSE).remedies(facts.without("audit").reading)
