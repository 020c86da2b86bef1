"""Readers make a task of a file: one file a format.

A source that is data alone is given the network and the recipe that a sensible engineer would write first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from traindx.records import InputError, Recipe
from traindx.tasks.readers.arff import read_arff
from traindx.tasks.readers.base import Arrays, ArraysReader, Table, TableReader
from traindx.tasks.readers.delimited import read_delimited
from traindx.tasks.readers.examples import EXAMPLES, read_example
from traindx.tasks.readers.idx import read_cifar, read_idx
from traindx.tasks.readers.images import read_images
from traindx.tasks.readers.networks import Perceptron, SmallCNN, default_recipe
from traindx.tasks.readers.npz import read_npz
from traindx.tasks.readers.parquet import read_parquet
from traindx.tasks.readers.python import read_python
from traindx.tasks.readers.tabular import MOST_CLASSES, tabular_task
from traindx.tasks.task import Task

__all__ = ["EXAMPLES", "read"]

TABLES: dict[str, TableReader] = {
    ".csv": read_delimited,
    ".data": read_delimited,
    ".dat": read_delimited,
    ".txt": read_delimited,
    ".tsv": read_delimited,
    ".arff": read_arff,
    ".parquet": read_parquet,
}
LEAST_ROWS = 10
FORMS = "give file.py:name, example:NAME, a table (.csv, .data, .dat, .tsv, .arff, .parquet), .npz, IDX files, CIFAR .bin, or a folder of images by class"


def read(
    source: str,
    *,
    target: str | int | None = None,
    drop: Sequence[str | int] = (),
    header: bool | None = None,
    test: str | None = None,
    validation: str | None = None,
) -> tuple[Task, Recipe]:
    """The task and recipe that a source stands for.

    Args:
        source: ``file.py:name``, ``example:NAME``, or a path to data.
        target: a table's target column by name or index; default: the last one.
        drop: columns of a table to leave out.
        header: whether a text table's first row has names; default: found out.
        test: a further file of the same form, sealed until the end.
        validation: a further file of the same form.

    Raises:
        InputError: naming the argument, what was found, what to do.

    """
    given_options = {"--target": target, "--drop": drop, "--test": test, "--validation": validation}
    useless = [option for option, value in given_options.items() if value not in (None, ())]
    if useless and (source.startswith("example:") or ".py:" in source):
        raise InputError(useless[0], f"given for {source}, which defines its own", "leave it out, or name a file of data")
    if source.startswith("example:"):
        return read_example(source.removeprefix("example:"))
    if ".py:" in source:
        return read_python(source)
    path = Path(source)
    name, ending = path.name.removesuffix(".gz"), Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending in TABLES:
        others = [
            None if other is None else _table(other, argument, header)
            for other, argument in ((test, "--test"), (validation, "--validation"))
        ]
        return tabular_task(_table(source, "SOURCE", header), target, drop, others[0], others[1], name.removesuffix(ending))
    arrays = _arrays(path, "SOURCE")
    given = [
        None if other is None else _arrays(Path(other), argument) for other, argument in ((test, "--test"), (validation, "--validation"))
    ]
    return _arrays_task(arrays, given[0], given[1], path.stem)


def _table(source: str, argument: str, header: bool | None) -> Table:
    path = Path(source)
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending not in TABLES:
        raise InputError(argument, f"{path.name} is not a table", "give a file of the same form as SOURCE")
    return TABLES[ending](path, argument, header)


def _arrays(path: Path, argument: str) -> Arrays:
    if path.is_dir():
        training = sorted(path.glob("train-images-idx3-ubyte*"))
        return read_idx(training[0], argument) if training else read_images(path, argument)
    readers: dict[str, ArraysReader] = {".npz": read_npz, ".bin": read_cifar}
    plain = path.name.removesuffix(".gz")
    if "idx3-ubyte" in plain:
        return read_idx(path, argument)
    if Path(plain).suffix.lower() in readers:
        return readers[Path(plain).suffix.lower()](path, argument)
    if not path.exists():
        raise InputError(argument, f"no file {path}", FORMS)
    raise InputError(argument, f"{path.name} has an unknown form", FORMS)


def _arrays_task(arrays: Arrays, test: Arrays | None, validation: Arrays | None, name: str) -> tuple[Task, Recipe]:
    x, y = arrays.inputs, arrays.targets
    if x.ndim < 2 or y.ndim > 2 or len(x) != len(y) or x.dtype.kind not in "biuf" or y.dtype.kind not in "biuf":
        raise InputError(
            "SOURCE",
            f"found inputs {x.dtype}{x.shape} and targets {y.dtype}{y.shape}",
            "give numbers, inputs of shape (N, ...) and one target a row",
        )
    if len(x) < LEAST_ROWS:
        raise InputError("SOURCE", f"found {len(x)} rows", f"give at least {LEAST_ROWS}")
    classes = _classes(y)
    images = x.ndim in (3, 4) and min(x.shape[-2:]) >= 8 and classes > 0
    inputs = _pictures(x) if images else x.astype(np.float32)
    factory = _cnn(inputs, classes) if images else _perceptron(inputs, y, classes)
    targets = y.reshape(-1).astype(np.int64) if classes else y.reshape(len(y), -1).astype(np.float32)
    others = [_other(other, images, classes) if other is not None else None for other in (test, validation)]
    if others[0] is None and arrays.test is not None:
        others[0] = _other(Arrays(*arrays.test), images, classes)
    task = Task(
        factory, nn.CrossEntropyLoss() if classes else nn.MSELoss(), (inputs, targets), validation=others[1], test=others[0], name=name
    )
    return task, default_recipe(len(task.train), images)


def _classes(y: np.ndarray) -> int:
    """How many classes the targets show; 0 for quantities."""
    if y.ndim == 2 and y.shape[1] > 1:
        return 0
    distinct = np.unique(y)
    if len(distinct) < 2:
        raise InputError("SOURCE", f"the targets have the single value {distinct[0]}", "give at least two classes")
    whole = y.dtype.kind in "biu" or bool(np.isfinite(y).all() and np.allclose(distinct, np.round(distinct)))
    few = len(distinct) <= MOST_CLASSES or (y.dtype.kind in "biu" and len(distinct) <= len(y) // 10)
    return int(distinct.max()) + 1 if whole and few and distinct.min() >= 0 else 0


def _pictures(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) float32; bytes are scaled to 0..1."""
    scaled = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)
    return scaled[:, None] if scaled.ndim == 3 else scaled


def _cnn(inputs: np.ndarray, classes: int) -> SmallCNN:
    sample = inputs[:2000]
    mean, std = sample.mean((0, 2, 3)), sample.std((0, 2, 3))
    channels, height, width = inputs.shape[1:]
    return SmallCNN(channels, height, width, classes, tuple(map(float, mean)), tuple(float(s) or 1.0 for s in std))


def _perceptron(inputs: np.ndarray, y: np.ndarray, classes: int) -> Perceptron:
    width = int(np.prod(inputs.shape[1:]))
    return (
        Perceptron(width, classes) if classes else Perceptron(width, y.reshape(len(y), -1).shape[1], float(y.mean()), float(y.std()) or 1.0)
    )


def _other(arrays: Arrays, images: bool, classes: int) -> tuple[np.ndarray, np.ndarray]:
    inputs = _pictures(arrays.inputs) if images else arrays.inputs.astype(np.float32)
    return inputs, arrays.targets.reshape(-1).astype(np.int64) if classes else arrays.targets.reshape(len(inputs), -1).astype(np.float32)
