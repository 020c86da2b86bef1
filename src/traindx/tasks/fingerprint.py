"""Content fingerprints: equal tasks have equal ones in another process, tasks that would train differently do not.

Data are hashed by their bytes, models by their text, parameters and the code of their forward methods, functions by their code, constants
and what they close over. A function that changes its behaviour through a global variable alone is not told apart.
"""

from __future__ import annotations

import hashlib
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from traindx.tasks.random_states import preserved_rng, seed_everything
from traindx.tasks.rows import ArrayRows, DatasetRows, Rows

# Data sets that are not arrays are hashed by their length and this many rows, evenly spaced.
SAMPLED_ROWS = 64


def digest(*parts: Any) -> str:
    """A short hexadecimal hash of values of any kind."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(hasher, part)
    return hasher.hexdigest()


def _feed(hasher: Any, value: Any, depth: int = 0) -> None:
    hasher.update(type(value).__name__.encode() + b"\x1f")
    if depth > 8:
        return
    if isinstance(value, Tensor):
        hasher.update(f"{tuple(value.shape)}{value.dtype}".encode())
        hasher.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data if value.numel() else b"")
    elif isinstance(value, np.ndarray):
        hasher.update(f"{value.shape}{value.dtype}".encode())
        hasher.update(np.ascontiguousarray(value).data if value.dtype.kind != "O" else repr(value.tolist()).encode())
    elif isinstance(value, nn.Module):
        _feed_module(hasher, value)
    elif isinstance(value, CodeType):
        hasher.update(value.co_code)
        _feed(hasher, (value.co_names, value.co_consts), depth + 1)
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            _feed(hasher, key, depth + 1)
            _feed(hasher, value[key], depth + 1)
    elif isinstance(value, (tuple, list, frozenset, set)):
        for item in sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value:
            _feed(hasher, item, depth + 1)
    elif isinstance(value, (str, bytes, int, float, complex, bool, type(None))):
        hasher.update(repr(value).encode())
    elif hasattr(value, "fingerprint"):
        hasher.update(str(value.fingerprint).encode())
    elif callable(value):
        _feed_callable(hasher, value, depth)
    else:
        _feed(hasher, {"type": f"{type(value).__module__}.{type(value).__qualname__}", **getattr(value, "__dict__", {})}, depth + 1)


def _feed_module(hasher: Any, module: nn.Module) -> None:
    hasher.update(str(module).encode())
    for part in module.modules():
        if type(part).__module__.startswith("torch."):  # a loss does not show its options: label smoothing, Huber's delta
            _feed(
                hasher, {name: value for name, value in vars(part).items() if name != "training" and isinstance(value, (int, float, str))}
            )
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        hasher.update(f"{name}{tensor.requires_grad}".encode())
        _feed(hasher, tensor)
    for kind in dict.fromkeys(type(child) for child in module.modules()):
        if not kind.__module__.startswith("torch.") and hasattr(kind.forward, "__code__"):
            _feed(hasher, kind.forward.__code__)


def _feed_callable(hasher: Any, function: Any, depth: int) -> None:
    code = getattr(function, "__code__", None)
    if code is None:  # a class, a built-in, or an object with __call__
        hasher.update(f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}".encode())
        if not isinstance(function, type):
            _feed(hasher, dict(getattr(function, "__dict__", {})), depth + 1)
        return
    _feed(hasher, code, depth + 1)
    _feed(hasher, function.__defaults__, depth + 1)
    _feed(hasher, [cell.cell_contents for cell in function.__closure__ or ()], depth + 1)


def rows_digest(rows: Rows | None) -> str:
    """The hash of rows: every byte of arrays, a sample of other data sets."""
    if isinstance(rows, ArrayRows):
        return digest(*rows.columns)
    if isinstance(rows, DatasetRows):
        sample = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), SAMPLED_ROWS)).astype(int))
        with preserved_rng():
            seed_everything(0)  # a data set may augment at random
            return digest(len(rows), rows.collate, rows.targets, [rows.dataset[int(i)] for i in sample])
    return digest(rows)
