from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.records import Branch, Standing

CAUSE = "trained-too-long"


def test_fires_when_stopping_at_the_lowest_point_recovers_the_gap(facts: Facts) -> None:
    facts = facts.overfitted()
    finding = facts.raced(facts.remedies(CAUSE)[0], 0.9, "validation_loss").judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OVERFITTING)
    assert [r.id for r in finding.remedies] == ["stop-early"]


def test_suspects_when_one_seed_did_not_gain(facts: Facts) -> None:
    facts = facts.overfitted()
    assert facts.raced(facts.remedies(CAUSE)[0], 0.9, "validation_loss", low=-0.1).judged(CAUSE).standing is Standing.SUSPECTED


def test_stays_silent_when_validation_ends_at_its_lowest_point(facts: Facts) -> None:
    finding = facts.judged(CAUSE)
    assert finding.standing is Standing.CLEARED and not facts.remedies(CAUSE)
    assert "lowest point" in finding.summary


def test_declines_when_the_race_was_not_run(facts: Facts) -> None:
    facts = facts.overfitted()
    assert rule(CAUSE).sign(facts.reading) == 1
    finding = facts.judged(CAUSE)
    assert finding.standing is Standing.UNDECIDED and "not run" in finding.summary


def test_patience_grows_with_the_epochs(facts: Facts) -> None:
    patience = [facts.overfitted().baseline(epochs=epochs).remedies(CAUSE)[0].params["patience"] for epochs in (5.0, 500.0)]
    assert 1 <= int(patience[0]) < int(patience[1]) < 500
