from __future__ import annotations

import pytest
from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.base import STRONG_SIGN, SYMPTOM
from traindx.diagnosis.rules.learning_rate_too_high import (
    COSINE_FULL,
    CURVATURE_FULL,
    CURVATURE_NONE,
    LOST_FULL,
    LOST_NONE,
    LOST_SIGN,
    RATIO_FULL,
    SPIKE_FULL,
    WEAK,
)
from traindx.records import Branch, Standing

CAUSE = "learning-rate-too-high"


def _sign(facts: Facts) -> float:
    return rule(CAUSE).sign(facts.reading)


def _curved(facts: Facts, share: float, subject: str, bound: float = 2.0) -> Facts:
    """Rate times largest eigenvalue is this share of the bound of stability."""
    return facts.put("critical_point", "rate_times_largest_eigenvalue", share * bound, subject, threshold=bound)


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


@pytest.mark.parametrize("subject", ["start", "end"])
def test_steps_too_long_for_the_curvature_are_a_sign_and_no_proof(facts: Facts, subject: str) -> None:
    stuck = facts.underfitted()
    steep = _curved(stuck, 2 * CURVATURE_FULL, subject, bound=3.8)
    assert _sign(steep) == WEAK * SYMPTOM < STRONG_SIGN
    finding = steep.raced(steep.remedies(CAUSE)[0], 0.0).judged(CAUSE)
    assert finding.standing is Standing.CLEARED
    assert "rate_times_largest_eigenvalue" in {e.measure for e in finding.evidence}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, CURVATURE_NONE])
def test_steps_at_the_edge_of_stability_are_no_sign(facts: Facts, share: float) -> None:
    assert _sign(_curved(facts, share, "end")) == _sign(facts)


def test_without_a_bound_the_curvature_is_not_read(facts: Facts) -> None:
    adam = facts.refused("critical_point", "the product with the Hessian is not finite")
    assert _sign(adam) == _sign(facts)
    assert adam.judged(CAUSE).evidence == facts.judged(CAUSE).evidence


def test_a_fall_that_is_lost_again_is_a_direct_sign(facts: Facts) -> None:
    assert _sign(facts.baseline(lost_again_share=LOST_NONE)) == _sign(facts)
    assert _sign(facts.baseline(lost_again_share=LOST_FULL)) == LOST_SIGN > SYMPTOM


def test_a_run_too_short_to_learn_anything_clears_nothing(facts: Facts) -> None:
    stuck = facts.underfitted()
    remedy = stuck.remedies(CAUSE)[0]
    for learned, standing in ((True, Standing.CLEARED), (False, Standing.UNDECIDED)):
        told = stuck.raced(remedy, 0.0, seeds=(0,), details={"share_of_training": 0.1, "learned": learned}).judged(CAUSE)
        assert told.standing is standing
    long = stuck.raced(remedy, 0.0, seeds=(0,), details={"share_of_training": 1.0, "learned": False}).judged(CAUSE)
    assert long.standing is Standing.CLEARED


def test_doubt_from_one_seed_is_not_put_on_other_seeds(facts: Facts) -> None:
    stuck = facts.underfitted()
    remedy = stuck.remedies(CAUSE)[0]
    one, three = (stuck.raced(remedy, 0.9, low=-0.1, high=1.9, seeds=seeds).judged(CAUSE).summary for seeds in ((0,), (0, 1, 2)))
    assert "seed" not in one and "the loss jumps by as much" in one
    assert three.endswith("but not on every seed")
