"""Loops with defects and their correct twins: the defect on top and in time, nothing on the twin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from watched_loops import TRIALS, Trial

WITHIN = 50


@pytest.mark.parametrize("trial", TRIALS, ids=lambda t: t.name)
@pytest.mark.filterwarnings("ignore:Using a target size", "ignore:Detected call of")
def test_the_defect_is_on_top_and_its_twin_gives_no_finding(trial: Trial) -> None:
    w = trial.defective.run()
    assert [f.cause for f in w.findings][:1] == [trial.cause]
    seen = w.findings[0].evidence[0]
    assert trial.needs_epochs or (seen.step is not None and seen.step <= trial.since + WITHIN)
    assert "what would settle it" in w.findings[0].summary
    assert [f.cause for f in trial.twin.run().findings] == []
