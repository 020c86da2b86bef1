"""Parquet files, by pyarrow (an extra)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from traindx.records import InputError
from traindx.tasks.readers.base import Column, Table, column, existing


def read_parquet(path: Path, argument: str, header: bool | None = None) -> Table:
    """The table; ``header`` is of no use here, Parquet names its columns.

    Raises:
        InputError: when pyarrow is missing, or the file is not Parquet.

    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(argument, "reading Parquet needs pyarrow, which is not installed", "pip install 'traindx[parquet]'") from None
    try:
        table = pyarrow.parquet.read_table(existing(path, argument))
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(argument, f"{path} is not Parquet ({str(error).splitlines()[0]})", "give a Parquet file") from None
    if not table.num_rows:
        raise InputError(argument, f"{path} has no rows", "give a file with rows")
    return Table(tuple(_column(name, table[name].to_pylist()) for name in table.column_names))


def _column(name: str, values: list[object]) -> Column:
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return Column(name, np.array([np.nan if value is None else float(value) for value in values]))  # type: ignore[arg-type]
    return column(name, [None if value is None else str(value) for value in values])
