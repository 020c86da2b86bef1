from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.base import STRONG_SIGN
from traindx.records import Branch, Standing

CAUSE = "model-too-simple"


def test_fires_when_a_deeper_model_trains_lower(facts: Facts) -> None:
    facts = facts.underfitted().audit(weight_layers=1)
    deepen = next(r for r in facts.remedies(CAUSE) if r.id == "deepen")
    finding = facts.raced(deepen, 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.MODEL_BIAS, (deepen,))


def test_stays_silent_on_a_sound_training(facts: Facts) -> None:
    assert rule(CAUSE).sign(facts.reading) == 0
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_more_room_changes_nothing(facts: Facts) -> None:
    facts = facts.underfitted()
    for remedy in facts.remedies(CAUSE):
        facts = facts.raced(remedy, 0.0)
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_declines_on_a_pretrained_model(facts: Facts) -> None:
    facts = facts.underfitted()
    finding = facts.race_refused(facts.remedies(CAUSE), "the factory returns pretrained weights").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "the factory returns pretrained weights")


def test_a_single_layer_that_trained_as_far_as_the_linear_reference_is_a_strong_sign(facts: Facts) -> None:
    alone = facts.underfitted(1.8).audit(weight_layers=1)
    assert rule(CAUSE).sign(alone.put("references", "out_of_fold_loss", 1.8, "linear").reading) >= STRONG_SIGN
    assert rule(CAUSE).sign(alone.put("references", "out_of_fold_loss", 0.3, "linear").reading) < STRONG_SIGN


def test_a_single_layer_has_nothing_to_widen(facts: Facts) -> None:
    assert {r.id for r in facts.audit(weight_layers=1).remedies(CAUSE)} == {"deepen"}


def test_layers_are_made_as_wide_as_is_usual(facts: Facts) -> None:
    def factor(width: int) -> float:
        facts_of_it = facts.underfitted().without("audit", "narrowing")
        narrow = facts_of_it.put("audit", "narrowing", 1.0, "1", details={"width": width, "inputs": 64, "after": 10})
        return next(r for r in narrow.remedies(CAUSE) if r.id == "widen").params["factor"]

    assert [factor(width) for width in (1, 3, 16, 200)] == [64, 32, 4, 4]


def test_a_table_of_vectors_can_be_wider(facts: Facts) -> None:
    assert {r.id for r in facts.audit(weight_layers=1, tables=1).remedies(CAUSE)} == {"widen", "deepen"}


def test_a_handful_of_units_is_a_strong_sign(facts: Facts) -> None:
    few, many = (
        facts.underfitted().put("audit", "narrowing", 1.0, "1", details={"width": width, "inputs": 64, "after": 10}) for width in (3, 64)
    )
    assert rule(CAUSE).sign(few.reading) >= STRONG_SIGN > rule(CAUSE).sign(many.reading)
