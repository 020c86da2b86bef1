from __future__ import annotations

import pytest
from evidence_by_hand import Facts

from traindx.diagnosis.reading import MARGIN
from traindx.records import Branch, Standing

CAUSE = "too-little-data"
SEEDS = (0, 1, 2)


@pytest.fixture
def gap(facts: Facts) -> Facts:
    """Validation is worse than training; the learning curve was not measured."""
    return facts.overfitted().without("learning_curve")


def test_fires_when_the_last_doubling_gained_much(gap: Facts) -> None:
    much = 3 * MARGIN * gap.reading.distance
    finding = gap.put("learning_curve", "gain_of_doubling", much, seeds=SEEDS).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OVERFITTING)
    assert finding.evidence[0].threshold == pytest.approx(MARGIN * gap.reading.distance)


def test_suspects_when_divisions_disagree(gap: Facts) -> None:
    much = 3 * MARGIN * gap.reading.distance
    assert (
        gap.put("learning_curve", "gain_of_doubling", much, low=-much, high=3 * much, seeds=SEEDS).judged(CAUSE).standing
        is Standing.SUSPECTED
    )


def test_suspects_on_one_division(gap: Facts) -> None:
    much = 3 * MARGIN * gap.reading.distance
    assert gap.put("learning_curve", "gain_of_doubling", much, seeds=(0,)).judged(CAUSE).standing is Standing.SUSPECTED


def test_stays_silent_where_rows_are_not_learned_by_heart(gap: Facts) -> None:
    much = 3 * MARGIN * gap.reading.distance
    facts = gap.put("learning_curve", "gain_of_doubling", much, seeds=SEEDS).baseline(train_loss=1.0)
    assert facts.put("references", "out_of_fold_loss", 1.0, "gradient-boosting").judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_the_last_doubling_gained_little(gap: Facts) -> None:
    assert gap.put("learning_curve", "gain_of_doubling", 0.1 * MARGIN).judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_where_training_and_validation_agree(facts: Facts) -> None:
    finding = facts.without("learning_curve").judged(CAUSE)
    assert finding.standing is Standing.CLEARED
    assert "0.2 and 0.15" in finding.summary and "above training" in finding.summary


def test_a_validation_set_that_is_easier_is_told_as_it_is(facts: Facts) -> None:
    finding = facts.without("learning_curve").baseline(train_loss=0.2, validation_loss=0.05, lowest_validation_loss=0.05).judged(CAUSE)
    assert finding.standing is Standing.CLEARED and "below training" in finding.summary


def test_a_gap_where_validation_is_at_what_is_reachable_is_left_open(facts: Facts) -> None:
    gap = facts.without("learning_curve").baseline(train_loss=0.01, validation_loss=0.35, lowest_validation_loss=0.35)
    finding = gap.judged(CAUSE)
    assert finding.standing is Standing.UNDECIDED and "not measured" in finding.summary and "budget" not in finding.summary


def test_declines_when_rows_are_too_few_to_be_halved(gap: Facts) -> None:
    finding = gap.refused("learning_curve", "30 rows are too few to be halved").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "30 rows are too few to be halved")


def test_declines_when_the_curve_was_not_measured(gap: Facts) -> None:
    assert gap.judged(CAUSE).standing is Standing.UNDECIDED
