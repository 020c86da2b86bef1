"""Comma-, semicolon-, tab- or space-separated text, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from traindx.records import InputError
from traindx.tasks.readers.base import MISSING, Table, column, existing

_DELIMITERS = (",", ";", "\t", "|")


def read_delimited(path: Path, argument: str, header: bool | None) -> Table:
    """The table; the header is recognized by itself unless said.

    Raises:
        InputError: when the file is no text, has no rows, or rows of different lengths (the line is named).

    """
    lines = [(number, line) for number, line in enumerate(_text(existing(path, argument), argument).splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(argument, f"{path} has no rows", "give a file with rows")
    rows = _cells(lines, path, argument)
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise InputError(
                argument, f"line {number} of {path.name} has {len(row)} values, the first row {width}", "give rows of equal length"
            )
    cells = [row for _, row in rows]
    named = _has_header(cells) if header is None else header
    if named and len(cells) == 1:
        raise InputError(argument, f"{path} has a header and no rows", "give a file with rows, or --no-header")
    names = [name.strip() or str(i) for i, name in enumerate(cells[0])] if named else [str(i) for i in range(width)]
    body = cells[1:] if named else cells
    return Table(tuple(column(name, [row[i] for row in body]) for i, name in enumerate(names)))


def _text(path: Path, argument: str) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, ValueError) as error:
        raise InputError(argument, f"{path} cannot be unpacked ({error})", "give a sound gzip file") from None
    if b"\0" in data[:4096]:
        raise InputError(argument, f"{path} is no text", "give a text table, or name the format by the file's ending")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _cells(lines: list[tuple[int, str]], path: Path, argument: str) -> list[tuple[int, list[str]]]:
    counts = {d: lines[0][1].count(d) for d in _DELIMITERS}
    delimiter = max(counts, key=lambda d: counts[d])
    if not counts[delimiter]:
        return [(number, line.split()) for number, line in lines]
    try:
        rows = csv.reader((line for _, line in lines), delimiter=delimiter, skipinitialspace=True, strict=True)
        return [(lines[min(rows.line_num, len(lines)) - 1][0], row) for row in rows]
    except csv.Error as error:
        raise InputError(argument, f"{path.name} is no table ({error})", "give well-formed rows") from None


def _has_header(cells: list[list[str]]) -> bool:
    """A first row without numbers, over a body that has some; or distinct names over a text table whose other rows repeat themselves."""
    first, body = cells[0], cells[1:]
    if not body or any(_is_number(cell) for cell in first):
        return False
    if any(_is_number(cell) for row in body[:50] for cell in row):
        return True
    seen = {cell for row in body for cell in row}
    return len(set(first)) == len(first) and not any(cell in seen for cell in first)


def _is_number(cell: str) -> bool:
    if cell.strip().lower() in MISSING:
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True
