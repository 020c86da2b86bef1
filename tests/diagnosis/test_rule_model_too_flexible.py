from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "model-too-flexible"


def test_fires_when_a_constrained_model_validates_better(facts: Facts) -> None:
    facts = facts.overfitted()
    dropout = next(r for r in facts.remedies(CAUSE) if r.id == "dropout")
    finding = facts.raced(dropout, 0.9, "validation_loss").judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.OVERFITTING, (dropout,))


def test_stays_silent_on_a_sound_training(facts: Facts) -> None:
    assert rule(CAUSE).sign(facts.reading) < 0.1
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_while_training_itself_is_large(facts: Facts) -> None:
    finding = facts.underfitted().baseline(validation_loss=2.2).judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "training loss itself is large" in finding.summary


def test_declines_when_no_constraint_can_be_tried(facts: Facts) -> None:
    facts = facts.overfitted()
    finding = facts.race_refused(facts.remedies(CAUSE), "no hidden layer").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "no hidden layer")


def test_more_parameters_than_rows_are_a_stronger_sign(facts: Facts) -> None:
    facts = facts.overfitted()
    signs = [rule(CAUSE).sign(facts.audit(parameters=count).reading) for count in (10.0, 1e6)]
    assert 0 < signs[0] < signs[1]


def test_what_lowers_the_training_loss_as_well_is_no_constraint(facts: Facts) -> None:
    high = facts.baseline(train_loss=0.35, lowest_train_loss=0.35, validation_loss=0.9, lowest_validation_loss=0.9)
    remedy = high.remedies(CAUSE)[0]
    there, gone = (high.raced(remedy, 1.0, "validation_loss", details={"train_loss": loss}).judged(CAUSE) for loss in (0.4, 0.05))
    assert there.standing is Standing.CONFIRMED
    assert gone.standing is Standing.UNDECIDED and "no overfitting" in gone.summary
