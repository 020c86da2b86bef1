"""Draws figure data with matplotlib as inline SVG: text stays text, colours follow the page's scheme, equal data give equal bytes."""

from __future__ import annotations

import hashlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import matplotlib as mpl
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from traindx.report import words
from traindx.report.figures import Bars, Pairs, Panel

COLOURS: Final = {
    "ink": "#1b1f25",
    "muted": "#57606b",
    "grid": "#d8dee5",
    "train": "#0b62b9",
    "validation": "#c4500d",
    "base": "#6e7782",
    "s1": "#0b62ba",
    "s2": "#c4500e",
    "s3": "#1a7f4c",
    "s4": "#8746b1",
}
"""Stands for the page's custom property of that name, with the light colour as what is drawn outside the page."""
DASHES: Final = {"validation": (0, (5, 2)), "s2": (0, (5, 2)), "s3": (0, (7, 2, 1.5, 2)), "s4": (0, (2, 1.5))}
LEGEND_ROW = 0.22
"""Inches that one row of the legend takes."""
DRAWABLE: Final = (1e-100, 1e100)
"""Sizes that an axis can hold with its margins; what is smaller or larger is drawn at the end."""
LONG: Final = 1e5
"""Ticks of a logarithmic axis from here on are powers of ten: in full they would run into each other."""
NICE_STEPS: Final = [1, 2, 2.5, 5, 10]
STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "traindx",
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "lines.solid_capstyle": "round",
    "axes.unicode_minus": True,
    "path.simplify": False,
}


def panel(data: Panel) -> str:
    """Lines over steps."""
    with styled():
        labels = [line.label for line in data.lines if line.label]
        figure, axes = new(5.6, 3.1 + LEGEND_ROW * len(labels) / _legend_columns(labels))
        for line in data.lines:
            look: dict[str, Any] = {"color": COLOURS[line.role], "linestyle": DASHES.get(line.role, "-")}
            if line.faint:
                axes.plot(line.steps, drawable(line.values), linewidth=0.9, alpha=0.55, **look)
                continue
            if line.low and len(line.steps) > 1:
                axes.fill_between(line.steps, drawable(line.low), drawable(line.high), color=COLOURS[line.role], alpha=0.18, linewidth=0)
            look |= {"marker": "o", "markersize": 4} if len(line.steps) == 1 else {}
            axes.plot(line.steps, drawable(line.values), linewidth=2, label=line.label, **look)
        for mark in data.marks:
            axes.plot(
                [mark.step], drawable([mark.value]), marker="x", markersize=9, markeredgewidth=2.2, color=COLOURS[mark.role], clip_on=False
            )
        if data.level is not None and math.isfinite(data.level) and not (data.log and data.level <= 0):
            axes.axhline(
                data.level, color=COLOURS["ink"], linestyle=(0, (3, 2)), linewidth=1.1, label=f"reachable: {words.number(data.level)}"
            )
        scale(axes, "y", data.log, data.ceiling)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=NICE_STEPS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
        axes.set_xlabel("step (optimizer updates)")
        axes.set_ylabel(fit(data.y_label))
        legend(axes)
        return svg(figure, data.caption)


def bars(data: Bars) -> str:
    """Horizontal bars, one a model; dots instead on a logarithmic axis, which has no zero for a bar to start from."""
    with styled():
        figure, axes = new(8.4, 0.9 + 0.36 * len(data.bars))
        for position, bar in enumerate(data.bars):
            (value,) = drawable([bar.value])
            colour = COLOURS["s1" if bar.is_network else "base"]
            if data.log and value > 0:
                axes.plot([value], [position], "o", markersize=9, color=colour)
            elif not data.log:
                axes.barh(position, value, height=0.62, color=colour, alpha=0.85)
            ends = drawable([value if end is None or not math.isfinite(end) else end for end in (bar.low, bar.high)])
            if ends[0] != ends[1]:
                axes.plot(ends, [position, position], color=COLOURS["ink"], linewidth=1.4, marker="|", markersize=8)
            axes.annotate(
                words.number(bar.value), (max(*ends, value), position), (7, 0), textcoords="offset points", va="center", fontsize=10
            )
        if data.level is not None and not (data.log and data.level <= 0):
            axes.axvline(data.level, color=COLOURS["ink"], linestyle=(0, (3, 2)), linewidth=1.1)
            place = axes.get_xaxis_transform()
            axes.text(data.level, 1.01, f"reachable: {words.number(data.level)}", transform=place, ha="left", va="bottom", fontsize=10)
        axes.yaxis.set_major_locator(FixedLocator(range(len(data.bars))))
        axes.set_yticklabels([fit(bar.label) for bar in data.bars])
        axes.set_ylim(len(data.bars) - 0.45, -0.55)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        scale(axes, "x", data.log)
        axes.margins(x=0.12)
        if not data.log and min(bar.value for bar in data.bars) >= 0:
            axes.set_xlim(left=0)
        axes.set_xlabel(fit(data.x_label))
        return svg(figure, data.caption)


