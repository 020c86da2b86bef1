"""Draws the figures of curvature: lines, contours and surfaces, as inline SVG in the page's colours or as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from traindx.report import draw, words
from traindx.report.landscapes import Lines, Relief

PIXELS_PER_INCH = 160
SEQUENCE: Final = "viridis"
"""Read in the same order by all eyes and in grey, on light and on dark paper."""
ELEVATION, AZIMUTH = 32, -58
"""From where a surface is seen, in degrees."""
DARK: Final = {
    "ink": "#e8ebef",
    "muted": "#a5afba",
    "grid": "#343b45",
    "base": "#9aa5b1",
    "s1": "#6cb2ff",
    "s2": "#ff9d5c",
    "s3": "#5fd38d",
    "s4": "#cf9bf5",
}
LIGHT_PAPER, DARK_PAPER = "#ffffff", "#14171c"
WAY, EDGE = "#ffffff", "#10131a"
"""The way and the marks on a surface, whose own colours are dark or light by turns: white with a dark edge is seen on all of them."""

LETTER_WIDTH, ROW_HEIGHT = 1 / 45, 12
"""Of a name at a mark: a letter's share of the axis, and points from one row to the next."""

UPRIGHT_LETTERS: Final = 30
"""So many fit beside the axis of a flat figure."""

SLANTED_LETTERS: Final = 18
"""So many fit along the edge of a surface in perspective."""

LETTERS: Final = 60
"""So many letters fit below the axis, side by side."""

MARKERS: Final = {"s1": "o", "s2": "^", "s3": "s", "s4": "D"}
"""Of points: told apart by their shape also where colours are not."""

Palette = Mapping[str, str]


def lines(data: Lines) -> str:
    """Several lines over one axis, as SVG."""
    return _as_svg(lambda: _lines(data, draw.COLOURS), data.caption)


def contours(data: Relief) -> str:
    """A surface from above, as SVG."""
    return _as_svg(lambda: _contours(data, draw.COLOURS), data.caption)


def surface(data: Relief) -> str:
    """A surface in perspective, as SVG."""
    return _as_svg(lambda: _surface(data, draw.COLOURS), data.caption)


def _as_svg(made: Callable[[], Figure], caption: str) -> str:
    with draw.styled():
        return draw.svg(made(), caption)


def png(data: Lines | Relief, path: Path, dark: bool = False, perspective: bool = False) -> Path:
    """Write a figure as a PNG file on light or dark paper."""
    palette = DARK if dark else draw.COLOURS
    with draw.styled():
        mpl.rcParams.update(_inks(palette))
        figure = _lines(data, palette) if isinstance(data, Lines) else (_surface if perspective else _contours)(data, palette)
        figure.patch.set_visible(True)
        figure.patch.set_facecolor(DARK_PAPER if dark else LIGHT_PAPER)
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=PIXELS_PER_INCH, format="png", metadata={"Software": "traindx", "Description": data.caption})
    return path


