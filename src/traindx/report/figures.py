"""What the figures show, as plain values: computed here from the records, drawn elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traindx.records import Curve, Diagnosis, Evidence, Finding, Outcome, RemedyRef, Run, Treatment
from traindx.report import content, words

DRAWN_POINTS = 400
"""Points a line is drawn with at most; about two for each pixel of a figure at its usual width."""
BAND_POINTS = 200
"""Steps at which the mean and the band over seeds are computed at most."""
LOG_RATIO = 30.0
"""Largest over smallest value above which an axis is logarithmic: below it a linear axis still shows the small values."""
INTERVENTIONS_DRAWN = 4
"""Interventions drawn in one figure at most: more lines cannot be told apart."""

CEILING_RATIO = 30.0
"""The axis ends at this many times the highest value of the runs that did not diverge: what diverges would press them into one line."""

CURVE_NAMES = {"gradient norm": ("gradient_norm", "grad_norm"), "learning rate": ("learning_rate", "lr")}


class Line(NamedTuple):
    """One line, with a band around it where ``low`` and ``high`` are given. ``role`` names its colour and dash."""

    label: str
    role: str
    steps: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    faint: bool = False


class Mark(NamedTuple):
    """A point at which a run diverged."""

    step: float
    value: float
    role: str


class Panel(NamedTuple):
    """One quantity over the steps of training."""

    title: str
    caption: str
    y_label: str
    log: bool
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    level: float | None = None
    ceiling: float | None = None


class Bars(NamedTuple):
    """Losses or metrics side by side, with their intervals."""

    title: str
    caption: str
    x_label: str
    log: bool
    bars: tuple[content.Level, ...]
    level: float | None = None


class Pairs(NamedTuple):
    """One measure before and after, seed by seed."""

    title: str
    caption: str
    y_label: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    seeds: tuple[int, ...]


class Seeds(NamedTuple):
    """The runs of one setting, one for each seed."""

    label: str
    role: str
    runs: tuple[Run, ...]


def thinned(steps: Sequence[float], values: Sequence[float], points: int = DRAWN_POINTS) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """At most ``points`` of a line's points: the ends, and the lowest and highest of each stretch, so that no spike is lost."""
    if len(steps) <= points:
        return tuple(steps), tuple(values)
    kept = {0, len(steps) - 1}
    for stretch in np.array_split(np.arange(1, len(steps) - 1), (points - 2) // 2):
        part = np.asarray([values[i] for i in stretch])
        finite = stretch[np.isfinite(part)]
        if len(finite):
            inside = [values[i] for i in finite]
            kept |= {int(finite[int(np.argmin(inside))]), int(finite[int(np.argmax(inside))])}
        else:
            kept.add(int(stretch[0]))
    order = sorted(kept)
    return tuple(steps[i] for i in order), tuple(values[i] for i in order)


def is_log(lines: Iterable[Line], level: float | None = None) -> bool:
    """Whether a logarithmic axis shows these lines better: nothing negative, and the values span more than LOG_RATIO."""
    values = [v for line in lines for v in line.values if math.isfinite(v)] + (
        [level] if level is not None and math.isfinite(level) else []
    )
    return _spans(values)


def _spans(values: Sequence[float]) -> bool:
    positive = [v for v in values if v > 0]
    return bool(positive) and min(values) >= 0 and max(positive) > LOG_RATIO * min(positive)


def baseline_panels(diagnosis: Diagnosis) -> tuple[Panel, ...]:
    """Loss, metric, gradient norm and learning rate of the untouched run; what was not observed is left out."""
    run = diagnosis.baseline
    return run_panels(run, content.metric_name(diagnosis), content.reachable(diagnosis)) if run else ()


def run_panels(run: Run, metric: str = "metric", floor: content.Reachable | None = None) -> tuple[Panel, ...]:
    """The curves of one run, quantity by quantity."""
    loss = _panel(run, "Loss", "loss", {"train_loss": "training", "validation_loss": "validation"}, floor and floor.value)
    if loss is None:
        loss = _panel(run, "Loss on the batches", "loss", {"batch_loss": "batches"}, floor and floor.value)
    title = metric[:1].upper() + metric[1:]
    panels = [loss, _panel(run, title, metric, {"train_metric": "training", "validation_metric": "validation"})]
    for title, names in CURVE_NAMES.items():
        name = next((n for n in names if len(run.curves.get(n, Curve()))), None)
        panels.append(_panel(run, title.capitalize(), title, {name: title}) if name else None)
    return tuple(p for p in panels if p is not None)


def _panel(run: Run, title: str, y_label: str, names: dict[str, str], level: float | None = None) -> Panel | None:
    lines, marks, was_thinned = [], [], False
    for role, (name, label) in zip(("train", "validation"), names.items(), strict=False):
        curve = run.curves.get(name, Curve())
        steps, values = _finite(curve)
        if not steps:
            continue
        drawn = thinned(steps, values)
        was_thinned |= len(drawn[0]) < len(steps)
        lines.append(Line(label, role if len(names) > 1 else "base", *drawn))
        if run.outcome is Outcome.DIVERGED and name.endswith("_loss"):
            marks.append(Mark(steps[-1], values[-1], lines[-1].role))
    if not lines:
        return None
    log = is_log(lines, level)
    caption = _sentences(
        f"{title} of the baseline run (seed {run.seed}) over its steps" if not run.remedies else f"{title} of the run over its steps",
        "dashed line: reachable" if level is not None else "",
        "logarithmic scale" if log else "",
        f"the run {words.ending(run)}" if run.outcome is not Outcome.FINISHED else "",
        f"drawn with {DRAWN_POINTS} points that keep every low and high" if was_thinned else "",
    )
    return Panel(title, caption, y_label, log, tuple(lines), tuple(marks), level)


def _finite(curve: Curve) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pairs = [(float(s), v) for s, v in zip(curve.steps, curve.values, strict=True) if math.isfinite(v)]
    return tuple(s for s, _ in pairs), tuple(v for _, v in pairs)


def _sentences(*parts: str) -> str:
    return " ".join(f"{p[:1].upper()}{p[1:]}." for p in parts if p)


def level_bars(diagnosis: Diagnosis, kind: str) -> Bars | None:
    """The reference models and the network, compared by "loss" or by "metric"."""
    levels = tuple(level for level in content.levels(diagnosis, kind) if math.isfinite(level.value))
    if len(levels) < 2:
        return None
    floor = content.reachable(diagnosis) if kind == "loss" else None
    name = "loss" if kind == "loss" else content.metric_name(diagnosis)
    log = _spans([level.value for level in levels])
    references = "reference models out of fold" if content.has_references(diagnosis) else ""
    caption = _sentences(
        f"{name.capitalize()} of the network" + (f" beside the {references}" if references else " on each split"),
        "whiskers: 95% intervals" if any(level.low is not None for level in levels) else "",
        f"dashed line: reachable, {words.number(floor.value)}" if floor else "",
        "logarithmic scale" if log else "",
    )
    return Bars(f"Compared by {name}", caption, name, log, levels, floor.value if floor and math.isfinite(floor.value) else None)


def intervention_panel(finding: Finding, diagnosis: Diagnosis) -> Panel | None:
    """The curves of a finding's interventions against the baseline's, over the seeds they share."""
    tried = _longest(e for e in finding.evidence if e.experiment == "intervention" and e.runs)
    quantity = next((str(e.details["quantity"]) for e in tried.values() if "quantity" in e.details), "train_loss")
    runs = {run.key: run for run in diagnosis.runs}
    settings = [
        Seeds("baseline", "base", _per_seed(runs[k] for e in tried.values() for k in e.runs if k in runs and not _bears(runs[k], e)))
    ]
    for position, e in enumerate(list(tried.values())[:INTERVENTIONS_DRAWN]):
        changed = _per_seed(runs[k] for k in e.runs if k in runs and _bears(runs[k], e))
        settings.append(Seeds(words.clean(e.subject or str(e.remedy)), f"s{position + 1}", changed))
    floor = next((float(f) for e in tried.values() if isinstance(f := e.details.get("reachable"), int | float)), None)
    left_out = len(tried) - INTERVENTIONS_DRAWN
    note = f"{words.plural(left_out, 'further intervention')} not drawn" if left_out > 0 else ""
    if not any(setting.runs for setting in settings[1:]):
        return None
    return seeds_panel(f"{words.quantity(quantity)}, with and without the intervention", quantity, settings, floor, note)


def _longest(evidence: Iterable[Evidence]) -> dict[RemedyRef | str, Evidence]:
    """For each intervention the evidence that trained it furthest."""
    found: dict[RemedyRef | str, Evidence] = {}
    for e in evidence:
        name = e.remedy or e.subject
        if name not in found or (e.step or 0) >= (found[name].step or 0):
            found[name] = e
    return found


def _bears(run: Run, evidence: Evidence) -> bool:
    return evidence.remedy in run.remedies if evidence.remedy else bool(run.remedies)


def _per_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    """One run for each seed: the one trained furthest."""
    best: dict[int, Run] = {}
    for run in runs:
        if run.seed not in best or run.steps > best[run.seed].steps:
            best[run.seed] = run
    return tuple(best[seed] for seed in sorted(best))


def seeds_panel(title: str, name: str, settings: Sequence[Seeds], level: float | None = None, note: str = "") -> Panel | None:
    """One quantity of several settings: each seed as a thin line, and their mean and band as far as all have a value."""
    lines: list[Line] = []
    marks: list[Mark] = []
    ended: list[str] = []
    for setting in settings:
        curves = [(run, *_finite(run.curves.get(name, Curve()))) for run in setting.runs]
        curves = [curve for curve in curves if curve[1]]
        if not curves:
            continue
        if len(curves) > 1:
            lines += [Line("", setting.role, *thinned(steps, values), faint=True) for _, steps, values in curves]
        lines.append(_band(setting, curves))
        for run, steps, values in curves:
            if run.outcome is Outcome.DIVERGED:
                marks.append(Mark(steps[-1], values[-1], setting.role))
                ended.append(f"{setting.label}, seed {run.seed}, {words.ending(run)} (marked with a cross)")
    if not lines:
        return None
    ceiling = _ceiling(lines, marks)
    if ceiling is not None:
        marks = [mark._replace(value=min(mark.value, ceiling)) for mark in marks]
    several = any(len(setting.runs) > 1 for setting in settings)
    log = is_log([line for line in lines if not line.faint], level) or ceiling is not None
    caption = _sentences(
        title,
        "thick line: mean over the seeds that did not diverge, band: their lowest to highest, thin lines: single seeds" if several else "",
        "dashed line: reachable" if level is not None else "",
        "logarithmic scale" if log else "",
        *ended,
        "the axis ends below the values of what diverged" if ceiling is not None else "",
        note,
    )
    return Panel(title[:1].upper() + title[1:], caption, words.quantity(name), log, tuple(lines), tuple(marks), level, ceiling)


def _ceiling(lines: Sequence[Line], marks: Sequence[Mark]) -> float | None:
    """Where the axis ends, if the diverged runs go far above the others; None if they do not, or if all diverged."""
    settled = [v for line in lines if not line.faint for v in (*line.values, *line.high) if v > 0]
    if not marks or not settled or max(mark.value for mark in marks) <= CEILING_RATIO * max(settled):
        return None
    return CEILING_RATIO * max(settled)


def _band(setting: Seeds, drawn: Sequence[tuple[Run, tuple[float, ...], tuple[float, ...]]]) -> Line:
    """Mean, lowest and highest of the runs that did not diverge; of all of them where every one did."""
    curves = [(steps, values) for run, steps, values in drawn if run.outcome is not Outcome.DIVERGED]
    diverged = f", {len(drawn) - len(curves)} diverged" if len(curves) < len(drawn) else ""
    curves = curves or [(steps, values) for _, steps, values in drawn]
    label = setting.label + (f" ({words.plural(len(drawn), 'seed')}{diverged})" if len(drawn) > 1 or diverged else "")
    if len(curves) == 1:
        return Line(label, setting.role, *thinned(*curves[0]))
    first, last = max(s[0] for s, _ in curves), min(s[-1] for s, _ in curves)
    union = np.unique(np.concatenate([np.asarray(s) for s, _ in curves]))
    union = union[(union >= first) & (union <= last)]
    if not len(union):
        return Line(label, setting.role, (), ())
    if len(union) > BAND_POINTS:
        union = union[np.unique(np.linspace(0, len(union) - 1, BAND_POINTS).round().astype(int))]
    values: NDArray[np.float64] = np.stack([np.interp(union, s, v) for s, v in curves])
    low, high = values.min(axis=0), values.max(axis=0)
    return Line(label, setting.role, _floats(union), _floats(values.mean(axis=0)), _floats(low), _floats(high))


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def treatment_panels(treatment: Treatment) -> tuple[Panel, ...]:
    """Training and validation loss before and after the treatment, over seeds."""
    before, after = content.verified_by(treatment)
    settings = [Seeds("before", "base", before), Seeds("after", "s1", after)]
    panels = (seeds_panel(f"{words.quantity(n)} before and after", n, settings) for n in ("train_loss", "validation_loss")) if after else ()
    return tuple(p for p in panels if p is not None)


def comparison_pairs(treatment: Treatment) -> tuple[Pairs, ...]:
    """Each measure of the verification, paired over seeds; a pair that holds no number is left out of the figure."""
    drawn = []
    for c in treatment.comparisons:
        finite = [p for p in zip(c.before, c.after, c.seeds, strict=False) if math.isfinite(p[0]) and math.isfinite(p[1])]
        if not finite:
            continue
        before, after, seeds = zip(*finite, strict=True)
        name = words.quantity(c.measure)
        left_out = len(c.before) - len(finite)
        caption = _sentences(
            f"{name} before and after, one line for each of {words.plural(len(finite), 'seed')}",
            f"{'higher' if c.higher_is_better else 'lower'} is better",
            f"gain {words.number(c.gain)} ({words.USUAL_INTERVAL} {words.bounds(c.low, c.high)})",
            f"better with probability {words.percent(c.probability)}",
            f"{words.plural(left_out, 'seed')} without a finite value not drawn" if left_out else "",
        )
        drawn.append(Pairs(name[:1].upper() + name[1:], caption, name, before, after, seeds))
    return tuple(drawn)
