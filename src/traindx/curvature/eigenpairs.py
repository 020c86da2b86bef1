"""Eigenvalues at either end of the spectrum, with their vectors and bounds of their errors.

One Lanczos run serves both ends. From one vector it finds each eigenvalue once only, however often it occurs (linear output layers and
equal units make equal eigenvalues), and late where the vector has little of it. So when the wanted values have settled, a second random
vector joins the same space; only when some more products leave the values where they are, the search is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from traindx.curvature.krylov import Array, Krylov, Product, Ritz, Stream, random_vector

if TYPE_CHECKING:
    from traindx.curvature.objective import Objective

Matrix = Literal["hessian", "gauss-newton"]

# Values smaller than this share of the largest are found to the tolerance times that share of the largest: a zero has no relative error.
RELATIVE_ABOVE = 0.01

# Products that a further chain takes, every other one its own, before it may be said to have changed nothing; they go on, up to the second
# number, while an unsettled value may yet reach the wanted ones. Calibrated with REACH on small models of 24 families against dense
# Hessians; on seeds that were not used for it, a value was missed in 4 of 14,400 searches (with 6 and 12: in 3; with 6 and 6: in 10).
LOOK, LOOK_AT_MOST = 6, 8

# The standing is taken after every product, and less often in a space of more rows than twice this: it costs the more, the larger the space.
ROWS_A_CHECK = 16

# A value may yet move by this many of its residuals.
REACH = 2.0

# The default limits: products, and memory of the basis.
PRODUCTS = 500
BASIS_BYTES = 2**30
LEAST_ROWS = 8


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues in descending order, with bounds of their errors and their vectors."""

    values: Tensor
    """(K,) float64."""
    vectors: Tensor
    """(K, P): of length 1, orthogonal."""
    errors: Tensor
    """(K,) float64: bounds of the values' errors, from the residuals and the gaps between the values, as far as these are known."""
    residuals: Tensor
    """(K,) float64: an eigenvalue lies within this distance, for certain."""
    converged: bool
    """Whether every error is within the tolerance."""
    products: int
    noise: float
    """The largest part of a product that a symmetric matrix without rounding would not have."""
    krylov: Krylov | None = None
    """The whole Krylov space, when it was asked for: `trace` makes use of it."""


def eigenpairs(
    objective: Objective,
    largest: int = 5,
    smallest: int = 0,
    *,
    tolerance: float = 1e-3,
    seed: int = 0,
    products: int = PRODUCTS,
    memory_bytes: int = BASIS_BYTES,
    matrix: Matrix = "hessian",
    keep_basis: bool = False,
) -> Eigenpairs:
    """The ``largest`` and the ``smallest`` eigenvalues (algebraically), each once for every time it occurs.

    What no start vector has much of can be missed, and the next value stands in its place: in 1 of 3,600 searches on small models, and in 1 of
    20 where the two smallest of 26,122 lay 1 % apart.

    Args:
        objective: the loss.
        largest: how many from the upper end.
        smallest: how many from the lower end.
        tolerance: of each value, relative to itself, or to RELATIVE_ABOVE of the largest where it is smaller than that.
        seed: of the start vectors. The same seed gives the same answer.
        products: stop after this many with what there is, and say so in ``converged``.
        memory_bytes: of the basis; when it is full, the method restarts from its best vectors, which takes more products.
        matrix: the Hessian or the Gauss-Newton matrix.
        keep_basis: return the Krylov space too.

    Raises:
        ValueError: for a count or a tolerance that makes no sense.
        ArithmeticError: where a product is not finite, or not that of a symmetric matrix.

    """
    if largest < 0 or smallest < 0 or largest + smallest == 0 or tolerance <= 0:
        raise ValueError(
            f"largest={largest}, smallest={smallest}, tolerance={tolerance}: ask for one value at least, to a tolerance above 0"
        )
    search = _Search(objective, largest, smallest, tolerance, seed, memory_bytes)
    krylov, standing, taken = search.run(objective.hvp if matrix == "hessian" else objective.ggn, products)
    chosen, ritz = standing.wanted[::-1], standing.ritz
    errors = standing.errors + krylov.noise
    return Eigenpairs(
        values=torch.as_tensor(ritz.values[chosen].copy()),
        vectors=krylov.vectors(ritz.coefficients[:, chosen]),
        errors=torch.as_tensor(errors[::-1].copy()),
        residuals=torch.as_tensor(ritz.residuals[chosen] + krylov.noise),
        converged=len(chosen) == min(largest + smallest, objective.size) and bool((errors <= standing.allowed).all()),
        products=taken,
        noise=krylov.noise,
        krylov=krylov if keep_basis else None,
    )


