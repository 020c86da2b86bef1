"""Records as text for a terminal: the sentence first, then what it rests on."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from traindx.records import Comparison, Curvature, Diagnosis, Finding, Run, Step, Treatment
from traindx.report import content, words

if TYPE_CHECKING:
    from traindx.report import Showable

TEXT_WIDTH = 100
LISTING_WIDTH = 10_000
BRANCH_STYLE = {
    "healthy": "bold green",
    "undecided": "bold yellow",
    "data": "bold magenta",
    "defect": "bold red",
    "optimization": "bold blue",
    "model-bias": "bold magenta",
    "overfitting": "bold yellow",
    "mismatch": "bold cyan",
}
STANDING_STYLE = {"confirmed": "bold", "suspected": "yellow", "undecided": "yellow", "cleared": "green", "not-applicable": "dim"}


def to_text(record: Showable) -> str:
    """The record as plain text, at most 100 columns wide."""
    return _plain(lambda console: print_to(console, record))


def listing(title: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal fields as a plain table under a title: one line a row, however long, so that keys stay whole and lines can be searched."""
    cells = [[words.field_value(value) for value in row.values()] for row in rows]
    table = _table([words.field_name(name) for name in (rows[0] if rows else ())], cells)
    return (
        _plain(lambda console: console.print(Group(Text(title), table), markup=False, highlight=False, emoji=False), LISTING_WIDTH) + "\n"
    )


def _plain(show: Callable[[Console], None], width: int = TEXT_WIDTH) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=width, color_system=None, force_terminal=False, force_jupyter=False, legacy_windows=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()).strip("\n")


def print_to(console: Console, record: Showable) -> None:
    """Print the record on a rich console, in its colours and width."""
    if isinstance(record, Treatment):
        parts = _treatment(record)
    elif isinstance(record, Diagnosis):
        parts = _diagnosis(record)
    elif isinstance(record, Curvature):
        parts = _curvature(record)
    else:
        parts = _run(record)
    console.print(Group(*parts), markup=False, highlight=False, emoji=False)


def _diagnosis(diagnosis: Diagnosis) -> Iterable[RenderableType]:
    groups = content.grouped(diagnosis)
    yield Text(words.clean(diagnosis.sentence), style="bold")
    yield Text()
    yield Text.assemble(
        ("branch ", "dim"),
        (diagnosis.branch.value, BRANCH_STYLE[diagnosis.branch.value]),
        (f"   task {words.clean(diagnosis.task_name)}   diagnosis {words.clean(diagnosis.key[:12])}", "dim"),
    )
    first, *others = (groups.top, *groups.others) if groups.top else (groups.others or (None,))
    if first:
        yield from _first_finding("Top finding" if groups.top else "Undecided", first)
    if others:
        yield _heading("Other findings")
        yield _findings([f for f in others if f])
    if diagnosis.path:
        yield _heading("Path through the flowchart")
        yield _path(diagnosis.path)
    yield from _levels(diagnosis)
    if groups.cleared:
        yield _heading("Ruled out")
        yield _summaries(groups.cleared)
    if groups.not_applicable:
        yield _heading("Not applicable")
        yield _summaries(groups.not_applicable)
    if diagnosis.advice:
        yield _heading("Advice")
        yield _bullets(diagnosis.advice)
    if diagnosis.cost.runs or diagnosis.cost.seconds:  # a watch runs nothing
        yield _heading("Cost")
        yield _indented(f"{words.cost(diagnosis.cost)}. {words.openings(diagnosis.test_openings)}")


def _first_finding(title: str, finding: Finding) -> Iterable[RenderableType]:
    yield _heading(title)
    yield Padding(
        Text.assemble(
            (words.clean(finding.cause), "bold"),
            (f"  {finding.standing.value}", STANDING_STYLE[finding.standing.value]),
            f", confidence {words.percent(finding.confidence)}",
        ),
        (0, 0, 0, 2),
    )
    yield _indented(finding.summary)
    if finding.evidence:
        yield _bullets([words.explain(e) for e in finding.evidence])
    if finding.remedies:
        yield _indented(f"{words.remedies_title(finding)}: {', '.join(str(r) for r in finding.remedies)}")


def _findings(findings: Sequence[Finding]) -> RenderableType:
    rows = []
    for f in findings:
        standing = Text(f.standing.value, style=STANDING_STYLE[f.standing.value])
        rows.append((words.clean(f.cause), standing, words.percent(f.confidence), _shown(f)))
    return _table(("cause", "standing", "conf.", "what the experiment showed"), rows)


def _shown(finding: Finding) -> str:
    """The evidence that says most, else the summary."""
    told = content.most_telling(finding)
    return words.brief(told) if told else words.clean(finding.summary)


def _summaries(findings: Sequence[Finding]) -> RenderableType:
    rows = content.by_reason(findings).items()
    single = [(words.clean(found[0].cause), words.clean(reason)) for reason, found in rows if len(found) == 1]
    shared = [f"{words.clean(reason)}: {', '.join(words.clean(f.cause) for f in found)}" for reason, found in rows if len(found) > 1]
    return Group(*([_table(("cause", "why"), single)] if single else []), *([_bullets(shared)] if shared else []))


