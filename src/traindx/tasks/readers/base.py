"""What readers hand over: a table of named columns, or arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from traindx.records import InputError

# Cells that mean that a value is not known.
MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}
# Reading takes about this many times the size of the file.
MEMORY_FACTOR = 6


@dataclass(frozen=True)
class Column:
    """One column: floats with NaN for what is missing, or text with None."""

    name: str
    values: np.ndarray

    @property
    def numeric(self) -> bool:
        """Whether every known value is a number."""
        return self.values.dtype.kind == "f"


@dataclass(frozen=True)
class Table:
    """Columns of one length."""

    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0


@dataclass(frozen=True)
class Arrays:
    """Inputs (N, ...) and targets (N, ...), with a test set where the source has one, and the names of the classes."""

    inputs: np.ndarray
    targets: np.ndarray
    test: tuple[np.ndarray, np.ndarray] | None = None
    class_names: tuple[str, ...] = ()


def column(name: str, cells: list[str | None]) -> Column:
    """Numbers where every known cell is one, else text."""
    known = [None if cell is None or cell.strip().lower() in MISSING else cell.strip() for cell in cells]
    try:
        return Column(name, np.array([np.nan if cell is None else float(cell) for cell in known], dtype=np.float64))
    except ValueError:
        return Column(name, np.array(known, dtype=object))


def existing(path: Path, argument: str) -> Path:
    """The path, if there is a file that fits into memory.

    Raises:
        InputError: when it is missing, empty, not readable or too large.

    """
    if not path.exists():
        raise InputError(argument, f"no file {path}", "give the path of a file that exists")
    if path.is_dir():
        raise InputError(argument, f"{path} is a folder", "give a file, or a folder of images by class")
    size = path.stat().st_size
    if not size:
        raise InputError(argument, f"{path} is empty", "give a file with rows")
    if size * MEMORY_FACTOR > (free := free_memory()):
        raise InputError(argument, f"{path} has {size >> 20} MiB, and {free >> 20} MiB of memory are free", "give a sample of its rows")
    return path


def free_memory() -> int:
    """Bytes that can be had; as good as unlimited where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pages = getattr(os, "sysconf", lambda name: 1 << 40)
        return int(pages("SC_PHYS_PAGES")) * int(pages("SC_PAGE_SIZE")) if hasattr(os, "sysconf") else 1 << 50


TableReader = Callable[[Path, str, bool | None], Table]
ArraysReader = Callable[[Path, str], Arrays]