@dataclass(frozen=True)
class _Standing:
    """The Ritz values of a moment, and which of them are wanted (the lower ones first)."""

    ritz: Ritz
    wanted: npt.NDArray[np.intp]
    errors: Array
    allowed: Array

    def settled(self) -> bool:
        """Whether all that is wanted is within the tolerance."""
        return bool((self.errors <= self.allowed).all())

    def as_before(self, before: _Standing) -> bool:
        """Whether no wanted value has moved by more than the tolerance."""
        return bool((np.abs(self.ritz.values[self.wanted] - before.ritz.values[before.wanted]) <= self.allowed).all())

    def may_change(self, smallest: int) -> bool:
        """Whether a value that is not wanted may yet turn out to lie among the wanted ones, ``smallest`` of which are the lower ones."""
        rest = np.setdiff1d(np.arange(len(self.ritz.values)), self.wanted)
        values, reach = self.ritz.values[rest], REACH * self.ritz.residuals[rest]
        edges = self.ritz.values[self.wanted]
        below = smallest > 0 and bool((values - reach < edges[smallest - 1] - self.allowed[smallest - 1]).any())
        above = smallest < len(edges) and bool((values + reach > edges[smallest] + self.allowed[smallest]).any())
        return below or above


class _Search:
    """What is wanted, and the Krylov space in which it is looked for."""

    def __init__(self, objective: Objective, largest: int, smallest: int, tolerance: float, seed: int, memory_bytes: int) -> None:
        self._objective = objective
        self._largest = min(largest, objective.size)
        self._smallest = min(smallest, objective.size - self._largest)
        self._count = self._largest + self._smallest
        self._tolerance, self._seed, self._drawn = tolerance, seed, 0
        self._room = max(2 * self._count + LEAST_ROWS, memory_bytes // (objective.size * torch.finfo(objective.dtype).bits // 8))

    def run(self, product: Product, products: int) -> tuple[Krylov, _Standing, int]:
        """Grow the space until what is wanted has settled; then until a further chain in it has changed nothing.

        Returns the space, what is known, and the products taken.
        """
        krylov = Krylov(product, self._random())
        due, taken, looked = self._count, 0, 0
        before: _Standing | None = None
        while taken < products:
            if krylov.exhausted:
                krylov.inject(self._random())
            if krylov.exhausted:
                break
            if krylov.size >= self._room:
                krylov.restart(self._kept(krylov.size))
            krylov.step()
            taken += 1
            if krylov.size < self._count or (taken < due and not krylov.exhausted):
                continue
            due = taken + max(1, krylov.size // ROWS_A_CHECK)
            standing = self._standing(krylov)
            if not standing.settled():
                continue
            if before is None or not standing.as_before(before):
                before, looked, due = standing, LOOK, taken + LOOK
                krylov.inject(self._random())
            elif looked < LOOK_AT_MOST and standing.may_change(self._smallest):
                looked, due = looked + 2, taken + 2
            else:
                break
        return krylov, self._standing(krylov), taken

    def _random(self) -> Tensor:
        self._drawn += 1
        return random_vector(self._objective, Stream.EIGENPAIRS, self._seed, self._drawn)

    def _kept(self, size: int) -> npt.NDArray[np.intp]:
        """Which Ritz vectors stay at a restart: half of them, shared between the ends as they are wanted."""
        stay = max(self._count, size // 2)
        low = round(stay * self._smallest / self._count)
        return np.concatenate([np.arange(low), np.arange(size - (stay - low), size)])

    def _standing(self, krylov: Krylov) -> _Standing:
        ritz = krylov.ritz()
        size = len(ritz.values)
        high = np.arange(max(0, size - self._largest), size)
        wanted = np.concatenate([np.arange(min(self._smallest, size - len(high))), high])
        values = np.abs(ritz.values)
        allowed = self._tolerance * np.maximum(values[wanted], RELATIVE_ABOVE * values.max())
        return _Standing(ritz, wanted, ritz.errors()[wanted], allowed)
