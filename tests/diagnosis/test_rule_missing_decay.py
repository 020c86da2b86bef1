from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis import next_question
from traindx.diagnosis.procedure import DIRECT_MARGIN, HIDDEN_MARGIN, OF_LOSS
from traindx.diagnosis.rules.base import SYMPTOM
from traindx.diagnosis.rules.missing_decay import COSINE_FULL, COSINE_NONE, GAIN_BEYOND, GAIN_FULL, GAIN_NONE, JUMPS_FULL, JUMPS_NONE

CAUSE = "missing-decay"


def constant_rate(facts: Facts) -> Facts:
    """A constant rate, and late gradients that are at right angles."""
    return facts.underfitted().put("audit", "schedule", 0.0, text="constant").baseline(late_gradient_cosine=COSINE_NONE)


def opposed(facts: Facts) -> Facts:
    return constant_rate(facts).baseline(late_gradient_cosine=2 * COSINE_FULL)


def jumping(facts: Facts, share: float = 2 * JUMPS_FULL) -> Facts:
    facts = constant_rate(facts)
    return facts.baseline(late_jumps=share * facts.reading.train)


def averaged(facts: Facts, training: float, validation: float) -> Facts:
    """What the mean of the late weights gains, in shares of the distance."""
    gains = {"averaging_gains_train_loss": training, "averaging_gains_validation_loss": validation}
    return facts.baseline(**{name: share * facts.reading.distance for name, share in gains.items()})


def test_fires_when_a_falling_rate_recovers_the_gap(facts: Facts) -> None:
    fires(opposed(facts), CAUSE, "set-schedule")
    fires(jumping(facts), CAUSE, "set-schedule")
    assert sign(opposed(facts), CAUSE) == sign(jumping(facts), CAUSE) == SYMPTOM


def test_stays_silent_on_a_loss_that_settles(facts: Facts) -> None:
    is_silent(constant_rate(facts), CAUSE)
    is_silent(jumping(facts, JUMPS_NONE), CAUSE)


def test_the_mean_of_the_late_weights_is_a_direct_sign(facts: Facts) -> None:
    assert sign(averaged(constant_rate(facts), GAIN_FULL, 0.0), CAUSE) == 1.0
    is_silent(averaged(constant_rate(facts), GAIN_NONE, GAIN_FULL), CAUSE)
    fires(averaged(constant_rate(facts), GAIN_FULL, 0.0), CAUSE, "set-schedule")


def test_where_training_is_not_large_both_must_gain_and_references_be_better(facts: Facts) -> None:
    settled = facts.put("audit", "schedule", 0.0, text="constant").baseline(late_gradient_cosine=COSINE_NONE)
    above = settled.baseline(validation_loss=settled.reading.reachable + 0.05 * settled.reading.distance)
    question = next_question(averaged(above, GAIN_FULL, GAIN_FULL).evidence, 8.0)
    assert question is not None and [r.id for r in question.remedies] == ["set-schedule"]
    assert sign(averaged(above, GAIN_NONE, GAIN_FULL), CAUSE) == sign(averaged(above, GAIN_FULL, GAIN_NONE), CAUSE) == 0.0
    below = settled.baseline(validation_loss=settled.reading.reachable)
    assert sign(averaged(below, GAIN_FULL, GAIN_FULL), CAUSE) == 0.0
    assert sign(averaged(below, GAIN_BEYOND, GAIN_BEYOND), CAUSE) == 1.0, "a noise floor shows even below all references"


def test_of_a_small_loss_a_share_is_enough(facts: Facts) -> None:
    constant = facts.put("audit", "schedule", 0.0, text="constant").baseline(late_gradient_cosine=COSINE_FULL)
    for loss, margin in ((0.1, DIRECT_MARGIN), (0.5, None), (0.8, HIDDEN_MARGIN)):
        small = constant.baseline(train_loss=loss, validation_loss=loss, lowest_validation_loss=loss)
        for name in ("linear", "nearest-neighbours", "gradient-boosting"):
            small = small.put("references", "out_of_fold_loss", 0.95 * loss, name)
        question = next_question(small.evidence, 8.0)
        assert question is not None and [r.id for r in question.remedies] == ["set-schedule"]
        asked = (loss - float(question.params["goal"])) / (2 * small.reading.distance)
        assert asked == pytest.approx(margin if margin else OF_LOSS * loss / small.reading.distance)


def test_where_rows_were_learned_by_heart_it_comes_last(facts: Facts) -> None:
    for name, loss in (("linear", 0.7), ("nearest-neighbours", 0.9), ("gradient-boosting", 0.6)):
        facts = facts.put("references", "out_of_fold_loss", loss, name)
    heart = averaged(facts.put("audit", "schedule", 0.0, text="constant").overfitted(), GAIN_FULL, GAIN_FULL)
    asked = []
    while (question := next_question(heart.evidence, 50.0)) is not None and len(asked) < 20:
        asked.append(question)
        heart = heart.put(question.experiment, "asked", 0.0)
        for ref in question.remedies:
            heart = heart.raced(ref, 0.0, "validation_loss", details={"least_effect": -1.0})
    assert [r.id for r in asked[-1].remedies] == ["set-schedule"]
    assert "divisions" in [question.experiment for question in asked[:-1]]


def test_stays_silent_where_the_rate_falls_or_the_training_diverged(facts: Facts) -> None:
    is_silent(opposed(facts).put("audit", "schedule", 1.0, text="cosine"), CAUSE)
    is_silent(opposed(facts).diverged(), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(opposed(facts), CAUSE)
