from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.missing_nonlinearity import AFFINE, LAYERS
from traindx.records import Branch, Standing

CAUSE = "missing-nonlinearity"


def affine(facts: Facts, distance: float = AFFINE / 100, layers: int = LAYERS) -> Facts:
    """Layers with weights, and how far fresh ones are from one affine map."""
    return facts.put("audit", "distance_from_affine", distance, details={"weight_layers": layers})


def test_fires_plainly_on_layers_that_are_one_affine_map(facts: Facts) -> None:
    finding = affine(facts, layers=3).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.MODEL_BIAS)
    assert [ref.id for ref in finding.remedies] == ["insert-activations"]
    assert "3 layers" in finding.summary
    assert finding.evidence[0].threshold == AFFINE


def test_stays_silent_on_a_single_bend(facts: Facts) -> None:
    assert rule(CAUSE).seen(affine(facts, AFFINE).reading) is None
    assert facts.underfitted().judged(CAUSE).standing is Standing.CLEARED


def test_stays_silent_on_a_linear_model(facts: Facts) -> None:
    assert affine(facts, layers=LAYERS - 1).judged(CAUSE).standing is Standing.CLEARED


def test_declines_on_models_that_could_not_be_tested(facts: Facts) -> None:
    assert affine(facts).without("audit", "distance_from_affine").judged(CAUSE).standing is Standing.CLEARED
