from __future__ import annotations

import math

import pytest
from evidence_by_hand import Facts

from traindx.diagnosis import next_question
from traindx.diagnosis.rules.class_imbalance import MEAN_GAIN, RARE, RARE_GAIN, RATIO
from traindx.records import Branch, Standing

CAUSE = "class-imbalance"


@pytest.fixture
def rare(facts: Facts) -> Facts:
    """A rare class that lags behind."""
    return facts.audit(class_ratio=3 * RATIO).put("class_balance", "rare_recall", 0.1, details={"others": 0.9})


def gained(facts: Facts, mean: float, risen: float, low: float | None = None) -> Facts:
    low = mean / 2 if low is None else low
    return facts.put("class_balance", "recall_gain", mean, low=low, details={"before": 0.1, "after": 0.1 + risen})


def test_fires_when_balanced_classes_are_recalled_better(rare: Facts) -> None:
    finding = gained(rare, 2 * MEAN_GAIN, 2 * RARE_GAIN).judged(CAUSE)
    assert (finding.standing, finding.branch) == (Standing.CONFIRMED, Branch.DATA)
    assert [r.id for r in finding.remedies] == ["balance-classes"]


@pytest.mark.parametrize(("mean", "risen", "low"), [(0.0, 0.5, -0.1), (0.1, 0.01, 0.05), (0.1, 0.5, -0.01)])
def test_stays_silent_when_the_others_pay_or_seeds_disagree(rare: Facts, mean: float, risen: float, low: float) -> None:
    assert gained(rare, mean, risen, low).judged(CAUSE).standing is Standing.CLEARED


@pytest.mark.parametrize(("before", "standing"), [(0.02, Standing.CONFIRMED), (0.21, Standing.CLEARED)])
def test_a_class_that_is_not_that_rare_must_go_ignored(facts: Facts, before: float, standing: Standing) -> None:
    facts = facts.audit(class_ratio=(RATIO + RARE) / 2).put("class_balance", "rare_recall", before, details={"others": 0.99})
    details = {"before": before, "after": before + 0.55, "others": 0.99, "rows": 71.0}
    assert facts.put("class_balance", "recall_gain", 0.2, low=0.14, details=details).judged(CAUSE).standing is standing


def test_stays_silent_on_classes_of_like_size_and_on_rare_ones_that_are_learned(facts: Facts, rare: Facts) -> None:
    assert facts.audit(class_ratio=1.5).judged(CAUSE).standing is Standing.CLEARED
    assert rare.judged(CAUSE).standing is Standing.CLEARED


def test_is_asked_where_a_class_is_rare(facts: Facts) -> None:
    question = next_question(facts.audit(class_ratio=3 * RATIO).evidence, 8.0)
    assert question is not None and question.experiment == "class_balance"


def test_declines_without_classes_or_rows_of_them(facts: Facts) -> None:
    assert facts.judged(CAUSE).standing is Standing.NOT_APPLICABLE
    few = facts.audit(class_ratio=3 * RATIO).put("class_balance", "not-applicable", math.nan, text="too few rows")
    assert few.judged(CAUSE).standing is Standing.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("others", "rows", "standing"), [(0.95, 8.0, Standing.CONFIRMED), (0.95, 3.0, Standing.CLEARED), (0.5, 8.0, Standing.CLEARED)]
)
def test_classes_of_a_handful_of_rows_go_unlearned_whichever_way_they_are_drawn(
    rare: Facts, others: float, rows: float, standing: Standing
) -> None:
    details = {"before": 0.0, "after": 0.1, "others": others, "rows": rows}
    facts = rare.put("class_balance", "recall_gain", 0.01, low=-0.02, details=details)
    assert facts.judged(CAUSE).standing is standing
