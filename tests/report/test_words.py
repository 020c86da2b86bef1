from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest
import records_by_hand as by_hand

from traindx import report
from traindx.diagnosis.rules import base
from traindx.records import Branch, Cost, Evidence, Finding, Standing
from traindx.report import words
from traindx.report.signs import SIGNS


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.21, "0.21"),
        (2.3026, "2.3"),
        (1437.0, "1437"),
        (1437.4, "1437"),
        (0.9999, "1"),
        (2.13e-5, "2.13e-5"),
        (-2e-4, "-2e-4"),
        (3.5e9, "3.5e9"),
        (math.nan, "not a number"),
        (math.inf, "infinity"),
        (-math.inf, "-infinity"),
    ],
)
def test_number(value: float, said: str) -> None:
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.934, "93%"),
        (1.0, "100%"),
        (0.0, "0%"),
        (0.9998, "over 99.9%"),
        (0.0001, "under 0.1%"),
        (0.004, "0.4%"),
        (0.995, "99.5%"),
        (1.03, "103%"),
        (-0.004, "0%"),
        (-0.02, "-2%"),
    ],
)
def test_percent(value: float, said: str) -> None:
    assert words.percent(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.4 s"), (12.2, "12 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (math.nan, "not a number")],
)
def test_duration(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_cost() -> None:
    assert words.cost(Cost(runs=3.1, seconds=12)) == "3.1 baseline runs, 12 s"
    assert words.cost(Cost(runs=1, seconds=4, baseline_seconds=2)) == "1 baseline run, 4.0 s; 2 times as long as one baseline run"


@pytest.mark.parametrize(("count", "said"), [(0, "never opened"), (1, "opened once"), (2, "opened twice"), (3, "opened 3 times")])
def test_openings(count: int, said: str) -> None:
    assert said in words.openings(count)
    assert ("widened" in words.openings(count)) == (count > 1)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (
            Evidence(experiment="references", measure="out_of_fold_loss", subject="nearest-neighbours", value=0.39, low=0.36, high=0.42),
            "Nearest neighbours: out-of-fold loss 0.39 (95% interval 0.36 to 0.42).",
        ),
        (
            Evidence(experiment="baseline", measure="train_loss", value=2.31, threshold=0.4),
            "The network's training loss is 2.31, above the threshold of 0.4.",
        ),
        (
            Evidence(experiment="reachable", measure="loss", value=0.21, subject="small-network"),
            "A loss of 0.21 is reachable on the same rows, as the small network shows.",
        ),
        (
            Evidence(experiment="two_sample", measure="auc", value=0.97, low=0.95, high=0.99, threshold=0.7),
            "A classifier tells test rows from training rows with an AUC of 0.97 (95% interval 0.95 to 0.99), "
            "above the threshold of 0.7; 0.5 is no difference.",
        ),
        (
            Evidence(experiment="learning_curve", measure="validation_loss", value=0.31, details={"share": 0.5}),
            "With 50% of the training rows the validation loss is 0.31.",
        ),
        (
            Evidence(
                experiment="intervention",
                measure="recovered",
                subject="adam",
                value=-0.2,
                low=-0.3,
                high=-0.1,
                details={"before": 1.0, "after": 1.2},
            ),
            "adam makes it worse by 20% of the gap to reachable (95% interval 10% to 30%): loss 1 before, 1.2 after.",
        ),
        (
            Evidence(experiment="audit", measure="duplicate_rows", subject="test", value=12, threshold=0),
            "Audit: duplicate rows of test is 12, above the threshold of 0.",
        ),
        (
            Evidence(experiment="audit", measure="label_set", value=3, text="Labels 7, 8 and 9 are in the test set only."),
            "Labels 7, 8 and 9 are in the test set only: label set is 3.",
        ),
        (
            Evidence(experiment="references", measure="not-applicable", value=math.nan, text="needs inputs that are rows of numbers"),
            "References: not applicable (needs inputs that are rows of numbers).",
        ),
        (
            Evidence(experiment="intervention", measure="not-applicable", value=math.nan, subject="skip", text="no layers of equal width"),
            "skip: not applicable (no layers of equal width).",
        ),
        (
            Evidence(experiment="baseline", measure="outcome", value=0.0, text="diverged: loss is not finite"),
            "The baseline run ended so: diverged: loss is not finite.",
        ),
        (
            Evidence(experiment="learning_curve", measure="gain_of_doubling", value=0.05, low=0.03, high=0.07),
            "Twice the training rows lower the validation loss by 0.05 (95% interval 0.03 to 0.07).",
        ),
        (Evidence(experiment="new-study", measure="x", value=math.nan, low=math.nan, high=math.nan), "New study: x is not a number."),
        (Evidence(experiment="new", measure="x", value=1.5, low=1, high=2, details={"level": 0.9}), "New: x is 1.5 (90% interval 1 to 2)."),
        (
            Evidence(experiment="new", measure="x", value=1.5, low=1, details={"interval": "bootstrap range"}),
            "New: x is 1.5 (bootstrap range at least 1).",
        ),
    ],
)
def test_explain(evidence: Evidence, said: str) -> None:
    assert report.explain(evidence) == said


