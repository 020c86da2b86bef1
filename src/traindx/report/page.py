"""Records as one self-contained HTML page: no script, no font, no picture from elsewhere; every name escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from traindx.records import Curvature, Diagnosis, Finding, Run, Treatment
from traindx.report import content, draw, draw_landscapes, figures, landscapes, words
from traindx.report.flowchart import flowchart

if TYPE_CHECKING:
    from traindx.report import Showable

TEMPLATES: Final = Path(__file__).parent / "templates"
INTERVENTION_FIGURES = 12
"""Findings whose curves are drawn at most; the page stays well below 2 MB. The tables of all findings are always there."""
STANDING_SIGNS: Final = {"confirmed": "●", "suspected": "◐", "undecided": "?", "cleared": "✓", "not-applicable": "–"}

Data = TypeVar("Data")


class Drawn(NamedTuple):
    """A figure of the page with its caption."""

    svg: Markup
    caption: str
    title: str


class Card(NamedTuple):
    """A finding with the curves of its interventions."""

    finding: Finding
    figure: Drawn | None


def to_html(record: Showable, fragment: bool = False) -> str:
    """The record as a page, or as a fragment to stand in another page."""
    templates = environment()
    level = 2 if fragment else 1
    if isinstance(record, Treatment):
        title, body = (
            f"treatment of {record.diagnosis.task_name}",
            templates.get_template("treatment.html").render(_treatment(record), level=level),
        )
    elif isinstance(record, Diagnosis):
        title, body = f"diagnosis of {record.task_name}", templates.get_template("diagnosis.html").render(_diagnosis(record), level=level)
    elif isinstance(record, Curvature):
        title = f"curvature of {record.task_name}"
        body = templates.get_template("curvature.html").render(_curvature(record), level=level)
    else:
        title, body = f"run of {record.task_name}", templates.get_template("run.html").render(_run(record), level=level)
    return whole(title, body, "fragment.html" if fragment else "page.html")


def whole(title: str, body: str, shell: str = "page.html") -> str:
    """A rendered body in its shell, with the style."""
    return environment().get_template(shell).render(title=words.clean(title), body=Markup(body), style=Markup(_style()))


@cache
def environment() -> Environment:
    """Jinja with the filters of all templates."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        clean=words.clean,
        number=words.number,
        percent=words.percent,
        duration=words.duration,
        quantity=words.quantity,
        field_name=words.field_name,
        field_value=words.field_value,
    )
    environment.globals.update(
        explain=words.explain,
        by_reason=content.by_reason,
        say=words.say,
        interval=words.interval,
        mean=words.mean,
        bounds=words.bounds,
        level_name=words.level_name,
        sample=words.sample,
        cost=words.cost,
        openings=words.openings,
        run_sentence=words.run_sentence,
        remedies_title=words.remedies_title,
        recipe_fields=words.recipe_fields,
        listed=words.listed,
        signs=STANDING_SIGNS,
    )
    return environment


@cache
def _style() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def _drawn(draw_one: Callable[[Data], str], data: Iterable[Data | None]) -> tuple[Drawn, ...]:
    return tuple(Drawn(Markup(draw_one(d)), d.caption, d.title) for d in data if d is not None)  # type: ignore[attr-defined]


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    groups = content.grouped(diagnosis)
    return {
        "diagnosis": diagnosis,
        "chart": flowchart(diagnosis.branch, diagnosis.path),
        "groups": groups,
        "cards": _cards(diagnosis, [f for f in (groups.top, *groups.others) if f is not None]),
        "bars": _drawn(draw.bars, [figures.level_bars(diagnosis, "loss"), figures.level_bars(diagnosis, "metric")]),
        "has_references": content.has_references(diagnosis),
        "refused_references": content.refused_references(diagnosis),
        "levels": {kind: content.levels(diagnosis, kind) for kind in ("loss", "metric")},
        "metric": content.metric_name(diagnosis),
        "panels": _drawn(draw.panel, figures.baseline_panels(diagnosis)),
    }


def _cards(diagnosis: Diagnosis, findings: Iterable[Finding]) -> list[Card]:
    cards: list[Card] = []
    left = INTERVENTION_FIGURES
    for finding in findings:
        drawn = _drawn(draw.panel, [figures.intervention_panel(finding, diagnosis)]) if left > 0 else ()
        left -= len(drawn)
        cards.append(Card(finding, drawn[0] if drawn else None))
    return cards


def _treatment(treatment: Treatment) -> dict[str, Any]:
    return {
        **_diagnosis(treatment.diagnosis),
        "treatment": treatment,
        "changes": content.changed_fields(treatment),
        "effects": content.own_effects(treatment),
        "tested": any(c.p_value is not None for c in treatment.comparisons),
        "pairs": _drawn(draw.pairs, figures.comparison_pairs(treatment)),
        "after_panels": _drawn(draw.panel, figures.treatment_panels(treatment)),
        "unfinished": content.unfinished(treatment),
    }


def _run(run: Run) -> dict[str, Any]:
    return {"run": run, "panels": _drawn(draw.panel, figures.run_panels(run))}


def _curvature(record: Curvature) -> dict[str, Any]:
    reliefs = landscapes.reliefs(record)
    return {
        "record": record,
        "lines": _drawn(draw_landscapes.lines, landscapes.all_lines(record)),
        "surfaces": _drawn(draw_landscapes.contours, map(landscapes.from_above, reliefs)) + _drawn(draw_landscapes.surface, reliefs),
        "panels": _drawn(draw.panel, figures.run_panels(record.run)[:1]),
    }
