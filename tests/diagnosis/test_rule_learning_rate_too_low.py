from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.diagnosis import next_question
from traindx.diagnosis.procedure import suspects
from traindx.diagnosis.rules.base import SYMPTOM, UNSEEN_SHARE
from traindx.diagnosis.rules.learning_rate_too_low import RATIO_FULL, RATIO_NONE
from traindx.records import Branch, Standing

CAUSE = "learning-rate-too-low"


def test_fires_when_a_higher_rate_recovers_the_gap(facts: Facts) -> None:
    facts = facts.underfitted().baseline(median_update_ratio=RATIO_FULL)
    finding = facts.raced(facts.remedies(CAUSE)[0], 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert finding.remedies[0].id == "scale-rate" and float(finding.remedies[0].params["factor"]) > 1


def test_fires_on_what_a_still_higher_rate_recovers(facts: Facts) -> None:
    facts = facts.underfitted()
    first = facts.remedies(CAUSE)[0]
    farther = first.replace(params={"factor": 100.0})
    assert facts.raced(first, 0.1).raced(farther, 0.9).judged(CAUSE).remedies == (farther,)


def test_declines_where_the_training_loss_alone_falls(facts: Facts) -> None:
    facts = facts.underfitted()
    remedy, before = facts.remedies(CAUSE)[0], facts.reading
    fall = 0.9 * (before.train - before.reachable)
    for share, standing in ((0.9 * UNSEEN_SHARE, Standing.UNDECIDED), (1.1 * UNSEEN_SHARE, Standing.CONFIRMED)):
        raced = facts.raced(remedy, 0.9, details={"lowest_validation_loss": before.sign("lowest_validation_loss") - share * fall})
        assert raced.judged(CAUSE).standing is standing
    for _, _, others in suspects(before, "fit"):
        for other in others:
            facts = facts.raced(other, 0.0)
    settled, alone = (facts.raced(remedy, 0.9, details=d) for d in ({}, {"lowest_validation_loss": before.sign("lowest_validation_loss")}))
    question = next_question(alone.evidence, 20.0)
    assert question is not None and question != next_question(settled.evidence, 20.0), "the search goes on"


def test_stays_silent_on_a_sound_training(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_a_lower_rate_that_helps_says_nothing_of_a_higher_one(facts: Facts) -> None:
    facts = facts.underfitted()
    lower = facts.remedies("learning-rate-too-high")[0]
    assert facts.raced(lower, 0.9).judged(CAUSE).standing is Standing.UNDECIDED


def test_declines_when_the_race_was_not_run(facts: Facts) -> None:
    finding = facts.underfitted().baseline(median_update_ratio=RATIO_FULL).judged(CAUSE)
    assert finding.standing is Standing.UNDECIDED
    assert "not run" in finding.summary and finding.remedies


def test_the_sign_is_a_tiny_update(facts: Facts) -> None:
    signs = [rule(CAUSE).sign(facts.baseline(median_update_ratio=ratio).reading) for ratio in (RATIO_NONE, RATIO_FULL, 0.0)]
    assert signs[0] < 0.1 and signs[1] == SYMPTOM
    assert rule(CAUSE).sign(facts.diverged().reading) == 0
