"""The Lanczos method: an orthonormal basis Q of a Krylov space and the small matrix B = Q'AQ, grown one product at a time.

Every new vector is made orthogonal to all before it, which keeps ghosts of converged eigenvalues out at any length. What that takes off,
beside the two terms of the exact recurrence, is zero for a symmetric product in exact arithmetic: it is the noise of the product, measured
at no cost. Bounded memory is met by thick restarts: the basis is replaced by its best Ritz vectors, and goes on from there.

Paige, The computation of eigenvalues and eigenvectors of very large sparse matrices, thesis, London (1971); Wu and Simon, Thick-restart
Lanczos method for large symmetric eigenvalue problems, SIAM J. Matrix Anal. Appl. 22 (2000).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.linalg
import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
Array = npt.NDArray[np.float64]

# Rows of the basis are allocated this many at a time.
BLOCK_ROWS = 32

# A vector that full orthogonalization, after the exact recurrence, still shortens to less than this share is orthogonalized again.
# Daniel, Gragg, Kaufman, Stewart, Math. Comp. 30 (1976), ask for about 0.7; a basis orthogonal to 10 x rounding serves as well here.
REPEAT_BELOW = 0.1

# A residual of this many roundings of the largest Ritz value is no direction any more: the Krylov space is exhausted.
EXHAUSTED_ROUNDINGS = 10.0

# Parts of a product that a symmetric matrix cannot have, relative to its largest Ritz value. Rounding leaves 1e-7 in float32.
ASYMMETRY = 1e-2


class Like(Protocol):
    """What has the size, type and place of the vectors: an objective."""

    size: int
    dtype: torch.dtype
    device: torch.device


class Rows:
    """Orthonormal vectors (k, P), stored in blocks, so that growing copies nothing."""

    def __init__(self, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self._blocks: list[Tensor] = []
        self._size, self._dtype, self._device = size, dtype, device
        self.count = 0

    def append(self, row: Tensor) -> None:
        """Add a vector (P,)."""
        if self.count == BLOCK_ROWS * len(self._blocks):
            self._blocks.append(torch.empty(BLOCK_ROWS, self._size, dtype=self._dtype, device=self._device))
        self._blocks[-1][self.count % BLOCK_ROWS] = row
        self.count += 1

    def __getitem__(self, index: int) -> Tensor:
        """(P,): the vector at this place, 0 or later."""
        return self._blocks[index // BLOCK_ROWS][index % BLOCK_ROWS]

    def blocks(self) -> list[Tensor]:
        """The vectors, some at a time: (at most BLOCK_ROWS, P) each."""
        return [block[: self.count - i * BLOCK_ROWS] for i, block in enumerate(self._blocks)]

    def coefficients(self, w: Tensor) -> Tensor:
        """(k,): the inner products of all vectors with w (P,)."""
        return torch.cat([block @ w for block in self.blocks()]) if self.count else w.new_zeros(0)

    def take_off(self, w: Tensor, coefficients: Tensor) -> None:
        """Subtract the combination of the vectors with these coefficients from w, in place."""
        for block, part in zip(self.blocks(), coefficients.split(BLOCK_ROWS), strict=False):
            w.addmv_(block.T, part, alpha=-1)

    def combine(self, columns: Array) -> Tensor:
        """(m, P): combinations of the vectors; ``columns`` (k, m) has the coefficients."""
        weights = torch.as_tensor(columns.T.copy(), dtype=self._dtype, device=self._device)
        found = torch.zeros(len(weights), self._size, dtype=self._dtype, device=self._device)
        for block, part in zip(self.blocks(), weights.split(BLOCK_ROWS, dim=1), strict=False):
            found.addmm_(part, block)
        return found


@dataclass(frozen=True)
class Ritz:
    """Ritz values of a basis in ascending order, their vectors' coefficients (k, k), one a column, and the norms of their residuals.

    An eigenvalue lies within each residual, for certain.
    """

    values: Array
    coefficients: Array
    residuals: Array

    def errors(self) -> Array:
        """(k,): r, or r^2/gap where the gap to the other values is larger than r (Parlett, The symmetric eigenvalue problem, ch. 11).

        The gap is that of the values which are known, less their own residuals: one that is not known yet makes it too large.
        """
        apart = np.abs(self.values[:, None] - self.values[None, :]) - self.residuals[None, :]
        np.fill_diagonal(apart, np.inf)
        gaps = np.maximum(apart.min(axis=1), np.maximum(self.residuals, np.finfo(np.float64).tiny))
        errors: Array = self.residuals * np.minimum(1.0, self.residuals / gaps)
        return errors


class Krylov:
    """A Krylov space of a symmetric product.

    The first ``size`` rows are multiplied: AQ = QB + RC', where R holds the rows after them, which are to be multiplied next, in their order,
    and C how much each product has in them. One start vector makes one chain; `inject` begins another beside it. ``noise`` is the largest
    part of a product so far that a symmetric matrix without rounding would not have, ``scale`` the largest entry of B.
    """

    def __init__(self, product: Product, start: Tensor) -> None:
        self._product = product
        self.size, self.noise, self.scale = 0, 0.0, 0.0
        self.rows = Rows(start.numel(), start.dtype, start.device)
        self._matrix = np.zeros((BLOCK_ROWS, BLOCK_ROWS))
        self._couplings = np.zeros((0, 0))
        self._tridiagonal = True
        self.inject(start)

    # Growth.

    def inject(self, start: Tensor) -> None:
        """Begin another chain with what ``start`` (P,) has outside the space. Nothing happens where the space is all there is."""
        if self.rows.count >= start.numel():
            return
        self._tridiagonal = self._tridiagonal and self.rows.count == self.size
        vector = start / torch.linalg.vector_norm(start)
        for _ in range(2):
            self.rows.take_off(vector, self.rows.coefficients(vector))
        self.rows.append(vector / torch.linalg.vector_norm(vector))
        self._couplings = np.pad(self._couplings, ((0, 0), (0, 1)))

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to be multiplied: the space holds the products of all its vectors, and its Ritz values are eigenvalues."""
        return self.rows.count == self.size

    def step(self) -> None:
        """Multiply the next vector. Cost: one product and about 4 k P operations."""
        q, known = self.rows[self.size], self._couplings[:, 0]
        w = self._product(q)
        alpha = q @ w
        w.sub_(alpha * q)
        self._subtract(w, known)
        left = float(torch.linalg.vector_norm(w))
        rest = self.rows.coefficients(w)
        self.rows.take_off(w, rest)
        norm = float(torch.linalg.vector_norm(w))
        if not np.isfinite(norm):
            raise ArithmeticError("the product with the Hessian is not finite: the loss or its derivatives overflow at these parameters")
        if norm < REPEAT_BELOW * left:
            norm = self._again(w, norm)
        self._record(float(alpha), known, rest.double().cpu().numpy())
        self._append(w, norm)

    def _subtract(self, w: Tensor, known: Array) -> None:
        """Take off what symmetry says that the earlier vectors have in w."""
        places = np.flatnonzero(known)
        if len(places) > BLOCK_ROWS:
            self.rows.take_off(w, torch.as_tensor(np.pad(known, (0, self.rows.count - self.size))).to(w))
            return
        for place in places:
            w.sub_(self.rows[int(place)], alpha=known[place])

    def _again(self, w: Tensor, norm: float) -> float:
        """Orthogonalize once more; a vector that shrinks again is rounding alone."""
        self.rows.take_off(w, self.rows.coefficients(w))
        shrunk = float(torch.linalg.vector_norm(w))
        return shrunk if shrunk > REPEAT_BELOW * norm else 0.0

    def _record(self, alpha: float, known: Array, rest: Array) -> None:
        """Enter a column of B and a row of C; ``rest`` is what was found in w beside the known terms."""
        k = self.size
        if k == len(self._matrix):
            self._matrix = np.pad(self._matrix, (0, k))
        self._matrix[k, :k] = self._matrix[:k, k] = known
        self._matrix[k, k] = alpha + rest[k]
        self._couplings = np.vstack([self._couplings[:, 1:], rest[k + 1 :]])
        self.size += 1
        self.noise = max(self.noise, float(np.abs(rest[:k]).max(initial=0.0)))
        self.scale = max(self.scale, float(np.abs(self._matrix[k, : k + 1]).max()))
        if self.noise > ASYMMETRY * self.scale:
            raise ArithmeticError(
                f"the product is not that of a symmetric matrix: off by {self.noise:.2g} where its entries are up to {self.scale:.2g}; "
                "a part of the model has wrong second derivatives, or computes something else each time"
            )

    def _append(self, w: Tensor, norm: float) -> None:
        """Put what is new in a product in line to be multiplied, unless it is noise."""
        floor = max(EXHAUSTED_ROUNDINGS * torch.finfo(w.dtype).eps * self.scale, 2 * self.noise)
        if norm > floor and self.rows.count < w.numel():
            self.rows.append(w / norm)
            self._couplings = np.pad(self._couplings, ((0, 0), (0, 1)))
            self._couplings[-1, -1] = norm

    # What is known.

    @property
    def matrix(self) -> Array:
        """(k, k): B = Q'AQ."""
        return self._matrix[: self.size, : self.size]

    def ritz(self) -> Ritz:
        """The Ritz values and their residuals. Cost: an eigendecomposition of B."""
        values, s = self._decompose()
        return Ritz(values, s, np.linalg.norm(self._couplings.T @ s, axis=0))

    def vectors(self, coefficients: Array) -> Tensor:
        """(m, P): the vectors that have these coefficients (k, m) in the basis."""
        return self.rows.combine(np.pad(coefficients, ((0, self.rows.count - self.size), (0, 0))))

    def _decompose(self) -> tuple[Array, Array]:
        if self._tridiagonal:
            # The routine for it uses no threads, which next to those of torch would cost more than the products.
            values, s = scipy.linalg.eigh_tridiagonal(np.diagonal(self.matrix), np.diagonal(self.matrix, 1), check_finite=False)
        else:
            values, s = scipy.linalg.eigh(self.matrix, check_finite=False)
        return values.astype(np.float64), s.astype(np.float64)

    def restart(self, keep: npt.NDArray[np.intp]) -> None:
        """Replace the basis by the Ritz vectors with these numbers (of `ritz`); what is in line to be multiplied stays."""
        values, s = self._decompose()
        s = s[:, keep]
        multiplied, following = self.vectors(s), [self.rows[i].clone() for i in range(self.size, self.rows.count)]
        self._couplings = s.T @ self._couplings
        self.size, self._tridiagonal = len(keep), False
        self._matrix = np.zeros_like(self._matrix)
        self._matrix[: self.size, : self.size] = np.diag(values[keep])
        self.rows = Rows(multiplied.shape[1], multiplied.dtype, multiplied.device)
        for row in (*multiplied, *following):
            self.rows.append(row)


class Stream(IntEnum):
    """Whom random vectors are drawn for: equal seeds of different functions give independent vectors."""

    EIGENPAIRS = 0
    NEGATIVE_CURVATURE = 1
    TRACE = 2
    DENSITY = 3
    NORM = 4
    ESCAPE = 5


def random_vector(like: Like, stream: Stream, seed: int, number: int = 0) -> Tensor:
    """(P,): normally distributed entries, the same on every device; independent for every stream, seed (0 or more) and number."""
    state = np.random.SeedSequence((stream, seed, number)).generate_state(1, np.uint64)
    draws = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
    return torch.randn(like.size, generator=draws, dtype=torch.float64).to(like.device, like.dtype)
