"""Exact counts of positive, negative and near-zero eigenvalues, for up to some thousand parameters.

By Sylvester's law of inertia, H - zI = LDL' has as many positive eigenvalues as D, whose blocks are of size 1 or 2: one factorization for a
count, where all eigenvalues would take several times as long. How many count as positive depends on the threshold z more than on anything
else, since most eigenvalues of a network are close to zero. So the threshold is part of the answer, and so is the near-zero share.

Bunch and Kaufman, Some stable methods for calculating inertia and solving symmetric linear systems, Math. Comp. 31 (1977).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from traindx.curvature.krylov import Krylov, Stream, random_vector

if TYPE_CHECKING:
    from traindx.curvature.objective import Objective

# Eigenvalues within this share of the largest one's size are near zero. In float32 the counts agree with those in float64 from 1e-8 up.
THRESHOLD = 1e-6

# The threshold is never less than this many times what the matrix is off by rounding.
CLEAR_OF_NOISE = 2.0

# Matrices of float64 that stand side by side: the Hessian, and its factors.
MATRICES, BYTES_OF_FLOAT64 = 2, 8
MEMORY_BYTES = 2**31

# The largest eigenvalue is only a yardstick here: this many steps on the dense matrix give it to far more digits than that needs.
STEPS_TO_NORM = 30


@dataclass(frozen=True)
class Inertia:
    """How many eigenvalues are above, below and within the threshold."""

    positive: int
    negative: int
    near_zero: int
    threshold: float
    """Absolute: eigenvalues from -threshold to threshold are near zero."""
    norm: float
    """The size of the largest eigenvalue."""
    noise: float
    """What eigenvalues may be off by rounding, from the asymmetry of the matrix."""

    @property
    def minimum_ratio(self) -> float:
        """The guide's ratio: positive eigenvalues in all. To be read with `near_zero_share` next to it."""
        return self.positive / (self.positive + self.negative + self.near_zero)

    @property
    def near_zero_share(self) -> float:
        """Near-zero eigenvalues in all: the larger it is, the less the minimum ratio says."""
        return self.near_zero / (self.positive + self.negative + self.near_zero)

    def __str__(self) -> str:
        counts = f"{self.positive} positive, {self.negative} negative, {self.near_zero} near zero (|lambda| <= {self.threshold:.2g})"
        return f"{counts}: minimum ratio {self.minimum_ratio:.3f}, near-zero share {self.near_zero_share:.3f}"


def inertia(objective: Objective, threshold: float = THRESHOLD, *, memory_bytes: int = MEMORY_BYTES) -> Inertia:
    """The counts of eigenvalues of the Hessian. Cost: P products, two factorizations of P^3/3 operations, 16 P^2 bytes.

    Args:
        objective: the loss.
        threshold: relative to the largest eigenvalue's size; raised to the noise where that is larger.
        memory_bytes: what may be used.

    Raises:
        ValueError: where the matrices do not fit into the memory, or the threshold is negative.

    """
    if threshold < 0:
        raise ValueError(f"threshold={threshold}: give 0 or more, relative to the largest eigenvalue's size")
    needed = MATRICES * BYTES_OF_FLOAT64 * objective.size**2
    if needed > memory_bytes:
        raise ValueError(
            f"{objective.size} parameters need {needed} bytes, and memory_bytes is {memory_bytes}: choose fewer parameters "
            "(Objective(parameters=...)), allow more memory, or estimate shares with density"
        )
    matrix = dense_hessian(objective)
    noise = _symmetrize(matrix)
    norm = _norm(objective, matrix)
    absolute = max(threshold * norm, CLEAR_OF_NOISE * noise)
    positive, _ = _signs(matrix, -absolute)
    _, negative = _signs(matrix, absolute)
    return Inertia(positive, negative, objective.size - positive - negative, absolute, norm, noise)


def dense_hessian(objective: Objective) -> Tensor:
    """(P, P) float64 on the host: the Hessian, a product a row."""
    rows = torch.empty(objective.size, objective.size, dtype=torch.float64)
    direction = torch.zeros(objective.size, dtype=objective.dtype, device=objective.device)
    for place in range(objective.size):
        direction[place] = 1.0
        rows[place] = objective.hvp(direction)
        direction[place] = 0.0
    return rows


def _symmetrize(matrix: Tensor) -> float:
    """Average with the transposed, in place. Returns the size of what differed, as the norm of a random matrix of that many entries."""
    squares, size = 0.0, len(matrix)
    for row in range(size):
        ahead, below = matrix[row, row:], matrix[row:, row]
        squares += 2 * float(((ahead - below) / 2).square().sum())
        mean = (ahead + below) / 2
        matrix[row, row:] = mean
        matrix[row:, row] = mean
    return 2 * float(np.sqrt(squares / size))


def _norm(objective: Objective, matrix: Tensor) -> float:
    krylov = Krylov(lambda v: matrix @ v, random_vector(objective, Stream.NORM, 0).to(matrix))
    while krylov.size < STEPS_TO_NORM and not krylov.exhausted:
        krylov.step()
    return float(np.abs(krylov.ritz().values).max())


def _signs(matrix: Tensor, shift: float) -> tuple[int, int]:
    """How many eigenvalues of the matrix plus shift are positive, and how many negative. The matrix comes back as it was."""
    diagonal = matrix.diagonal().clone()
    matrix.diagonal().add_(shift)
    factors, pivots, _ = torch.linalg.ldl_factor_ex(matrix)  # what it would raise for, a pivot of exactly zero, is a count of its own here
    matrix.diagonal().copy_(diagonal)
    return _signs_of_blocks(factors, pivots)


def _signs_of_blocks(factors: Tensor, pivots: Tensor) -> tuple[int, int]:
    """The signs of D's eigenvalues. A negative pivot begins a block of two, its off-diagonal entry stored below the diagonal."""
    diagonal, below, pairs = factors.diagonal().tolist(), factors.diagonal(-1).tolist(), (pivots < 0).tolist()
    values, place = [], 0
    while place < len(diagonal):
        if pairs[place]:
            block = [[diagonal[place], below[place]], [below[place], diagonal[place + 1]]]
            values.extend(np.linalg.eigvalsh(block).tolist())
        else:
            values.append(diagonal[place])
        place += 2 if pairs[place] else 1
    return sum(value > 0 for value in values), sum(value < 0 for value in values)
