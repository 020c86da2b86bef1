"""Progress as lines, as a line on a terminal that is renewed, and where nobody looks."""

from __future__ import annotations

import io
import re
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from traindx.report.progress import REFRESHES_PER_SECOND, Lines, Progress, told


def progress(done: float = 1.04, remaining: float | None = 75.0) -> Progress:
    return Progress(stage="race: learning-rate x 0.1", done=done, total=8.0, seconds=12.3, remaining=remaining)


def test_lines_of_progress_keep_their_distance() -> None:
    stream, clock = io.StringIO(), SimpleNamespace(now=0.0)
    lines = Lines(stream, every=5.0, clock=lambda: clock.now)
    for clock.now in (0.0, 1.0, 4.9, 5.1, 9.0, 20.0):
        lines(progress())
    assert stream.getvalue().count("\n") == 3
    assert stream.getvalue().startswith("traindx: 1 of 8 baseline runs, 12 s, at most 1 min 15 s left: race: learning-rate x 0.1\n")


def test_an_unknown_rest_is_not_estimated() -> None:
    stream = io.StringIO()
    Lines(stream)(progress(remaining=None))
    assert "left" not in stream.getvalue()


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with told(True) as show:
        assert show is not None
        show(progress())
        time.sleep(2 / REFRESHES_PER_SECOND)
    assert "1 of 8 baseline runs" in stream.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_on_a_narrow_terminal_only_the_stage_is_cut_and_the_clock_goes_on(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    with told(True) as show:
        assert show is not None
        show(replace(progress(), stage="race " * 40))
        time.sleep(1.2)
    lines = [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())) if "race" in line]
    assert all(line.startswith("1 of 8 baseline runs ") and "at most 1 min 15 s left, race" in line for line in lines)
    assert all(len(line.rstrip()) <= width and line.rstrip().endswith("…") for line in lines)
    assert {"0:00:00", "0:00:01"} <= set(re.findall(r"\d:\d\d:\d\d", " ".join(lines)))


def test_what_the_training_prints_stays_on_standard_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with told(True) as show:
        assert show is not None
        show(progress())
        sys.stdout.write("epoch 1\n")
    assert capsys.readouterr().out == "epoch 1\n"
    assert "epoch 1" not in stream.getvalue()


@pytest.mark.parametrize("wanted", [True, False])
def test_without_a_terminal_nothing_is_shown(wanted: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with told(wanted) as show:
        assert show is None
    assert capsys.readouterr() == ("", "")


class Tee:
    """Stands in for a stream, as loggers do, and knows nothing of terminals."""

    def write(self, text: str) -> int:
        """As a stream."""
        return len(text)

    def flush(self) -> None:
        """As a stream."""


@pytest.mark.parametrize("stream", [Tee(), None])
def test_a_stream_that_is_no_stream_is_no_terminal(stream: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with told(True) as show:
        assert show is None


def test_nothing_is_shown_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with told(False) as show:
        assert show is None


def test_a_function_is_told_itself() -> None:
    heard: list[Progress] = []
    with told(heard.append) as show:
        assert show is not None
        show(progress())
    assert heard == [progress()]
