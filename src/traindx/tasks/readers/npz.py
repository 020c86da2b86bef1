"""NumPy archives with inputs and targets."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from traindx.records import InputError
from traindx.tasks.readers.base import Arrays, existing

_INPUTS, _TARGETS = ("x", "inputs", "x_train", "data", "features"), ("y", "targets", "y_train", "labels", "target")
_TEST_INPUTS, _TEST_TARGETS = ("x_test", "test_inputs"), ("y_test", "test_targets")


def read_npz(path: Path, argument: str) -> Arrays:
    """Arrays by their names, whatever their case: X and y, inputs and targets, X_train and y_train; X_test and y_test where there are any.

    Raises:
        InputError: when the file is no archive of plain arrays, or none has a name that is known.

    """
    try:
        with np.load(existing(path, argument), allow_pickle=False) as archive:
            arrays = {name.lower(): archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError, AttributeError) as error:
        raise InputError(
            argument, f"{path} is no archive of plain arrays ({error})", "save it by numpy.savez(path, X=..., y=...)"
        ) from None
    inputs, targets = _first(arrays, _INPUTS), _first(arrays, _TARGETS)
    if inputs is None or targets is None:
        raise InputError(argument, f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}", "save it by numpy.savez(path, X=..., y=...)")
    test_inputs, test_targets = _first(arrays, _TEST_INPUTS), _first(arrays, _TEST_TARGETS)
    return Arrays(inputs, targets, None if test_inputs is None or test_targets is None else (test_inputs, test_targets))


def _first(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray | None:
    return next((arrays[name] for name in names if name in arrays), None)
