from __future__ import annotations

from evidence_by_hand import Facts
from standings import declines, fires, is_silent

from traindx.diagnosis.rules.wrong_loss import NAMING
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


def test_fires_where_a_regression_is_made_of_names(facts: Facts) -> None:
    named = facts.put("class_index", "gain_of_naming", 0.5, low=2 * NAMING, high=0.6, details={"named": 0.9, "rounded": 0.4})
    assert named.judged(CAUSE).standing is Standing.CONFIRMED


def test_stays_silent_where_a_regression_is_made_of_grades(facts: Facts) -> None:
    graded = facts.put("class_index", "gain_of_naming", 0.05, low=0.0, high=0.1, details={"named": 0.5, "rounded": 0.45})
    assert graded.judged(CAUSE).standing is not Standing.CONFIRMED
