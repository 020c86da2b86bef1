from __future__ import annotations

import math
import random
import re

import matplotlib as mpl
import pytest
import records_by_hand as by_hand

from traindx.records import Outcome, Surface
from traindx.report import draw, draw_landscapes, figures, landscapes


def test_thinning_keeps_the_ends_and_every_spike() -> None:
    noise = random.Random(0)
    steps = list(range(10_000))
    values = [noise.random() for _ in steps]
    values[1234], values[7777] = 50.0, -50.0
    thin_steps, thin_values = figures.thinned(steps, values)
    assert len(thin_steps) <= figures.DRAWN_POINTS
    assert {0, 1234, 7777, 9999} <= set(thin_steps)
    assert list(thin_steps) == sorted(set(thin_steps))
    assert all(values[int(s)] == v for s, v in zip(thin_steps, thin_values, strict=True))


def test_a_short_line_is_left_alone() -> None:
    assert figures.thinned((1, 2, 3), (3.0, math.nan, 1.0))[0] == (1, 2, 3)


def test_baseline_panels_name_quantity_unit_and_scale() -> None:
    loss, accuracy, gradient, rate = figures.baseline_panels(by_hand.optimization())
    assert [line.label for line in loss.lines] == ["training", "validation"]
    assert loss.level == 0.21
    assert not loss.log
    assert accuracy.y_label == "accuracy"
    assert gradient.log
    assert rate.log


def test_a_run_without_curves_has_no_panels() -> None:
    assert figures.run_panels(by_hand.run().replace(curves={})) == ()


def test_the_loss_of_the_batches_stands_in() -> None:
    run = by_hand.run()
    (panel,) = figures.run_panels(run.replace(curves={"batch_loss": run.curves["batch_loss"]}))
    assert panel.title == "Loss on the batches"


def test_bars_hold_references_then_the_network() -> None:
    bars = figures.level_bars(by_hand.mismatch(), "loss")
    assert bars is not None
    assert [b.label for b in bars.bars][:2] == ["constant prediction", "linear model"]
    assert [b.label for b in bars.bars][-3:] == ["network, training", "network, validation", "network, test"]
    assert bars.level == 0.21
    assert bars.log


def test_an_intervention_is_drawn_against_the_baseline_over_seeds() -> None:
    diagnosis = by_hand.optimization()
    panel = figures.intervention_panel(diagnosis.findings[0], diagnosis)
    assert panel is not None
    named = [line for line in panel.lines if line.label]
    assert [line.label for line in named] == [
        "baseline (3 seeds, 1 diverged)",
        "learning-rate(factor=0.1) (3 seeds)",
        "learning-rate(factor=0.03) (3 seeds)",
    ]
    assert all(low <= mean <= high for line in named for low, mean, high in zip(line.low, line.values, line.high, strict=True))
    assert [mark.step for mark in panel.marks] == [254.0]
    assert panel.ceiling is not None
    assert panel.marks[0].value <= panel.ceiling


def test_the_longest_trial_of_a_remedy_is_drawn() -> None:
    diagnosis = by_hand.optimization()
    top = diagnosis.findings[0]
    short = by_hand.run(0, remedies=(by_hand.LOWER_RATE,), steps=50, horizon=50)
    early = by_hand.intervention(by_hand.LOWER_RATE, 0.4, 1.2, (short,), step=50)
    panel = figures.intervention_panel(top.replace(evidence=(early, *top.evidence)), diagnosis.replace(runs=(*diagnosis.runs, short)))
    assert panel is not None
    assert max(line.steps[-1] for line in panel.lines if line.label.startswith("learning-rate(factor=0.1)")) == by_hand.STEPS


def test_lost_runs_make_no_figure() -> None:
    diagnosis = by_hand.optimization()
    assert figures.intervention_panel(diagnosis.findings[0], diagnosis.replace(runs=())) is None


def test_all_runs_diverged_are_drawn_all_the_same() -> None:
    runs = tuple(by_hand.run(s, outcome=Outcome.DIVERGED) for s in (0, 1))
    panel = figures.seeds_panel("loss", "train_loss", [figures.Seeds("baseline", "base", runs)])
    assert panel is not None
    assert panel.ceiling is None
    assert len(panel.marks) == 2