def _path(steps: Sequence[Step]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for number, step in enumerate(steps, 1):
        table.add_row(Text(f"{number}."), Text.assemble(words.clean(step.question), " ", (words.clean(step.answer), "bold")))
    return Padding(table, (0, 0, 0, 2))


def _levels(diagnosis: Diagnosis) -> Iterable[RenderableType]:
    for kind in ("loss", "metric"):
        rows = content.levels(diagnosis, kind)
        if not rows:
            continue
        name = "loss" if kind == "loss" else content.metric_name(diagnosis)
        against = " (reference models: out of fold)" if content.has_references(diagnosis) else ""
        yield _heading(f"Compared by {name}{against}")
        styled = [(Text(r.label, style="bold" if r.is_network else ""), words.number(r.value), words.bounds(r.low, r.high)) for r in rows]
        yield _table(("model", name, words.USUAL_INTERVAL), styled)
        if kind == "loss" and (floor := content.reachable(diagnosis)):
            by = f", by the {floor.by}" if floor.by else ""
            yield _indented(f"Reachable: {words.number(floor.value)}{by}.")
    if refused := content.refused_references(diagnosis):
        yield _indented(refused)


def _treatment(treatment: Treatment) -> Iterable[RenderableType]:
    yield Text(words.clean(treatment.sentence), style="bold")
    yield Text()
    said = ("verified", "bold green") if treatment.verified else ("not verified", "bold yellow")
    yield Text.assemble(
        ("treatment ", "dim"),
        said,
        (f"   task {words.clean(treatment.diagnosis.task_name)}   treatment {words.clean(treatment.key[:12])}", "dim"),
    )
    yield _heading("What was changed")
    yield _bullets(_changes(treatment) or ["nothing"])
    if treatment.comparisons:
        yield _heading("Before and after, on seeds that played no part in the choice")
        yield _comparisons(treatment.comparisons)
    if effects := content.own_effects(treatment):
        yield _heading("Each remedy by itself: mean validation loss")
        yield _bullets([_effect(effect) for effect in effects])
    if unfinished := content.unfinished(treatment):
        yield _bullets([words.run_sentence(run) for run in unfinished])
    yield _heading("Cost")
    yield _indented(f"{words.cost(treatment.cost)}. {words.openings(treatment.test_openings)}")
    yield _heading("The diagnosis behind it")
    yield Padding(Group(*_diagnosis(treatment.diagnosis)), (0, 0, 0, 2))


def _changes(treatment: Treatment) -> list[str]:
    """In words for the user's own code; of records that do not tell them, the remedies and the fields of the recipe."""
    if treatment.changes:
        return [words.clean(line) for line in treatment.changes]
    fields = content.changed_fields(treatment)
    return [*(f"remedy {r}" for r in treatment.remedies), *(f"{words.field_name(n)}: {a} -> {b}" for n, (a, b) in fields.items())]


def _effect(effect: content.OwnEffect) -> str:
    before, after = (words.number(sum(side) / len(side)) for side in (effect.before, effect.after))
    seeds = words.plural(len(effect.seeds), "seed")
    return f"{words.clean(str(effect.remedy))}, on top of {words.listed(effect.on_top_of)}: {before} before, {after} after ({seeds})"


def _comparisons(comparisons: Sequence[Comparison]) -> RenderableType:
    rows = [
        (
            words.quantity(c.measure),
            words.mean(c.before),
            words.mean(c.after),
            words.number(c.gain),
            words.bounds(c.low, c.high),
            words.percent(c.probability),
            str(len(c.seeds)),
        )
        for c in comparisons
    ]
    return _table(("measure", "mean before", "mean after", "gain", words.USUAL_INTERVAL, "P(better)", "seeds"), rows)


def _run(run: Run) -> Iterable[RenderableType]:
    yield Text(words.run_sentence(run), style="bold")
    yield Text()
    yield Text(
        f"run {words.clean(run.key[:12])}   {words.number(run.epochs)} epochs, {words.duration(run.seconds)}, on {words.clean(run.device)}",
        style="dim",
    )
    if run.remedies:
        yield _bullets([f"remedy {r}" for r in run.remedies])
    if run.curves:
        yield _heading("Curves")
        observed = [(words.quantity(name), curve) for name, curve in run.curves.items() if len(curve)]
        rows = [(name, str(len(c)), *(words.number(v) for v in (c.values[0], min(c.values), c.last))) for name, c in observed]
        yield _table(("curve", "observations", "first", "lowest", "last"), rows)
    yield _heading("Recipe")
    yield _indented(", ".join(f"{words.field_name(n)} {v}" for n, v in words.recipe_fields(run.recipe).items()))


def _curvature(record: Curvature) -> Iterable[RenderableType]:
    yield Text(words.clean(record.sentence), style="bold")
    yield Text()
    yield Text.assemble(
        ("answer ", "dim"),
        (record.answer, "bold"),
        (f"   task {words.clean(record.task_name)}   after {words.plural(record.step, 'update')}   run {record.run.key[:12]}", "dim"),
    )
    yield _heading("What was measured")
    yield _bullets([words.explain(e) for e in record.evidence if e.measure != "answer"])
    yield _heading("Cost")
    yield _indented(f"{words.duration(record.cost.seconds)}, of which the training took {words.duration(record.run.seconds)}.")


def _heading(title: str) -> Text:
    return Text(f"\n{title}", style="bold underline")


def _indented(text: str) -> RenderableType:
    return Padding(Text(words.clean(text)), (0, 0, 0, 2))


def _bullets(items: Iterable[str]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for item in items:
        table.add_row(Text("-"), Text(words.clean(item)))
    return Padding(table, (0, 0, 0, 2))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return Padding(table, (0, 0, 0, 2))
