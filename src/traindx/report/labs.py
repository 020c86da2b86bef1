"""The scoreboard of the labs: as text, and as one page with every figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from traindx.records import Check, LabResult, Plot, Verdict
from traindx.report import draw_landscapes, page, words
from traindx.report.figures import Line
from traindx.report.landscapes import Lines

SIGNS = {Verdict.REPRODUCED: "✓", Verdict.NOT_REPRODUCED: "✗", Verdict.DIFFERS: "≠", Verdict.SKIPPED: "–"}
ROLES = ("s1", "s2", "s3", "s4", "base", "ink")


def scoreboard(results: Sequence[LabResult]) -> str:
    """A line a lab, and a sentence of the sum."""
    lines = [f"{SIGNS[r.verdict]} {r.name:<16} {r.verdict.value:<15} {r.sentence}" for r in results]
    return "\n".join([*lines, "", total(results)])


def total(results: Sequence[LabResult]) -> str:
    """How many claims were reproduced."""
    counts = {v: sum(len(r.claims) for r in results if r.verdict is v) for v in Verdict}
    said = ", ".join(f"{n} {_of_several(v) if n > 1 else v.value.replace('-', ' ')}" for v, n in counts.items() if n)
    return f"Of {words.plural(sum(counts.values()), 'claim')}: {said}."


def _of_several(verdict: Verdict) -> str:
    return "differ" if verdict is Verdict.DIFFERS else verdict.value.replace("-", " ")


def details(result: LabResult) -> str:
    """One lab: the question, the claim, every number beside the lecture's, the verdict."""
    width = max((len(c.label) for c in result.checks), default=0)
    rows = [
        f"  {'✓' if c.holds else '✗'} {c.label:<{width}}  {c.measured:>12.6g}{_interval(c):<22}   lecture: {c.lecture}"
        for c in result.checks
    ]
    head = [
        f"{result.name}: {result.question}",
        f"  Claim {', '.join(map(str, result.claims))}: {result.claim}",
        f"  ({result.source})",
        "",
    ]
    return "\n".join([*head, *rows, *([""] if rows else []), f"  {result.verdict.value}: {result.sentence}"])


def _interval(check: Check) -> str:
    """Of a mean over seeds."""
    return "" if check.low is None or check.high is None else f" ({check.low:.3g} to {check.high:.3g})"


def as_lines(plot: Plot) -> Lines:
    """A lab's picture as the report draws lines."""
    drawn = tuple(Line(label=name, role=role, steps=x, values=y) for (name, (x, y)), role in zip(plot.lines.items(), ROLES, strict=False))
    return Lines(
        plot.title,
        plot.caption,
        plot.x_label,
        plot.y_label,
        plot.log,
        drawn,
        marks=tuple(plot.marks.items()),
        points=plot.points,
        log_x=plot.log_x,
        names=plot.names,
    )


def save(results: Sequence[LabResult], path: Path) -> Path:
    """One self-contained HTML page."""
    shown = [
        (r, [page.Drawn(Markup(draw_landscapes.lines(as_lines(p))), p.caption, p.title) for p in r.plots]) for r in results
    ]  # drawn by us
    body = page.environment().get_template("labs.html").render(results=shown, total=total(results), lab_signs=SIGNS, level=1)
    path.write_text(page.whole("labs", body), encoding="utf-8")
    return path


def pictures(results: Sequence[LabResult], folder: Path, dark: bool = False) -> list[Path]:
    """Every figure as a PNG file, named by its lab; the folder is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [(f"{r.name}{'' if i == 1 else f'-{i}'}.png", plot) for r in results for i, plot in enumerate(r.plots, 1)]
    return [draw_landscapes.png(as_lines(plot), folder / name, dark) for name, plot in named]
