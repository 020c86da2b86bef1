"""A certificate: is there a direction in which the loss curves downwards?

A vector with v'Hv < 0 proves an eigenvalue below zero (Courant and Fischer), whether or not it is an eigenvector. Lanczos finds one after a
few products where there are any worth the name. That there is none cannot be proved by products; but a run from a random vector misses it
with a probability that can be bounded, and so the opposite answer has a bound and a probability.

Kuczynski and Wozniakowski, Estimating the largest eigenvalue by the power and Lanczos algorithms with a random start, SIAM J. Matrix Anal.
Appl. 13 (1992), theorem 4.2: after k steps, the relative error exceeds e with probability at most 1.648 sqrt(n) exp(-(2k - 1) sqrt(e)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from traindx.curvature.krylov import Array, Krylov, Stream, random_vector

if TYPE_CHECKING:
    from traindx.curvature.objective import Objective

# v'Hv counts as negative when it is below zero by this many times the noise that was measured, in that run and by a product of its own.
CLEAR_OF_NOISE = 10.0

# The constant of the theorem.
KUCZYNSKI_WOZNIAKOWSKI = 1.648

# Products at most, by default: the bound asked for by default takes about 60 for a million parameters.
PRODUCTS = 200


@dataclass(frozen=True)
class Certificate:
    """Either a direction of negative curvature, or a bound below the spectrum that holds with a probability; never "a minimum"."""

    found: bool
    value: float
    """v'Hv of the vector, by a product of its own; without one, the lowest Rayleigh quotient that was met."""
    noise: float
    """What v'Hv may be off by rounding, as measured."""
    vector: Tensor | None
    """(P,), of length 1."""
    bound: float
    """Without a direction: no eigenvalue lies below -bound, with probability 1 - delta. NaN with one."""
    delta: float
    gradient_norm: float
    """A saddle needs a small one too."""
    products: int

    def __str__(self) -> str:
        if self.found:
            return f"negative curvature: v'Hv = {self.value:.3g} (noise {self.noise:.1g}), at a gradient of norm {self.gradient_norm:.3g}"
        bound = f"lambda_min >= -{self.bound:.3g} with probability {1 - self.delta:g}"
        return f"no negative curvature found: {bound}, at a gradient of norm {self.gradient_norm:.3g}"


def negative_curvature(
    objective: Objective, *, epsilon: float = 0.01, delta: float = 0.01, seed: int = 0, products: int = PRODUCTS
) -> Certificate:
    """A direction of negative curvature, or a bound: lambda_min >= -bound with probability 1 - delta.

    Args:
        objective: the loss.
        epsilon: the bound to reach, relative to the spread of the spectrum, before giving up. It takes about
            ln(3.3 sqrt(P) / delta) / (2 sqrt(epsilon)) products.
        delta: the probability with which the bound may fail.
        seed: of the start vector.
        products: stop after this many with the bound reached by then.

    Raises:
        ValueError: for an epsilon or a delta outside (0, 1), or fewer than one product.
        ArithmeticError: where a product is not finite, or not that of a symmetric matrix.

    """
    if not (0 < epsilon < 1 and 0 < delta < 1 and products > 0):
        raise ValueError(f"epsilon={epsilon}, delta={delta}, products={products}: give numbers between 0 and 1, and one product at least")
    krylov = Krylov(objective.hvp, random_vector(objective, Stream.NEGATIVE_CURVATURE, seed))
    taken, lowest, checked = 0, math.inf, 0.0
    while taken < products:
        krylov.step()
        taken += 1
        lowest, highest, coefficients = _ends(krylov)
        noise = max(krylov.noise, checked, _rounding(krylov, objective.dtype))
        if lowest < -CLEAR_OF_NOISE * noise:
            vector = krylov.vectors(coefficients[:, None])[0]
            vector /= torch.linalg.vector_norm(vector)
            bent = objective.hvp(vector).double()
            value = float(vector.double() @ bent)
            taken, checked = taken + 1, max(checked, abs(value - lowest))
            noise = max(noise, checked, float(torch.finfo(objective.dtype).eps * torch.linalg.vector_norm(bent)))
            if value < -CLEAR_OF_NOISE * noise:
                return Certificate(True, value, noise, vector, math.nan, delta, _norm(objective), taken)
        bound = _bound(krylov, lowest, highest, objective.size, delta) + noise
        if krylov.exhausted or bound <= epsilon * (highest - min(lowest, 0.0)):
            break
    return Certificate(False, lowest, noise, None, bound, delta, _norm(objective), taken)


def _ends(krylov: Krylov) -> tuple[float, float, Array]:
    """The lowest and the highest Ritz value, and the coefficients (k,) of the lowest one's vector."""
    ritz = krylov.ritz()
    return float(ritz.values[0]), float(ritz.values[-1]), ritz.coefficients[:, 0]


def _bound(krylov: Krylov, lowest: float, highest: float, size: int, delta: float) -> float:
    """No eigenvalue lies below minus this, with probability 1 - delta.

    Each end of the spectrum is off by more than e of the whole spread with probability delta/2 at most. So the spread is at most that of the
    Ritz values divided by 1 - 2e. A space that is exhausted misses nothing.
    """
    if krylov.exhausted:
        return max(0.0, -lowest)
    e = (math.log(2 * KUCZYNSKI_WOZNIAKOWSKI * math.sqrt(size) / delta) / (2 * krylov.size - 1)) ** 2
    return math.inf if 2 * e >= 1 else max(0.0, e * (highest - lowest) / (1 - 2 * e) - lowest)


def _rounding(krylov: Krylov, dtype: torch.dtype) -> float:
    return float(torch.finfo(dtype).eps) * krylov.scale


def _norm(objective: Objective) -> float:
    return float(torch.linalg.vector_norm(objective.gradient().double()))
