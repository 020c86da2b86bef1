"""The data sets of the labs, as arrays, read from the folder that `--data` names."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


def images(folder: Path, rows: int, split: str = "train") -> Arrays:
    """(N, 784) pixels in 0..1 and labels of MNIST or Fashion-MNIST."""
    pixels, labels = (
        np.frombuffer(gzip.decompress((folder / f"{split}-{kind}-ubyte.gz").read_bytes())[offset:], np.uint8)
        for kind, offset in (("images-idx3", 16), ("labels-idx1", 8))
    )
    return pixels.reshape(-1, 784)[:rows].astype(np.float32) / 255, labels[:rows].astype(np.int64)


def gas(folder: Path, batch: int) -> Arrays:
    """(N, 128) sensor features and the names of the gases, of one batch."""
    rows = [line.split(",") for line in (folder / f"batch{batch}.dat").read_text().split()]
    return np.array([row[2:] for row in rows], dtype=float), np.array([row[0] for row in rows])


def covid(folder: Path) -> tuple[Arrays, int]:
    """((N, 93) features and the tested-positive rate of the third day), and how many columns name the state."""
    with next(folder.glob("*train*.csv")).open() as file:
        rows = list(csv.reader(file))
    table = np.array([row[1:] for row in rows[1:]], dtype=float)
    return (table[:, :-1], table[:, -1]), 40
