"""The yardsticks: the constant predictor, what is reachable, and the distance between them."""

from __future__ import annotations

import math

import pytest
from evidence_by_hand import CONSTANT, NOISE, REACHABLE, Facts

from traindx.diagnosis import next_question
from traindx.diagnosis.reading import LEAST_DISTANCE, LEFT, MARGIN, REFERENCES, Reading
from traindx.records import RemedyRef

DISTANCE = CONSTANT - REACHABLE


def _no_reference_beats_the_constant(facts: Facts, loss: float = CONSTANT) -> Facts:
    for name in REFERENCES:
        facts = facts.put("references", "out_of_fold_loss", loss, name)
    return facts


def test_the_yardsticks_of_a_healthy_training(facts: Facts) -> None:
    reading = facts.reading
    assert reading.constant == CONSTANT
    assert reading.reachable == REACHABLE
    assert reading.best_reference is not None and reading.best_reference.subject == "gradient-boosting"
    assert reading.distance == pytest.approx(DISTANCE)
    assert reading.share(DISTANCE / 2) == pytest.approx(0.5)
    assert not reading.training_is_large and not reading.broken and not reading.learned_nothing


def test_what_the_network_reached_in_validation_counts_as_possible_too(facts: Facts) -> None:
    assert facts.baseline(lowest_validation_loss=0.05).reading.distance == pytest.approx(CONSTANT - 0.05)


# --- Is the training loss large? ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("above", "large"), [(2 * MARGIN, True), (MARGIN / 4, False)])
def test_training_is_large_above_reachable_by_margin(facts: Facts, above: float, large: bool) -> None:
    loss = REACHABLE + above * DISTANCE
    assert facts.baseline(train_loss=loss, validation_loss=loss).reading.training_is_large is large


def test_training_is_not_large_within_the_noise(facts: Facts) -> None:
    loss = REACHABLE + 2 * MARGIN * DISTANCE
    noisy = facts.baseline(validation_loss=loss).put("baseline", "train_loss", loss, low=loss - DISTANCE, high=loss + DISTANCE)
    assert not noisy.reading.training_is_large


def test_training_at_the_constant_predictor_is_large(facts: Facts) -> None:
    assert facts.underfitted(CONSTANT).reading.training_is_large


def test_training_is_not_large_where_no_reference_beats_the_constant(facts: Facts) -> None:
    hard = _no_reference_beats_the_constant(facts).underfitted(CONSTANT).reading
    assert not hard.references_beat_constant
    assert not hard.training_is_large
    assert hard.distance >= LEAST_DISTANCE * CONSTANT


def test_without_references_training_is_large_when_nothing_was_learned(facts: Facts) -> None:
    bare = facts.without("references")
    assert bare.reading.best_reference is None
    assert bare.reading.constant == bare.reading.sign("initial_loss"), "a fresh model stands in for the constant predictor"
    assert not bare.reading.training_is_large
    assert bare.underfitted(CONSTANT).reading.training_is_large


def test_a_reference_that_failed_is_none(facts: Facts) -> None:
    facts = facts.put("references", "out_of_fold_loss", math.nan, "gradient-boosting")
    assert facts.put("references", "out_of_fold_loss", math.inf, "linear").reading.reachable == pytest.approx(0.4)


# --- Broken runs and numbers that are missing --------------------------------------------------------------------------------------


def test_a_diverged_baseline_is_broken_and_learned_nothing(facts: Facts) -> None:
    reading = facts.diverged().reading
    assert reading.broken and reading.training_is_large and reading.learned_nothing
    assert math.isfinite(reading.train) and math.isfinite(reading.validation), "shares need finite losses"
    assert math.isfinite(reading.fit_excess) and reading.fit_excess >= 1 - 1e-9
    assert not reading.test_harm_is_real


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_loss_that_is_no_number_is_broken(facts: Facts, loss: float) -> None:
    assert facts.baseline(train_loss=loss).reading.broken


def test_no_evidence_is_nan_and_not_an_error() -> None:
    reading = Reading([])
    assert reading.broken and reading.outcome == "" and not reading.asked("audit")
    assert all(math.isnan(v) for v in (reading.constant, reading.reachable, reading.sign("updates"), reading.test_harm))
    assert reading.best_reference is None


def test_what_was_not_measured_is_nan(facts: Facts) -> None:
    reading = facts.without("two_sample").reading
    assert math.isnan(reading.test_harm) and not reading.test_harm_is_real
    assert math.isnan(reading.value("audit", "no such measure"))


