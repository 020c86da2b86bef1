"""What a long command tells while it works: on a line of a terminal or a notebook that is renewed, or as plain lines."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from traindx.report import duration

LINE_SECONDS = 5.0
"""Between two plain lines."""
REFRESHES_PER_SECOND = 4
AMOUNT_WIDTH, BAR_WIDTH, CLOCK_WIDTH = 24, 10, 7
"""Columns of the line on a terminal: "12.4 of 20 baseline runs", the bar, "0:12:34"; what is left is for the stage."""


@dataclass(frozen=True)
class Progress:
    """How far a command is: what runs now, how much is done and at most to do (``unit`` says of what), seconds, and those left at most, estimated."""

    stage: str
    done: float
    total: float
    seconds: float
    remaining: float | None
    unit: str = "baseline runs"


ProgressCallback = Callable[[Progress], None]


class Lines:
    """Progress as plain lines, one at once and then one at most every ``every`` seconds."""

    def __init__(self, stream: TextIO, every: float = LINE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._every, self._clock = stream, every, clock
        self._next = -math.inf

    def __call__(self, progress: Progress) -> None:
        """Print the line, if it is time for one."""
        if self._clock() >= self._next:
            self._next = self._clock() + self._every
            said = ", ".join(part for part in (_amount(progress), duration(progress.seconds), _left(progress)) if part)
            print(f"traindx: {said}: {progress.stage}", file=self._stream, flush=True)


@contextmanager
def on_screen() -> Iterator[ProgressCallback]:
    """A line whose clock goes on while a stage lasts; where the terminal is narrow, only what is being done is cut. It is gone at the end.

    On standard error, or in the notebook that this is called from.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    columns = (
        TextColumn("{task.fields[amount]}", markup=False, table_column=Column(width=AMOUNT_WIDTH, no_wrap=True)),
        BarColumn(bar_width=BAR_WIDTH, table_column=Column(width=BAR_WIDTH)),
        TimeElapsedColumn(table_column=Column(width=CLOCK_WIDTH, no_wrap=True)),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    line = Bar(
        *columns,
        console=Console(stderr=True),
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
        expand=True,
        redirect_stdout=_is_terminal(sys.stdout),  # what the training prints goes above the line; into a file or a pipe as it is
    )
    with line:
        shown = line.add_task("reading", total=None, amount="")

        def update(progress: Progress) -> None:
            said = ", ".join(part for part in (_left(progress), progress.stage) if part)
            line.update(shown, description=said, completed=progress.done, total=progress.total, amount=_amount(progress))

        yield update


@contextmanager
def told(progress: ProgressCallback | bool) -> Iterator[ProgressCallback | None]:
    """Whom to tell: the caller's function; where it is True, a line on the screen, if there is one to be looked at; or nobody."""
    if not isinstance(progress, bool):
        yield progress
    elif progress and _is_looked_at():
        with on_screen() as show:
            yield show
    else:
        yield None


def _is_looked_at() -> bool:
    """A terminal, or a notebook."""
    from rich.console import Console

    return _is_terminal(sys.stderr) or Console(stderr=True).is_jupyter


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody reads along: streams that stand in for the process's own may be closed, or know nothing of terminals."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def _amount(progress: Progress) -> str:
    return f"{round(progress.done, 1):g} of {progress.total:g} {progress.unit}"


def _left(progress: Progress) -> str:
    return f"at most {duration(progress.remaining)} left" if progress.remaining is not None else ""