def test_an_intervention_is_explained_with_its_numbers_seeds_and_steps() -> None:
    evidence = by_hand.intervention(by_hand.LOWER_RATE, 0.93, 0.24, (by_hand.run(0), by_hand.run(0, remedies=(by_hand.LOWER_RATE,))))
    assert report.explain(evidence) == (
        "learning-rate(factor=0.1) recovers 93% (95% interval 87% to 98%) of the gap to reachable, above the threshold of 50%: "
        "training loss 2.31 before, 0.24 after, reachable 0.21 (3 seeds, 2 runs, to step 400)."
    )


def test_names_cannot_steer_the_terminal() -> None:
    evidence = Evidence(experiment="audit", measure="rows", subject="\x1b[2J\nname\x07", value=1)
    assert report.explain(evidence).isprintable()


@pytest.mark.parametrize(
    ("standing", "title"),
    [(Standing.CONFIRMED, "Remedy"), (Standing.SUSPECTED, "Remedy"), (Standing.UNDECIDED, "Tried"), (Standing.CLEARED, "Tried")],
)
def test_what_cures_nothing_for_sure_was_only_tried(standing: Standing, title: str) -> None:
    finding = Finding(
        cause="learning-rate-too-high",
        branch=Branch.OPTIMIZATION,
        standing=standing,
        confidence=0.5,
        summary="",
        remedies=(by_hand.LOWER_RATE,),
    )
    record = by_hand.healthy().replace(findings=(finding,))
    assert words.remedies_title(finding) == title
    if standing is not Standing.CLEARED:
        assert f"{title}: learning-rate(factor=0.1)" in report.to_text(record)
        assert f">{title}: <code>learning-rate(factor=0.1)" in report.to_html(record)


@pytest.mark.parametrize(("experiment", "measure"), SIGNS)
def test_every_sign_is_a_sentence_with_its_value(experiment: str, measure: str) -> None:
    sign = Evidence(experiment=experiment, measure=measure, value=0.25)
    said = words.explain(sign)
    assert ("25%" in said) is words.says_share(sign)
    assert ("0.25" in said or "25%" in said) and "{" not in said and said[0].isupper() and said.endswith(".")


def evidence_of_rules() -> set[tuple[str, str]]:
    """The experiments and measures that the rules look up by name, also those in a loop over names."""
    found = set()
    for path in Path(base.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for experiment, measure in _lookups(tree):
            if isinstance(experiment, ast.Constant) and isinstance(measure, ast.Constant):
                found.add((str(experiment.value), str(measure.value)))
        for loop in (node for node in ast.walk(tree) if isinstance(node, ast.GeneratorExp)):
            names = [e.value for e in getattr(loop.generators[0].iter, "elts", ()) if isinstance(e, ast.Constant)]
            looked_up = [e.value for e, m in _lookups(loop.elt) if isinstance(e, ast.Constant) and isinstance(m, ast.Name)]
            found |= {(str(experiment), str(name)) for experiment in looked_up for name in names}
    return found


def _lookups(tree: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """The first two arguments of all calls of ``find``."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [(call.args[0], call.args[1]) for call in calls if getattr(call.func, "attr", "") == "find" and len(call.args) > 1]


@pytest.mark.parametrize(("experiment", "measure"), sorted(evidence_of_rules()))
def test_what_a_rule_rests_on_has_a_sentence(experiment: str, measure: str) -> None:
    assert measure == words.REFUSED or (experiment, measure) in words._SENTENCES
    said = words.explain(Evidence(experiment=experiment, measure=measure, value=0.25, subject="inputs", text="it is so"))
    assert said[0].isupper() and said.endswith(".") and "{" not in said


def test_what_a_watch_saw_is_said_in_its_own_words_and_names_as_they_are() -> None:
    seen = Evidence(experiment="watch", measure="detached-graph", value=2, subject="a.weight", text="a.weight received no gradient")
    assert words.explain(seen) == "a.weight received no gradient."
    assert words.explain(seen.replace(subject="", text="the graph is cut")) == "The graph is cut."


def test_a_fall_below_zero_is_a_rise() -> None:
    said = words.explain(Evidence(experiment="baseline", measure="last_half_fall", value=-0.3))
    assert said == "In the last half of the training its loss rises by 0.3."


def test_a_sign_keeps_its_threshold_and_what_is_said_of_one_part() -> None:
    ratio = Evidence(experiment="baseline", measure="first_last_gradient_ratio", value=1e-7, threshold=1e-3)
    assert words.explain(ratio) == (
        "Before the first update, the gradient of the first layer is 1e-7 times that of the last, below the threshold of 0.001."
    )
    assert (
        words.explain(ratio.replace(subject="encoder"))
        == "Baseline: first last gradient ratio of encoder is 1e-7, below the threshold of 0.001."
    )
