from __future__ import annotations

import pytest
from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "missing-augmentation"


def seen(facts: Facts, shifted: float, mirrored: float = 3.0) -> Facts:
    """The trained network's losses on images as they are, shifted and mirrored."""
    for measure, value in (("loss", 1.5), ("shifted_loss", shifted), ("mirrored_loss", mirrored)):
        facts = facts.put("consistency", measure, value, details={"pixels": 2, "side": 28})
    return facts


@pytest.fixture
def images(facts: Facts) -> Facts:
    """An overfitted network whose predictions change when images are shifted."""
    return seen(facts.overfitted(), 2.8)


def test_fires_when_moved_images_recover_the_gap(images: Facts) -> None:
    (remedy,) = images.remedies(CAUSE)
    assert remedy.params == {"shift": 4, "mirror": False}
    finding = images.raced(remedy, 0.9, "validation_loss").judged(CAUSE)
    assert (finding.standing, finding.branch, finding.remedies) == (Standing.CONFIRMED, Branch.OVERFITTING, (remedy,))


def test_mirrors_where_mirror_images_cost_no_more_than_shifts(facts: Facts) -> None:
    (remedy,) = seen(facts.overfitted(), 2.8, mirrored=2.0).remedies(CAUSE)
    assert remedy.params["mirror"] is True


def test_suspects_when_one_seed_did_not_gain(images: Facts) -> None:
    (remedy,) = images.remedies(CAUSE)
    assert images.raced(remedy, 0.9, "validation_loss", low=-0.1).judged(CAUSE).standing is Standing.SUSPECTED


def test_stays_silent_when_shifts_change_little(facts: Facts) -> None:
    facts = seen(facts.overfitted(), 1.55)
    assert not facts.remedies(CAUSE) and rule(CAUSE).sign(facts.reading) == 0
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_declines_without_images(facts: Facts) -> None:
    finding = facts.refused("consistency", "inputs are not images").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.CLEARED, "inputs are not images")
