from __future__ import annotations

import pytest
from evidence_by_hand import Facts
from standings import declines, fires, is_silent, sign

from traindx.diagnosis.rules.wrong_output_activation import CONFINED, CONFINING, OUT_OF_REACH, OUTSIDE_FULL, OUTSIDE_NONE
from traindx.records import Standing

CAUSE = "wrong-output-activation"


def beyond(facts: Facts, share: float = 2 * OUTSIDE_FULL) -> Facts:
    """A regression, this share of whose targets the outputs cannot reach."""
    facts = facts.underfitted().without("audit", "outputs_are_probabilities")
    return facts.audit(targets_out_of_reach=share, output_activation="tanh")


def test_fires_when_a_linear_output_recovers_the_gap(facts: Facts) -> None:
    fires(beyond(facts), CAUSE, "linear-output")


@pytest.mark.parametrize("activation", CONFINING)
def test_fires_on_confined_logits(facts: Facts, activation: str) -> None:
    facts = facts.underfitted().audit(output_activation=activation)
    assert sign(facts, CAUSE) == CONFINED
    fires(facts, CAUSE, "linear-output")


def test_stays_silent_on_targets_within_reach(facts: Facts) -> None:
    is_silent(beyond(facts, OUTSIDE_NONE), CAUSE)
    is_silent(facts.underfitted(), CAUSE)


def test_leaves_probabilities_to_their_own_rule(facts: Facts) -> None:
    is_silent(facts.underfitted().audit(output_activation="softmax", outputs_are_probabilities=1), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(beyond(facts, 0.9 * OUTSIDE_FULL), CAUSE)


def test_targets_out_of_reach_are_told_where_the_network_cannot_be_changed(facts: Facts) -> None:
    facts = beyond(facts)
    told = facts.race_refused(facts.remedies(CAUSE), "the model refuses").judged(CAUSE)
    assert (told.standing, told.confidence) == (Standing.UNDECIDED, OUT_OF_REACH)
    assert told.summary == "signs point to it; no experiment can be made: the model refuses"
