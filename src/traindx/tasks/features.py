"""Rows as a design matrix for classical models: flattened, scaled, and projected when wide."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from traindx.tasks.random_states import preserved_rng, seed_everything
from traindx.tasks.rows import Rows

# Wider inputs are projected on this many principal components of the training rows.
MAX_FEATURES = 64
SAMPLED_ROWS = 768
# Integer inputs with values below this are tokens: rows become counts of tokens.
MAX_TOKENS = 4096
# Columns of 0 and 1 for all names together.
MAX_NAMES = 512


class Features:
    """A projection learned on some rows and applied to any: missing values to the mean, standardised, principal components when wide.

    ``codes`` are columns of a table that hold names: each of their commonest values becomes a column of 0 and 1.
    """

    def __init__(self, inputs: Tensor, codes: Sequence[int] = ()) -> None:
        self.codes = {j: _commonest(inputs[:, j], MAX_NAMES // len(codes)) for j in codes}
        inputs = self._numbers(inputs)
        self.tokens = None if codes else _vocabulary(inputs)
        raw = self._raw(inputs)
        self.mean = np.nan_to_num(_silent_mean(raw))
        raw = np.where(np.isfinite(raw), raw, self.mean)
        spread = raw.std(0)
        self.scale = np.where(spread > 1e-9 * np.maximum(np.abs(self.mean), 1e-9), spread, 1.0)
        self.basis = _basis((raw - self.mean) / self.scale)

    def _numbers(self, inputs: Tensor) -> Tensor:
        return inputs[:, [j for j in range(inputs.shape[1]) if j not in self.codes]].float() if self.codes else inputs

    def _raw(self, inputs: Tensor) -> np.ndarray:
        if self.tokens is None:
            return np.asarray(inputs.reshape(len(inputs), -1).double().cpu().numpy())
        counts = torch.zeros(len(inputs), self.tokens, dtype=torch.float64)
        flat = inputs.reshape(len(inputs), -1).long().clamp(0, self.tokens - 1).cpu()
        return np.asarray(counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float64)).numpy())

    def __call__(self, inputs: Tensor) -> np.ndarray:
        """(N, F) float64, F at most MAX_FEATURES, and MAX_NAMES beside them where columns are codes."""
        raw = self._raw(self._numbers(inputs))
        scaled = (np.where(np.isfinite(raw), raw, self.mean) - self.mean) / self.scale
        numbers = np.asarray(scaled if self.basis is None else scaled @ self.basis)
        names = [np.asarray((inputs[:, j, None].cpu() == values).double().numpy()) for j, values in self.codes.items()]
        return np.concatenate([numbers, *names], axis=1)


def _commonest(column: Tensor, most: int) -> Tensor:
    """The values that the most rows have."""
    values, counts = column.cpu().unique(return_counts=True)
    chosen: Tensor = values[counts.argsort(descending=True, stable=True)[:most]]
    return chosen


def _silent_mean(raw: np.ndarray) -> np.ndarray:
    finite = np.isfinite(raw)
    return np.asarray(np.where(finite, raw, 0.0).sum(0) / np.maximum(finite.sum(0), 1))


def _vocabulary(inputs: Tensor) -> int | None:
    if inputs.is_floating_point() or not inputs.numel() or int(inputs.min()) < 0 or int(inputs.max()) >= MAX_TOKENS:
        return None
    return int(inputs.max()) + 1


def _basis(scaled: np.ndarray) -> np.ndarray | None:
    if scaled.shape[1] <= MAX_FEATURES:
        return None
    sample = scaled[:SAMPLED_ROWS]
    values, vectors = np.linalg.eigh(sample @ sample.T)  # the small Gram matrix has the same leading directions as the wide covariance
    leading = np.argsort(values)[::-1][: min(MAX_FEATURES, len(sample))]
    leading = leading[values[leading] > 1e-9 * values.max()]
    return np.asarray(sample.T @ vectors[:, leading] / np.sqrt(values[leading]))


def array_pairs(rows: Rows, index: Tensor) -> tuple[Tensor, Tensor] | None:
    """(inputs, targets) of these rows on the CPU, where rows are pairs of arrays; data sets are read row by row.

    A data set that draws its rows at random draws the same ones for every call.
    """
    if rows.inputs is not None and rows.targets is not None:
        return rows.inputs[index].cpu(), rows.targets[index].cpu()
    if rows.targets is None:
        return None
    with preserved_rng():
        seed_everything(0)
        parts = list(rows.batches(list(index.split(256)), torch.device("cpu")))
    if not all(isinstance(p, (tuple, list)) and len(p) == 2 and isinstance(p[0], Tensor) and isinstance(p[1], Tensor) for p in parts):
        return None
    if len({tuple(p[0].shape[1:]) for p in parts}) != 1:
        return None
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for BLAS and OpenMP: small problems are faster so, and the same on every machine. Convergence warnings are expected."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
