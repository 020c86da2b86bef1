"""Dense ARFF files: nominal, numeric and text attributes."""

from __future__ import annotations

import csv
from pathlib import Path

from traindx.records import InputError
from traindx.tasks.readers.base import Table, column, existing


def read_arff(path: Path, argument: str, header: bool | None = None) -> Table:
    """The table; ``header`` is of no use here, ARFF names its attributes.

    Raises:
        InputError: when the file is not ARFF, or a row has another number of values than there are attributes.

    """
    text = existing(path, argument).read_bytes().decode("utf-8-sig", errors="replace")
    names, rows, in_data = [], [], False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("%"):
            continue
        if in_data:
            rows.append((number, _row(line, path, number, argument)))
        elif line.lower().startswith("@attribute"):
            names.append(_name(line[len("@attribute") :].strip()))
        elif line.lower().startswith("@data"):
            in_data = True
    if not names or not rows:
        raise InputError(
            argument,
            f"{path} has {len(names)} attributes and {len(rows)} rows",
            "give an ARFF file with @attribute lines and rows after @data",
        )
    for number, row in rows:
        if len(row) != len(names):
            raise InputError(
                argument,
                f"line {number} of {path.name} has {len(row)} values for {len(names)} attributes",
                "give dense rows of equal length",
            )
    return Table(tuple(column(name, [row[i] for _, row in rows]) for i, name in enumerate(names)))


def _name(rest: str) -> str:
    if rest[:1] in "'\"" and rest.find(rest[0], 1) > 0:
        return rest[1 : rest.find(rest[0], 1)]
    return rest.split()[0] if rest.split() else ""


def _row(line: str, path: Path, number: int, argument: str) -> list[str | None]:
    if line.startswith("{"):
        raise InputError(argument, f"line {number} of {path.name} is sparse", "give dense rows")
    quote = "'" if line.count("'") >= 2 and '"' not in line else '"'
    try:
        return list(next(csv.reader([line], quotechar=quote, skipinitialspace=True)))
    except (csv.Error, StopIteration) as error:
        raise InputError(argument, f"line {number} of {path.name} cannot be read ({error})", "give well-formed rows") from None
