from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.over_regularized import DECAY_FULL, DECAY_NONE, DROPOUT_FULL, DROPOUT_NONE, SHRINK_FULL, SHRINK_NONE
from traindx.records import Branch

CAUSE = "over-regularized"


def shrinking(facts: Facts, exponent: float, optimizer: str = "adamw") -> Facts:
    """A decay that alone would shrink the weights by this exponent."""
    steps = facts.reading.sign("mean_learning_rate") * facts.reading.value("audit", "planned_updates")
    return facts.underfitted().audit(optimizer=optimizer, weight_decay=exponent / steps)


STRONG = {
    "decay in the gradient": lambda facts: facts.underfitted().audit(weight_decay=2 * DECAY_FULL),
    "decay apart from it": lambda facts: shrinking(facts, 2 * SHRINK_FULL),
    "dropout": lambda facts: facts.underfitted().audit(dropout=DROPOUT_FULL),
}


@pytest.mark.parametrize("strong", STRONG)
def test_fires_when_taking_it_away_recovers_the_gap(facts: Facts, strong: str) -> None:
    fires(STRONG[strong](facts), CAUSE, "remove-regularization", branch=Branch.MODEL_BIAS)


def test_stays_silent_on_usual_strengths(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)
    is_silent(shrinking(facts, SHRINK_NONE), CAUSE)
    is_silent(facts.underfitted().baseline(mean_learning_rate=1e-6).audit(weight_decay=DECAY_NONE, dropout=DROPOUT_NONE), CAUSE)


def test_a_decay_apart_from_the_gradient_counts_by_what_it_shrinks(facts: Facts) -> None:
    gentle = facts.underfitted().baseline(mean_learning_rate=1e-6).audit(weight_decay=2 * DECAY_FULL)
    is_silent(gentle.audit(optimizer="adamw"), CAUSE)
    assert sign(gentle.audit(optimizer="adam"), CAUSE) == 1


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(facts.underfitted().audit(dropout=DROPOUT_FULL), CAUSE)