def _inks(palette: Palette) -> Any:
    ink, muted = palette["ink"], palette["muted"]
    return {
        **{name: ink for name in ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor")},
        **{name: muted for name in ("axes.edgecolor", "xtick.color", "ytick.color")},
        "grid.color": palette["grid"],
    }


# --- Lines -------------------------------------------------------------------------------------------------------------------------


def _lines(data: Lines, palette: Palette) -> Figure:
    labels = len(data.lines) + len(data.marks) + (data.level is not None)
    figure, axes = draw.new(5.6, 3.1 + draw.LEGEND_ROW * (labels + 1) // 2)
    for line in data.lines:
        look: dict[str, Any] = {"color": palette[line.role], "linestyle": draw.DASHES.get(line.role, "-")}
        look |= {"marker": "o", "markersize": 4} if data.whole_steps else {}
        look |= {"marker": MARKERS.get(line.role, "o"), "markersize": 6, "linestyle": "none", "alpha": 0.8} if data.points else {}
        axes.plot(line.steps, draw.drawable(line.values), linewidth=2, label=line.label, **look)
    if data.level is not None:
        name, level = data.level
        axes.axhline(level, color=palette["ink"], linestyle=(0, (3, 2)), linewidth=1.1, label=f"{name}: {words.number(level)}")
    draw.scale(axes, "y", data.log)
    _positions(axes, data)
    _named_positions(axes, data, palette)
    axes.set_xlabel(draw.fit(data.x_label))
    axes.set_ylabel(fill(draw.fit(data.y_label), UPRIGHT_LETTERS))
    draw.legend(axes)
    return figure


def _positions(axes: Axes, data: Lines) -> None:
    """The axis below: names, a logarithm, or numbers."""
    if data.names:
        axes.set_xlim(0.5, len(data.names) + 0.5)
        axes.set_xticks(
            range(1, len(data.names) + 1),
            [fill(words.clean(name), LETTERS // len(data.names), break_long_words=False) for name in data.names],
        )
        return
    if data.log_x:
        draw.scale(axes, "x", log=True)
        return
    if data.whole_steps:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=draw.NICE_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(round(value, 12))))


def _named_positions(axes: Axes, data: Lines, palette: Palette) -> None:
    """Fine vertical lines with their names at the lower end, in rows where they would cover each other."""
    ends: list[float] = []  # of the last name in each row
    for name, position in sorted(data.marks, key=lambda mark: mark[1]):
        axes.axvline(position, color=palette["muted"], linewidth=1, linestyle=(0, (1, 2)))
        place = axes.transAxes.inverted().transform(axes.transData.transform((position, axes.get_ylim()[0])))[0]
        row = next((i for i, end in enumerate(ends) if end <= place), len(ends))
        ends[row : row + 1] = [place + (len(words.clean(name)) + 1) * LETTER_WIDTH]
        axes.annotate(
            words.clean(name),
            (position, 0.02),
            (4, row * ROW_HEIGHT),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            fontsize=10,
            color=palette["ink"],
        )


# --- Surfaces ----------------------------------------------------------------------------------------------------------------------


def _contours(data: Relief, palette: Palette) -> Figure:
    figure, axes = draw.new(5.6, 4.4)
    norm, colours = _colours(data)
    x, y, z = _grid(data)
    axes.contourf(x, y, z, levels=data.levels, cmap=colours, norm=norm, extend="neither")
    axes.contour(x, y, z, levels=data.levels, colors=EDGE, linewidths=0.5, alpha=0.55)
    axes.grid(visible=False)
    if data.way:
        _way(axes, data.way)
    axes.plot([0], [0], marker="X", markersize=11, color=WAY, markeredgecolor=EDGE, markeredgewidth=1.2, linestyle="none")
    axes.set_xlim(data.x[0], data.x[-1])
    axes.set_ylim(data.y[0], data.y[-1])
    _plain_ticks(axes)
    axes.set_xlabel(draw.fit(data.x_label))
    axes.set_ylabel(draw.fit(data.y_label))
    _colour_bar(figure, axes, data, norm, colours, palette)
    return figure


def _way(axes: Axes, way: tuple[tuple[float, float], ...]) -> None:
    xs, ys = zip(*way, strict=True)
    axes.plot(xs, ys, color=WAY, linewidth=2, path_effects=[withStroke(linewidth=3.6, foreground=EDGE)])
    axes.plot(xs[:1], ys[:1], "o", markersize=8, color=WAY, markeredgecolor=EDGE, markeredgewidth=1.2)


def _surface(data: Relief, palette: Palette) -> Figure:
    figure = Figure(figsize=(5.6, 4.4))
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    axes: Any = figure.add_axes((0.02, 0.03, 0.86, 0.97), projection="3d")
    axes.patch.set_visible(False)
    norm, colours = _colours(data)
    x, y, z = _grid(data)
    heights = np.log10(z) if data.log else z
    axes.plot_surface(x, y, heights, facecolors=colours(norm(z)), rstride=1, cstride=1, linewidth=0.15, edgecolor=EDGE, shade=False)
    axes.view_init(elev=ELEVATION, azim=AZIMUTH)
    axes.set_box_aspect(None, zoom=0.86)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color(palette["muted"])
        axis._axinfo["grid"].update(color=palette["grid"], linewidth=0.8)
    _plain_ticks(axes)
    axes.zaxis.set_major_locator(MaxNLocator(nbins=4, integer=data.log, steps=draw.NICE_STEPS))
    axes.zaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(10.0**value if data.log else round(value, 12))))
    axes.tick_params(pad=1, labelsize=9.5)
    axes.set_xlabel(fill(draw.fit(data.x_label.partition(" (")[0]), SLANTED_LETTERS), labelpad=10)
    axes.set_ylabel(fill(draw.fit(data.y_label.partition(" (")[0]), SLANTED_LETTERS), labelpad=10)
    axes.set_zlabel("training loss", labelpad=6)
    return figure


def _colours(data: Relief) -> tuple[Normalize, Colormap]:
    low, high = data.levels[0], data.levels[-1]
    return (LogNorm(low, high) if data.log else Normalize(low, high)), mpl.colormaps[SEQUENCE]


def _grid(data: Relief) -> tuple[Any, Any, Any]:
    x, y = np.meshgrid(np.asarray(data.x), np.asarray(data.y))
    return x, y, np.asarray(data.losses)


def _plain_ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, steps=draw.NICE_STEPS))
        axis.set_major_formatter(draw.Plain())


def _colour_bar(figure: Figure, axes: Axes, data: Relief, norm: Normalize, colours: Colormap, palette: Palette) -> None:
    shown = figure.colorbar(ScalarMappable(norm, colours), ax=axes, pad=0.02, fraction=0.06)
    wanted = [data.levels[round(i * (len(data.levels) - 1) / 4)] for i in range(5)]
    shown.set_ticks(sorted(set(wanted)))
    shown.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(float(f"{value:.3g}"))))
    shown.ax.minorticks_off()
    shown.outline.set_edgecolor(palette["muted"])
    shown.set_label("training loss")
