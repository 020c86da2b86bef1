from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent

from traindx.records import Branch, Standing

CAUSE = "wrong-loss"


def distance(facts: Facts) -> Facts:
    """A distance between class probabilities."""
    return facts.underfitted().audit(distance_on_classes=1)


def test_fires_when_cross_entropy_recovers_the_gap(facts: Facts) -> None:
    fires(distance(facts), CAUSE, "proper-loss")


def test_fires_plainly_on_a_loss_that_expects_something_else(facts: Facts) -> None:
    finding = facts.audit(not_what_the_loss_expects="the loss expects logarithms").judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert finding.summary == "the loss expects logarithms"


def test_what_is_seen_plainly_names_its_remedy(facts: Facts) -> None:
    finding = facts.audit(not_what_the_loss_expects="the loss expects logarithms").judged(CAUSE)
    assert [ref.id for ref in finding.remedies] == ["proper-loss"]


def test_stays_silent_on_a_loss_for_classes(facts: Facts) -> None:
    is_silent(facts.underfitted(), CAUSE)


def test_declines_without_an_experiment_that_shows_it(facts: Facts) -> None:
    declines(distance(facts), CAUSE)
