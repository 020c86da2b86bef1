"""IDX files (the format of MNIST), plain or gzipped, with their labels beside them; and CIFAR's binary records."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from traindx.records import InputError
from traindx.tasks.readers.base import Arrays, existing

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CIFAR_RECORD = 3073


def read_idx(path: Path, argument: str) -> Arrays:
    """Images and labels: ``...images-idx3-ubyte`` finds ``...labels-idx1-ubyte`` beside it, and ``train-`` finds ``t10k-`` as its test set.

    Raises:
        InputError: when a file is not IDX, is cut off, or the labels are missing.

    """
    inputs, targets = _pair(path, argument)
    test = path.with_name(path.name.replace("train-", "t10k-"))
    return Arrays(inputs, targets, _pair(test, argument) if test != path and test.exists() else None)


def _pair(path: Path, argument: str) -> tuple[np.ndarray, np.ndarray]:
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels == path or not labels.exists():
        raise InputError(argument, f"no labels beside {path.name}", "put ...-labels-idx1-ubyte next to ...-images-idx3-ubyte")
    inputs, targets = _array(path, argument), _array(labels, argument)
    if len(inputs) != len(targets):
        raise InputError(argument, f"{len(inputs)} images and {len(targets)} labels", "give files that belong together")
    return inputs, targets


def _bytes(path: Path, argument: str) -> bytes:
    data = existing(path, argument).read_bytes()
    try:
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, ValueError) as error:
        raise InputError(argument, f"{path} cannot be unpacked ({error})", "give a sound gzip file") from None


def _array(path: Path, argument: str) -> np.ndarray:
    data = _bytes(path, argument)
    if len(data) < 8 or data[:2] != b"\0\0" or data[2] not in _TYPES or not 1 <= data[3] <= 4:
        raise InputError(argument, f"{path.name} is not an IDX file", "give one of the MNIST family")
    head = 4 + 4 * data[3]
    if len(data) < head:
        raise InputError(argument, f"{path.name} is cut off", "fetch it again")
    shape = struct.unpack(f">{data[3]}I", data[4:head])
    kind = np.dtype(_TYPES[data[2]])
    if len(data) - head != int(np.prod(shape, dtype=np.int64)) * kind.itemsize:
        raise InputError(
            argument,
            f"{path.name} should hold {'x'.join(map(str, shape))} values and has {(len(data) - head) // kind.itemsize}",
            "fetch it again",
        )
    return np.frombuffer(data, kind, offset=head).reshape(shape).astype(kind.newbyteorder("="))


def read_cifar(path: Path, argument: str) -> Arrays:
    """Records of one label byte and 3 x 32 x 32 pixels.

    Raises:
        InputError: when the length is no multiple of a record's.

    """
    data = np.frombuffer(_bytes(path, argument), np.uint8)
    if len(data) % _CIFAR_RECORD:
        raise InputError(
            argument, f"{path.name} has {len(data)} bytes, no multiple of {_CIFAR_RECORD}", "give a file in CIFAR-10's binary form"
        )
    records = data.reshape(-1, _CIFAR_RECORD)
    return Arrays(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64))
