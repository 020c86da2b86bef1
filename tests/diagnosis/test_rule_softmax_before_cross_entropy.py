from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

CAUSE = "softmax-before-cross-entropy"


def confined(facts: Facts) -> Facts:
    """Outputs are probabilities, whatever the input."""
    return facts.underfitted().audit(outputs_are_probabilities=1, output_activation="softmax")


def test_fires_when_logits_recover_the_gap(facts: Facts) -> None:
    fires(confined(facts), CAUSE, "linear-output")


def test_stays_silent_on_logits(facts: Facts) -> None:
    is_silent(facts, CAUSE)
    is_silent(facts.underfitted(), CAUSE)


def test_stays_silent_where_the_loss_expects_probabilities(facts: Facts) -> None:
    is_silent(facts.without("audit", "outputs_are_probabilities").audit(output_activation="softmax"), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(confined(facts), CAUSE)


def test_the_sign_does_not_wait_for_the_loss_to_be_large(facts: Facts) -> None:
    assert sign(facts.audit(outputs_are_probabilities=1), CAUSE) == 1
