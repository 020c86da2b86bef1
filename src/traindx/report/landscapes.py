"""What the figures of a curvature record show, as plain values: computed here, drawn in ``draw_landscapes``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from traindx.records import Curvature, Profile, Surface, find
from traindx.report import words
from traindx.report.figures import Line, is_log

CEILING_QUANTILE, CEILING_FACTOR = 0.9, 3.0
"""A surface is cut off at this factor of what nine tenths of its losses stay below: a few steep corners would flatten all else."""
LEVELS = 12
"""Contours of a surface."""
EIGENVALUES_MARKED = 5
DENSITY_SHOWN = 1e-6
"""Of the highest density: what is lower is drawn there."""


class Lines(NamedTuple):
    """Several lines over one axis, with ``marks`` at positions and an optional level; or ``points``, which no line joins.

    Where there are ``names``, they stand below the positions 1, 2, ….
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    log: bool
    lines: tuple[Line, ...]
    marks: tuple[tuple[str, float], ...] = ()
    level: tuple[str, float] | None = None
    whole_steps: bool = False
    points: bool = False
    log_x: bool = False
    names: tuple[str, ...] = ()


class Relief(NamedTuple):
    """A loss surface, cut at ``ceiling``, with the levels of its contours and the way of the training.

    ``marks`` tells of what is marked on it from above; in perspective nothing is.
    """

    title: str
    caption: str
    marks: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    levels: tuple[float, ...]
    log: bool
    way: tuple[tuple[float, float], ...]


def all_lines(record: Curvature) -> tuple[Lines, ...]:
    """Every figure of lines that the record has numbers for."""
    return tuple(found for found in (*profiles(record), stability(record), density(record)) if found is not None)


def reliefs(record: Curvature) -> tuple[Relief, ...]:
    """Every surface that has any height."""
    found = (relief(surface) for surface in record.surfaces)
    return tuple(r for r in found if math.isfinite(r.levels[-1]) and r.levels[-1] > r.levels[0])


def from_above(relief: Relief) -> Relief:
    """The same with the marks told of in its caption."""
    return relief._replace(caption=f"{relief.caption} {relief.marks}")


def stability(record: Curvature) -> Lines | None:
    """The rate times the largest eigenvalue along the training, with the bound of stability."""
    curve = record.curves.get("rate_times_largest_eigenvalue")
    if curve is None or len(curve) < 2:
        return None
    told = find(record.evidence, "critical_point", "rate_times_largest_eigenvalue")
    bound = told.threshold if told else None
    lines = (Line("rate x largest eigenvalue", "s1", tuple(float(s) for s in curve.steps), curve.values),)
    log = is_log(lines, bound)
    caption = (
        "The learning rate times the largest eigenvalue of the Hessian, along the training."
        + (" Dashed line: above it, steps of plain gradient descent of this momentum grow along the eigenvector." if bound else "")
        + (" Logarithmic scale." if log else "")
    )
    level = ("bound of stability", bound) if bound else None
    return Lines("Rate times curvature", caption, "step (optimizer updates)", "rate x largest eigenvalue", log, lines, (), level, True)


def density(record: Curvature) -> Lines | None:
    """The density of the eigenvalues."""
    if record.density is None:
        return None
    floor = DENSITY_SHOWN * max(record.density.losses)
    lines = (Line("density", "s1", record.density.positions, tuple(max(v, floor) for v in record.density.losses)),)
    marked = [(e.subject, e.value) for e in record.evidence if e.measure == "eigenvalue"][:EIGENVALUES_MARKED]
    caption = "Density of the eigenvalues of the Hessian; dotted: single eigenvalues that were computed, numbered from the largest. Logarithmic scale."
    return Lines("Spectrum", caption, "eigenvalue", "density (share of eigenvalues per unit)", True, lines, tuple(marked))


def profiles(record: Curvature) -> tuple[Lines, ...]:
    """The lines through the weights, those of the same unit in one figure."""
    groups: dict[str, list[Profile]] = {}
    for profile in record.profiles:
        groups.setdefault(profile.label, []).append(profile)
    return tuple(_lines(label, group) for label, group in groups.items())


def _lines(label: str, group: Sequence[Profile]) -> Lines:
    lines = tuple(_line(profile, f"s{i + 1}") for i, profile in enumerate(group[:4]))
    log = is_log(lines)
    marks = tuple(dict.fromkeys(mark for profile in group for mark in profile.marks.items()))
    title = "Loss along a line" if len(group) > 1 else f"Loss along the {words.clean(group[0].name)}"
    caption = f"Training loss along the {', the '.join(words.clean(p.name) for p in group[:4])}."
    infinite = any(not math.isfinite(v) for p in group for v in p.losses)
    caption += (" Logarithmic scale." if log else "") + (" Where the line is broken, the loss is not finite." if infinite else "")
    return Lines(title, caption, words.clean(label), "training loss", log, lines, marks)


def _line(profile: Profile, role: str) -> Line:
    values = tuple(v if math.isfinite(v) else math.nan for v in profile.losses)
    return Line(words.clean(profile.name), role, profile.positions, values)


def relief(surface: Surface) -> Relief:
    """A surface with its contours; what is far above the rest is cut off, and the caption says so."""
    values = sorted(v for row in surface.losses for v in row if math.isfinite(v))
    lowest, highest = (values[0], values[-1]) if values else (0.0, 1.0)
    usual = values[int(CEILING_QUANTILE * (len(values) - 1))] if values else 1.0
    ceiling = min(highest, lowest + CEILING_FACTOR * (usual - lowest)) if usual > lowest else highest
    cut = ceiling < highest or any(not math.isfinite(v) for row in surface.losses for v in row)
    log = lowest > 0 and ceiling > 30 * lowest
    losses = tuple(tuple(min(v, ceiling) if not math.isnan(v) else ceiling for v in row) for row in surface.losses)
    way = tuple(zip(surface.way_x, surface.way_y, strict=True))
    caption = " ".join(
        part
        for part in (
            f"Training loss in the plane of {words.clean(surface.name)}.",
            words.clean(surface.note),
            f"Losses above {words.number(ceiling)} are cut off." if cut else "",
            "Contours at equal ratios." if log else "",
        )
        if part
    )
    title = f"Plane of {words.clean(surface.name)}"
    marks = "The cross is where the weights are." + (" The line is the way of the training, from the dot on." if way else "")
    return Relief(
        title, caption, marks, surface.x_label, surface.y_label, surface.x, surface.y, losses, _levels(lowest, ceiling, log), log, way
    )


def _levels(low: float, high: float, log: bool) -> tuple[float, ...]:
    if not high > low:
        return (low, low + max(abs(low), 1.0) * 1e-6)
    if log:
        return tuple(low * (high / low) ** (i / LEVELS) for i in range(LEVELS + 1))
    return tuple(low + (high - low) * i / LEVELS for i in range(LEVELS + 1))