def pairs(data: Pairs) -> str:
    """Before and after, joined for each seed, with the means as heavy ticks."""
    with styled():
        figure, axes = new(3.9, 3.1)
        for before, after in zip(data.before, data.after, strict=True):
            axes.plot([0, 1], [before, after], color=COLOURS["muted"], linewidth=1.1, zorder=1)
        axes.plot([0] * len(data.before), data.before, "o", markersize=7, color=COLOURS["base"])
        axes.plot([1] * len(data.after), data.after, "o", markersize=7, color=COLOURS["s1"])
        for place, values, align in ((-0.12, data.before, "right"), (1.12, data.after, "left")):
            mean = sum(values) / len(values)
            axes.annotate(f"mean\n{words.number(mean)}", (place, mean), ha=align, va="center", fontsize=10)
        axes.set_xlim(-0.62, 1.62)
        axes.xaxis.set_major_locator(FixedLocator([0, 1]))
        axes.set_xticklabels(["before", "after"])
        axes.grid(visible=False, axis="x")
        scale(axes, "y", log=False)
        axes.margins(y=0.15)
        axes.set_ylabel(fit(data.y_label))
        return svg(figure, data.caption)


@contextmanager
def styled() -> Iterator[None]:
    """The report's own style, whatever the user's settings; they are put back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast(Any, STYLE))
        yield


def drawable(values: Sequence[float]) -> list[float]:
    """The values, within what an axis can hold."""
    smallest, largest = DRAWABLE
    return [math.copysign(min(max(abs(v), smallest), largest), v) if v else v for v in values]


def new(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of this size in inches, without paper of its own."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    return figure, axes


def scale(axes: Axes, which: str, log: bool, ceiling: float | None = None) -> None:
    """A linear or logarithmic axis with few round ticks."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    if log:
        axes.set_yscale("log", nonpositive="mask") if which == "y" else axes.set_xscale("log", nonpositive="mask")
        if ceiling is not None:
            axes.set_ylim(top=ceiling)
        low, high = sorted(axes.get_ylim() if which == "y" else axes.get_xlim())
        subs: Sequence[float] = (1.0, 2.0, 5.0) if high / low < 200 else (1.0, 3.0) if high / low < 5000 else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs, numticks=8))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(nbins=6, steps=NICE_STEPS))
    axis.set_major_formatter(FuncFormatter(_power_tick) if log else Plain())


def _power_tick(value: float, position: int) -> str:
    return words.number(value) if value < LONG else f"1e{math.log10(value):.0f}" if math.log10(value).is_integer() else f"{value:.0e}"


class Plain(Formatter):
    """Ticks in words' numbers, or in as many digits as it takes to tell them apart."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        """One by itself."""
        return words.number(round(value, 12))

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """All of an axis."""
        labels = [self(value) for value in values]
        for digits in range(4, 13):
            if len(set(labels)) == len(labels):
                break
            labels = [f"{round(value, 12):.{digits}g}" for value in values]
        return labels


def legend(axes: Axes) -> None:
    """Above the plot, so that it never covers a line; none where the axis already says what the only line is."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles or labels == [axes.get_ylabel()]:
        return
    labels = [fit(label) for label in labels]
    columns = _legend_columns(labels)
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.02), "borderaxespad": 0}
    axes.legend(handles, labels, **place, ncols=columns, frameon=False, fontsize=10.5, handlelength=2.2)


def _legend_columns(labels: Sequence[str]) -> int:
    if sum(len(label) + 5 for label in labels) <= 56:
        return max(1, len(labels))
    return 2 if max(len(label) for label in labels) <= 24 else 1


def fit(text: str, length: int = 52) -> str:
    """The text on one line, cut off where it is too long."""
    text = words.clean(text)
    return text if len(text) <= length else text[: length - 3] + "..."


def svg(figure: Figure, description: str) -> str:
    """The figure as an SVG element to stand in a page: sized by the page, its ids its own, its colours the page's."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<defs>\s*</defs>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn).replace("xlink:href", "href")
    drawn = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d{2})\d+", r"\1", tag[0]), drawn)
    label = escape(description)
    drawn = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        lambda m: f'<svg class="drawn" viewBox="{m[1]}" role="img" aria-label="{label}">',
        drawn,
        count=1,
    )
    prefix = "f" + hashlib.sha256(drawn.encode()).hexdigest()[:8]
    drawn = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", drawn)
    for name, colour in COLOURS.items():
        drawn = drawn.replace(f": {colour}", f": var(--{name}, {colour})")
    return drawn.strip()