def test_treatment_panels_pair_the_seeds() -> None:
    train, validation = figures.treatment_panels(by_hand.treatment())
    for panel in (train, validation):
        assert [line.label for line in panel.lines if line.label] == ["before (5 seeds, 1 diverged)", "after (5 seeds)"]


def test_treatment_panels_hold_the_verification_alone() -> None:
    treatment = by_hand.treatment()
    further = by_hand.run(10, remedies=(by_hand.LOWER_RATE, by_hand.ADAM), end=9.0)
    choosing = [by_hand.run(21, remedies=remedies) for remedies in ((), (by_hand.LOWER_RATE,))]
    crowded = treatment.replace(runs=(*treatment.runs, further, *choosing))
    assert figures.treatment_panels(crowded) == figures.treatment_panels(treatment)


def test_pairs_leave_out_what_is_not_a_number() -> None:
    loss = figures.comparison_pairs(by_hand.treatment())[0]
    assert loss.seeds == (10, 11, 13, 14)
    assert "1 seed without a finite value not drawn" in loss.caption


def test_drawing_gives_equal_bytes_and_leaves_the_users_settings() -> None:
    panel = figures.baseline_panels(by_hand.optimization())[0]
    with mpl.rc_context({"font.size": 31.0, "text.parse_math": True}):
        first = draw.panel(panel)
        assert mpl.rcParams["font.size"] == 31.0
    assert draw.panel(panel) == first


def test_text_stays_text_and_colours_follow_the_page() -> None:
    drawn = draw.panel(figures.baseline_panels(by_hand.optimization())[0])
    assert ">training</text>" in drawn
    assert "var(--train, " in drawn
    assert not [colour for colour in draw.COLOURS.values() if f": {colour}" in drawn]


def test_constant_and_single_values_can_be_drawn() -> None:
    line = figures.Line("flat", "train", (1.0,), (0.0,))
    assert "<svg" in draw.panel(figures.Panel("flat", "A flat line.", "loss", False, (line,)))
    assert "<svg" in draw.pairs(figures.Pairs("x", "Same before and after.", "x", (1.0,), (1.0,), (0,)))


def test_values_of_any_size_can_be_drawn() -> None:
    line = figures.Line("huge", "train", (0.0, 1.0, 2.0), (1e-300, 1.0, 1e300))
    assert "<svg" in draw.panel(figures.Panel("huge", "From tiny to huge.", "loss", figures.is_log([line]), (line,)))


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ((2.3045, 2.305, 2.3055), ["2.3045", "2.305", "2.3055"]),
        ((0.0, 0.1 + 0.2, 1.0), ["0", "0.3", "1"]),
        ((5.0,), ["5"]),
    ],
)
def test_ticks_of_an_axis_can_be_told_apart(ticks: tuple[float, ...], labels: list[str]) -> None:
    assert draw.Plain().format_ticks(ticks) == labels


def test_names_of_marks_that_lie_close_stand_in_rows() -> None:
    line = figures.Line("density", "s1", (0.0, 1.0), (0.1, 1.0))
    marks = (("one", 0.52), ("two", 0.51), ("three", 0.5), ("far", 0.0))
    drawn = draw_landscapes.lines(landscapes.Lines("Spectrum", "", "eigenvalue", "density", False, (line,), marks))
    heights = {name: float(y) for y, name in re.findall(r' y="([\d.]+)"[^>]*>(one|two|three|far)<', drawn)}
    assert len(heights) == 4 and len({heights[name] for name in ("one", "two", "three")}) == 3
    assert heights["far"] == heights["three"]


def test_only_a_surface_from_above_tells_of_its_marks() -> None:
    surface = Surface(
        name="two directions",
        x_label="first",
        y_label="second",
        x=(-1.0, 0.0, 1.0),
        y=(-1.0, 1.0),
        losses=((1.0, 2.0, 3.0),) * 2,
        way_x=(0.5, 0.0),
        way_y=(0.5, 0.0),
    )
    relief = landscapes.relief(surface)
    assert "cross" not in relief.caption and "line" not in relief.caption
    assert "cross" in landscapes.from_above(relief).caption and "The line is the way" in landscapes.from_above(relief).caption
