"""What others logged, as runs: TensorBoard's event files and CSV logs.

Event files are read without TensorBoard: they are records (length, checksum, bytes, checksum) of protocol-buffer messages, of which the few
fields that hold scalars are taken out. Whatever else is in them is passed over; nothing is executed.
"""

from __future__ import annotations

import csv
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from traindx.records import Curve, Diagnosis, InputError, Outcome, Recipe, Run
from traindx.tasks.fingerprint import digest
from traindx.watching.findings import diagnosis_of, ranked
from traindx.watching.signs import cannot_tell, of_finished

EVENTS = "*tfevents*"
# How the same quantity is called by others; the first pattern that matches a name decides.
NAMES = (
    ("validation_loss", re.compile(r"(val|eval|test|dev).*loss|loss.*(val|eval|test|dev)", re.IGNORECASE)),
    ("learning_rate", re.compile(r"(^|[/_. -])(lr|learning_?rate)([/_. -]|$)", re.IGNORECASE)),
    ("gradient_norm", re.compile(r"grad(ient)?s?[/_. -]*(2[/_. -]*)?norm", re.IGNORECASE)),
    ("batch_loss", re.compile(r"loss", re.IGNORECASE)),
)
STEPS = ("step", "global_step", "iteration", "iter", "epoch")
"""Columns of a CSV log that count, the finest first."""


def is_log(path: Path) -> bool:
    """Whether a path is a log: an event file, a CSV file with a loss beside a count of steps, or a folder that holds such files."""
    if path.is_dir():
        return any(path.rglob(EVENTS)) or any(_is_csv_log(p) for p in path.rglob("*.csv"))
    return path.is_file() and ("tfevents" in path.name or _is_csv_log(path))


def _is_csv_log(path: Path) -> bool:
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        header = next(csv.reader(stream), [])
    return _steps_column(header) is not None and any("loss" in name.lower() for name in header)


def _steps_column(header: list[str]) -> str | None:
    return next((name for wanted in STEPS for name in header if name.strip().lower() == wanted), None)


def diagnose_logs(path: str | Path) -> Diagnosis:
    """What the curves of one logged run show, and what they leave open.

    Args:
        path: an event file, a CSV log, or the folder of one run.

    Raises:
        InputError: when there is no log, more than one run, or no loss in it.

    """
    run = read_log(Path(path))
    return diagnosis_of(run, ranked(of_finished(run)), cannot_tell(run))


def read_log(path: Path) -> Run:
    """The run that was logged.

    Raises:
        InputError: as for `diagnose_logs`.

    """
    files = sorted([*path.rglob(EVENTS), *(p for p in path.rglob("*.csv") if _is_csv_log(p))]) if path.is_dir() else [path]
    folders = {file.parent for file in files}
    if len(folders) > 1:
        listed = ", ".join(str(folder.relative_to(path)) for folder in sorted(folders)[:4]) + (", ..." if len(folders) > 4 else "")
        raise InputError("SOURCE", f"found {len(folders)} runs in {path} ({listed})", "give the folder of one of them")
    scalars: dict[str, dict[int, float]] = {}
    for file in files:
        for name, step, value in _of_csv(file) if file.suffix == ".csv" else _of_events(file):
            scalars.setdefault(name, {})[step] = value
    curves = _named(scalars)
    if "batch_loss" not in curves:
        raise InputError(
            "SOURCE", f"found no training loss in {path}, among: {', '.join(sorted(scalars)) or 'nothing'}", "log one as train_loss"
        )
    losses = curves["batch_loss"]
    broken = not all(math.isfinite(v) for v in losses.values)
    return Run(
        key=digest("logged", path.name, [c.model_dump_json() for c in curves.values()]),
        task="",
        task_name=path.stem if path.is_file() else path.name,
        recipe=Recipe(lr=max(curves["learning_rate"].values) if "learning_rate" in curves else 0.01),
        outcome=Outcome.DIVERGED if broken else Outcome.FINISHED,
        steps=max(curve.steps[-1] for curve in curves.values()),
        epochs=float(len(curves.get("validation_loss", Curve())) or 1),
        seconds=0.0,
        curves=curves,
    )


def _named(scalars: dict[str, dict[int, float]]) -> dict[str, Curve]:
    """Curves by our names; of several series for one name, that with the most points, and a training loss is none of a part of the model."""
    chosen: dict[str, dict[int, float]] = {}
    for name in sorted(scalars):
        ours = next((ours for ours, pattern in NAMES if pattern.search(name)), None)
        if ours is not None and len(scalars[name]) > len(chosen.get(ours, {})):
            chosen[ours] = scalars[name]
    return {name: Curve(steps=tuple(sorted(points)), values=tuple(points[s] for s in sorted(points))) for name, points in chosen.items()}


def _of_csv(path: Path) -> Iterator[tuple[str, int, float]]:
    """(name, step, value) of every number; cells that are empty or hold words are passed over."""
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        reader = csv.DictReader(stream)
        column = _steps_column(list(reader.fieldnames or []))
        for index, row in enumerate(reader):
            step = _number(row.get(column or "")) if column else None
            for name, cell in row.items():
                value = _number(cell) if name is not None and name != column else None
                if value is not None:
                    yield name, index if step is None else int(step), value


def _number(cell: object) -> float | None:
    try:
        return float(cell) if isinstance(cell, str) and cell.strip() else None
    except ValueError:
        return None


# --- Event files -------------------------------------------------------------------------------------------------------------------


def _of_events(path: Path) -> Iterator[tuple[str, int, float]]:
    """(tag, step, value) of every scalar; a last record that was cut off is the end."""
    data = path.read_bytes()
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = data[at + 12 : at + 12 + length]
        if len(event) < length:
            return
        yield from _scalars(event)
        at += 16 + length


def _scalars(event: bytes) -> Iterator[tuple[str, int, float]]:
    """Event: step is field 2, summary 5; Summary: values are field 1; Value: tag 1, simple_value 2, tensor 8; Tensor: content 4, floats 5."""
    fields = list(_fields(event))
    step = next((v for number, v in fields if number == 2 and isinstance(v, int)), 0)
    for value in (v for n, s in fields if n == 5 and isinstance(s, bytes) for n, v in _fields(s) if n == 1 and isinstance(v, bytes)):
        parts = dict(_fields(value))
        tag, simple, tensor = parts.get(1), parts.get(2), parts.get(8)
        if isinstance(tensor, bytes) and simple is None:
            inner = dict(_fields(tensor))
            simple = next((v for v in (inner.get(5), inner.get(4)) if isinstance(v, bytes) and len(v) == 4), None)
        if isinstance(tag, bytes) and isinstance(simple, bytes) and len(simple) == 4:
            yield tag.decode("utf-8", "replace"), step, struct.unpack("<f", simple)[0]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol-buffer message: integers of varints, bytes of all else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        else:
            length = {1: 8, 5: 4}.get(kind, len(message))
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at
