"""The spectral density by stochastic Lanczos quadrature.

The Ritz values of a run from a random vector, weighted by the squared first entries of their coefficients, integrate polynomials of degree
2k - 1 against the spectrum exactly as that vector sees it. Averaged over random vectors, every share and every moment is unbiased up to that
degree, and the spread between vectors gives its standard error. More vectors serve better than longer runs.

Golub and Welsch, Math. Comp. 23 (1969); Ubaru, Chen, Saad, Fast estimation of tr(f(A)) via stochastic Lanczos quadrature, SIAM J. Matrix Anal.
Appl. 38 (2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from traindx.curvature.krylov import Array, Krylov, Stream, random_vector

if TYPE_CHECKING:
    from traindx.curvature.objective import Objective

# The width of the kernel of a curve, relative to the spread of the spectrum.
WIDTH = 0.01


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class Density:
    """The spectrum as weighted points, those of each random vector with total weight 1."""

    size: int
    """P, the number of eigenvalues."""
    nodes: tuple[Array, ...]
    weights: tuple[Array, ...]
    products: int

    def mean(self, function: Callable[[Array], Array]) -> Estimate:
        """The mean of a function over all eigenvalues."""
        found = [float(w @ function(x)) for x, w in zip(self.nodes, self.weights, strict=True)]
        return Estimate(float(np.mean(found)), float(np.std(found, ddof=1)) / math.sqrt(len(found)))

    def moment(self, order: int) -> Estimate:
        """The mean of the eigenvalues' powers; unbiased for orders below twice the steps."""
        return self.mean(lambda x: x**order)

    def share_between(self, low: float, high: float) -> Estimate:
        """The share of the eigenvalues in [low, high]. Edges closer to many eigenvalues than the runs resolve make it coarse."""
        return self.mean(lambda x: ((x >= low) & (x <= high)).astype(np.float64))

    def curve(self, points: int = 400, width: float | None = None) -> tuple[Array, Array, Array]:
        """The density smoothed by a Gaussian kernel: where, how much, and its standard error there, (points,) each.

        Args:
            points: how many, evenly over the spectrum and three widths beyond it.
            width: the kernel's standard deviation; default: WIDTH of the spread of the spectrum.

        """
        low, high = min(x.min() for x in self.nodes), max(x.max() for x in self.nodes)
        width = width or WIDTH * (high - low) or WIDTH
        where = np.linspace(low - 3 * width, high + 3 * width, points)
        each = np.array([_smoothed(where, x, w, width) for x, w in zip(self.nodes, self.weights, strict=True)])
        return where, each.mean(axis=0), each.std(axis=0, ddof=1) / math.sqrt(len(each))


def _smoothed(where: Array, nodes: Array, weights: Array, width: float) -> Array:
    kernels: Array = np.exp(-(((where[:, None] - nodes) / width) ** 2) / 2) @ weights
    return kernels / (width * math.sqrt(2 * math.pi))


def density(objective: Objective, probes: int = 10, steps: int = 40, *, seed: int = 0) -> Density:
    """The density of the Hessian's eigenvalues. Cost: ``probes`` times ``steps`` products, and memory for ``steps`` vectors.

    Args:
        objective: the loss.
        probes: random vectors, two at least.
        steps: products with each.
        seed: of the random vectors.

    Raises:
        ValueError: for fewer than two probes or one step.

    """
    if probes < 2 or steps < 1:
        raise ValueError(f"probes={probes}, steps={steps}: the standard error needs two probes, and each one step at least")
    nodes, weights, taken = [], [], 0
    for probe in range(probes):
        krylov = Krylov(objective.hvp, random_vector(objective, Stream.DENSITY, seed, probe))
        while krylov.size < steps and not krylov.exhausted:
            krylov.step()
        ritz = krylov.ritz()
        nodes.append(ritz.values)
        weights.append(ritz.coefficients[0] ** 2)
        taken += krylov.size
    return Density(objective.size, tuple(nodes), tuple(weights), taken)
