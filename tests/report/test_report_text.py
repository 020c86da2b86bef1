from __future__ import annotations

import io
import math

import pytest
import records_by_hand as by_hand
from rich.console import Console

from traindx import report
from traindx.records import Diagnosis, Evidence, Outcome, Run, Treatment


def test_the_sentence_comes_first_and_lines_fit(record: Run | Diagnosis | Treatment) -> None:
    text = report.to_text(record)
    assert " ".join(text.split("\n\n")[0].split()) == report.sentence(record)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text


def test_a_diagnosis_says_everything_in_order() -> None:
    text = report.to_text(by_hand.optimization())
    order = [
        "branch optimization",
        "Top finding",
        "learning-rate-too-high  confirmed, confidence 97%",
        "recovers 98% (95% interval 92% to 103%)",
        "Other findings",
        "optimizer-unsuited  suspected",
        "Path through the flowchart",
        "2. Is the training loss large? Yes: 2.31 against 0.21 reachable.",
        "Compared by loss",
        "gradient boosting    0.27  0.251 to 0.289",
        "network, validation  2.34",
        "Reachable: 0.21, by the small network.",
        "Ruled out",
        "vanishing-gradient",
        "Not applicable",
        "No test set was given.",
        "Advice",
        "Keep the cosine schedule.",
        "Cost",
        "6.3 baseline runs, 22 s",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_the_openings_of_the_test_set_are_said() -> None:
    assert "opened twice" in report.to_text(by_hand.mismatch())
    assert "never opened" in " ".join(report.to_text(by_hand.healthy()).split())


def test_what_is_not_a_number_is_said() -> None:
    text = report.to_text(by_hand.not_a_number())
    assert "The network's training loss is not a number." in " ".join(text.split())


def test_a_treatment_says_before_after_and_which_run_diverged() -> None:
    text = " ".join(report.to_text(by_hand.treatment()).split())
    assert "learning-rate(factor=0.1): A tenth of the rate" in text
    assert "in your optimizer: lr 2 -> 0.2" in text
    assert "validation loss 2.3 (4 of 5 finite) 0.29 2.01 1.97 to 2.05 over 99.9% 5" in text
    assert "seed 12 diverged at step 400 (loss is not finite)" in text


def test_runs_that_are_not_the_treatment_are_not_told_of() -> None:
    treatment = by_hand.treatment()
    ramp = by_hand.run(10, remedies=(by_hand.LOWER_RATE,), outcome=Outcome.DIVERGED, steps=140, horizon=140)
    rejected = by_hand.run(11, remedies=(by_hand.LOWER_RATE, by_hand.ADAM), outcome=Outcome.DIVERGED)
    crowded = treatment.replace(runs=(*treatment.runs, ramp, rejected))
    assert report.to_text(crowded) == report.to_text(treatment)
    assert report.to_html(crowded) == report.to_html(treatment)


def test_a_run_with_a_remedy_says_so() -> None:
    assert report.sentence(by_hand.run(3, remedies=(by_hand.ADAM,))).startswith("A run of digits with seed 3 and optimizer(name=adam) ")


def test_a_treatment_without_words_for_its_changes_names_remedies_and_fields() -> None:
    text = " ".join(report.to_text(by_hand.treatment().replace(changes=())).split())
    assert "remedy learning-rate(factor=0.1)" in text and "learning rate: 2 -> 0.2" in text


def test_a_treatment_of_two_remedies_tells_the_effect_of_each() -> None:
    text = " ".join(report.to_text(by_hand.treatment_of_two()).split())
    assert "learning-rate(factor=0.1), on top of nothing: 2.2 before, 0.5 after (2 seeds)" in text
    assert "dropout(p=0.5), on top of learning-rate(factor=0.1): 0.5 before, 0.3 after (2 seeds)" in text


def test_an_empty_diagnosis_has_a_report() -> None:
    bare = by_hand.healthy().replace(findings=(), path=(), advice=(), evidence=(), runs=(), task_summary={})
    assert report.to_text(bare).startswith("Healthy")
    assert "Healthy" in report.to_html(bare)


def test_markup_in_names_is_not_interpreted() -> None:
    assert "[red]name[/red]" in report.to_text(by_hand.healthy().replace(task_name="[red]name[/red]"))


@pytest.mark.parametrize(("terminal", "coloured"), [(True, True), (False, False)])
def test_print_to_colours_a_terminal_only(terminal: bool, coloured: bool) -> None:
    stream = io.StringIO()
    report.print_to(
        Console(file=stream, force_terminal=terminal, color_system="standard" if terminal else None, width=120), by_hand.optimization()
    )
    assert ("\x1b[" in stream.getvalue()) is coloured


def test_records_show_themselves() -> None:
    diagnosis = by_hand.optimization()
    assert str(diagnosis) == report.to_text(diagnosis)
    assert diagnosis._repr_html_() == report.to_html(diagnosis, fragment=True)


def test_why_there_are_no_reference_models_is_said() -> None:
    reason = "the inputs are no rows of numbers"
    refused = Evidence(experiment="references", measure="not-applicable", value=math.nan, text=reason)
    bare = by_hand.healthy().replace(evidence=(refused,), runs=())
    assert f"References: not applicable ({reason})." in report.to_text(bare)
    assert f"References: not applicable ({reason})." in report.to_html(bare)


def test_the_intervention_trained_furthest_stands_for_a_finding() -> None:
    diagnosis = by_hand.optimization()
    short, best, other = (by_hand.intervention(by_hand.ADAM, r, 1.0, (), step=s) for r, s in ((0.99, 50), (0.7, 400), (0.2, 400)))
    shown = diagnosis.findings[1].replace(evidence=(short, best, other))
    text = report.to_text(diagnosis.replace(findings=(diagnosis.findings[0], shown)))
    assert "optimizer(name=adam) recovers 70%" in " ".join(text.split())
