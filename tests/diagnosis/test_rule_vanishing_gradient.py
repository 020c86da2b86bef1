from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.vanishing_gradient import DEEP, RATIO_FULL
from traindx.records import Branch, Standing

CAUSE = "vanishing-gradient"


def test_fires_when_rectifiers_let_the_gradient_through(facts: Facts) -> None:
    facts = facts.underfitted().baseline(first_last_gradient_ratio=RATIO_FULL)
    swap = next(r for r in facts.remedies(CAUSE) if r.id == "swap-activations")
    finding = facts.raced(swap, 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.OPTIMIZATION, (swap,))


def test_stays_silent_on_a_sound_training(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_on_a_network_of_two_layers(facts: Facts) -> None:
    shallow = facts.underfitted().baseline(weight_layers=2)
    assert not shallow.remedies(CAUSE)
    assert shallow.judged(CAUSE).standing is Standing.CLEARED


def test_declines_when_no_operation_fits_the_model(facts: Facts) -> None:
    facts = facts.underfitted().baseline(first_last_gradient_ratio=RATIO_FULL)
    finding = facts.race_refused(facts.remedies(CAUSE), "the factory returns pretrained weights").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "the factory returns pretrained weights")


def test_signs_are_a_faint_first_layer_and_great_depth(facts: Facts) -> None:
    assert rule(CAUSE).sign(facts.reading) < 0.1
    assert rule(CAUSE).sign(facts.baseline(first_last_gradient_ratio=RATIO_FULL).reading) == 1
    assert rule(CAUSE).sign(facts.baseline(weight_layers=60).reading) > 0.5


def test_shortcuts_are_for_deep_networks(facts: Facts) -> None:
    facts = facts.baseline(first_last_gradient_ratio=RATIO_FULL)
    assert "add-skips" not in {r.id for r in facts.baseline(weight_layers=DEEP - 1).remedies(CAUSE)}
    assert "add-skips" in {r.id for r in facts.baseline(weight_layers=DEEP).remedies(CAUSE)}
