from __future__ import annotations

import pytest
from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.bottleneck import NARROW_FULL, NARROW_NONE
from traindx.records import Branch, RemedyRef, Standing

CAUSE = "bottleneck"


@pytest.fixture
def narrow(facts: Facts) -> Facts:
    """The layer named 2 is much narrower than both of its neighbours."""
    return facts.underfitted().put("audit", "narrowing", NARROW_FULL, "2", details={"width": 4, "inputs": 32, "after": 32})


def test_fires_when_the_widened_layer_trains_lower(narrow: Facts) -> None:
    finding = narrow.raced(narrow.remedies(CAUSE)[0], 0.9).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.MODEL_BIAS)
    assert finding.remedies[0].params["layer"] == "2"
    assert "narrowing" in {e.measure for e in finding.evidence}


def test_all_layers_widened_say_nothing_of_the_one(narrow: Facts) -> None:
    everywhere = RemedyRef(id="widen", params={"factor": 4, "layer": ""})
    assert narrow.raced(everywhere, 0.9).judged(CAUSE).standing is not Standing.CONFIRMED


def test_stays_silent_without_a_narrow_layer(facts: Facts) -> None:
    facts = facts.underfitted()
    assert facts.judged(CAUSE).standing is Standing.CLEARED and not facts.remedies(CAUSE)


def test_declines_on_a_pretrained_model(narrow: Facts) -> None:
    finding = narrow.race_refused(narrow.remedies(CAUSE), "the factory returns pretrained weights").judged(CAUSE)
    assert (finding.standing, finding.summary) == (Standing.NOT_APPLICABLE, "the factory returns pretrained weights")


def test_the_narrowest_layer_becomes_at_least_as_wide_as_its_neighbours(facts: Facts) -> None:
    facts = facts.put("audit", "narrowing", 10.0, "2").put("audit", "narrowing", NARROW_NONE + 1, "4")
    assert facts.remedies(CAUSE)[0].params["layer"] == "2"
    assert int(facts.remedies(CAUSE)[0].params["factor"]) >= 10
    assert rule(CAUSE).sign(facts.reading) == 1
