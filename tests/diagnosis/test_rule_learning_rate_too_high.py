from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.base import SYMPTOM
from traindx.diagnosis.rules.learning_rate_too_high import COSINE_FULL, RATIO_FULL, SPIKE_FULL
from traindx.records import Branch, Standing

CAUSE = "learning-rate-too-high"


def _sign(facts: Facts) -> float:
    return rule(CAUSE).sign(facts.reading)


def test_fires_when_a_lower_rate_trains_what_diverged(facts: Facts) -> None:
    facts = facts.diverged()
    finding = facts.raced(facts.remedies(CAUSE)[0], 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.OPTIMIZATION)
    assert finding.remedies[0].id == "scale-rate" and float(finding.remedies[0].params["factor"]) < 1
    assert {"recovered", "outcome"} <= {e.measure for e in finding.evidence}


def test_stays_silent_on_a_sound_training(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_when_lower_rates_change_nothing(facts: Facts) -> None:
    facts = facts.underfitted()
    assert facts.raced(facts.remedies(CAUSE)[0], 0.0).judged(CAUSE).standing is Standing.CLEARED


def test_declines_when_the_rate_cannot_be_scaled(facts: Facts) -> None:
    facts = facts.underfitted()
    finding = facts.race_refused(facts.remedies(CAUSE), "the learning rate is zero").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "the learning rate is zero")


def test_signs_are_divergence_spikes_large_updates_and_opposed_gradients(facts: Facts) -> None:
    initial = facts.reading.sign("initial_loss")
    assert _sign(facts) < 0.1
    assert _sign(facts.diverged()) == SYMPTOM
    assert _sign(facts.baseline(highest_batch_loss=SPIKE_FULL * initial)) == SYMPTOM
    assert _sign(facts.baseline(median_update_ratio=RATIO_FULL)) == SYMPTOM
    assert _sign(facts.baseline(late_gradient_cosine=COSINE_FULL)) > 0.5 * SYMPTOM