# --- Validation and test -----------------------------------------------------------------------------------------------------------


def test_excess_gap_and_rise_are_shares_of_the_distance(facts: Facts) -> None:
    reading = facts.baseline(train_loss=0.1, validation_loss=1.25, lowest_validation_loss=REACHABLE).reading
    assert reading.validation_excess == pytest.approx((1.25 - REACHABLE) / DISTANCE)
    assert reading.generalization_gap == pytest.approx((1.25 - 0.1) / DISTANCE)
    assert reading.late_rise == pytest.approx((1.25 - REACHABLE) / DISTANCE)


def test_a_gap_alone_is_no_excess(facts: Facts) -> None:
    reading = facts.baseline(train_loss=0.0, validation_loss=REACHABLE, lowest_validation_loss=REACHABLE).reading
    assert reading.generalization_gap > 0 and reading.validation_excess <= MARGIN


def test_harm_counts_beyond_margin_and_noise(facts: Facts) -> None:
    worse = facts.reading.validation + 2 * MARGIN * DISTANCE
    assert facts.put("two_sample", "test_loss", worse).reading.test_harm_is_real
    assert not facts.put("two_sample", "test_loss", worse, low=worse - DISTANCE, high=worse + DISTANCE).reading.test_harm_is_real
    assert not facts.put("two_sample", "test_loss", facts.reading.validation + MARGIN * DISTANCE / 2).reading.test_harm_is_real
    assert NOISE < MARGIN * DISTANCE


# --- What a race showed ------------------------------------------------------------------------------------------------------------


def test_factors_on_one_side_of_1_are_one_family(facts: Facts) -> None:
    higher, lower = (RemedyRef(id="scale-rate", params={"factor": f}) for f in (10.0, 0.1))
    facts = facts.underfitted().raced(higher.replace(params={"factor": 100.0}), 0.6)
    found = facts.reading.raced(higher)
    assert found is not None and found.value == pytest.approx(0.6)
    assert facts.reading.raced(lower) is None


def test_other_parameters_must_agree(facts: Facts) -> None:
    facts = facts.underfitted().raced(RemedyRef(id="widen", params={"factor": 8, "layer": "2"}), 0.6)
    assert facts.reading.raced(RemedyRef(id="widen", params={"factor": 4, "layer": "2"})) is not None
    assert facts.reading.raced(RemedyRef(id="widen", params={"factor": 4, "layer": ""})) is None


def test_a_loss_of_any_level_is_read_above_the_least_there_is(facts: Facts) -> None:
    moved = facts
    for (experiment, measure, subject), item in {(e.experiment, e.measure, e.subject): e for e in facts.evidence}.items():
        if measure.endswith("loss") and experiment in ("baseline", "references"):
            moved = moved.put(experiment, measure, item.value - 40.0, subject)
    moved = moved.put("references", "out_of_fold_loss", -40.0, "targets")
    here, there = facts.reading, moved.reading
    assert there.distance == pytest.approx(here.distance)
    assert (there.learned_nothing, there.references_beat_constant, there.training_is_large) == (False, True, False)
    assert moved.baseline(train_loss=CONSTANT - 40.01).reading.learned_nothing


def test_learned_by_rote_is_far_below_validation_though_no_reference_does_better(facts: Facts) -> None:
    rote = facts.baseline(train_loss=0.0001, validation_loss=1.3, lowest_validation_loss=1.3)
    for name in ("linear", "nearest-neighbours", "gradient-boosting"):
        rote = rote.put("references", "out_of_fold_loss", 1.4, name)
    assert rote.reading.by_rote and not rote.reading.overfits
    question = next_question(rote.without("divisions").evidence, 20.0)
    assert question is not None and question.experiment == "divisions"
    assert not rote.baseline(train_loss=0.5).reading.by_rote, "it forgot some"
    learned = rote.baseline(validation_loss=0.9 * LEFT * CONSTANT, lowest_validation_loss=0.9 * LEFT * CONSTANT)
    assert not learned.reading.by_rote, "little is left to gain, seen from the constant predictor"
    question = next_question(learned.evidence, 20.0)
    assert question is None or question.experiment not in ("learning_curve", "constraints")
    assert not facts.baseline(train_loss=0.0001).reading.by_rote, "the gap is small beside the distance"
