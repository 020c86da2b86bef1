"""The trace of the Hessian, by Hutchinson's estimate outside a Krylov space and exactly within it.

Within the space the trace is that of B = Q'HQ, which is known. Outside, x'Hx of random vectors x is unbiased; its variance is 2|H|_F^2 of what
is left there, from which the outliers are gone. The vectors are orthogonal to one another too, and each joins the space after its use, so
that it is as if they were drawn without replacement.

Hutchinson, A stochastic estimator of the trace of the influence matrix, Commun. Stat. Simul. Comput. 19 (1990); Meyer, Musco, Musco, Woodruff,
Hutch++: optimal stochastic trace estimation, SOSA (2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from traindx.curvature.krylov import Krylov, Rows, Stream, random_vector

if TYPE_CHECKING:
    from traindx.curvature.objective import Objective

# The share of the products that goes into the Krylov space where none is given, and the least number of random vectors beside it.
SHARE_OF_SPACE = 0.6
LEAST_PROBES = 4


@dataclass(frozen=True)
class Trace:
    """The trace with its standard error."""

    value: float
    standard_error: float
    """From the spread of the random vectors; 0 where the Krylov space was all there is."""
    products: int


def trace(objective: Objective, products: int = 60, *, seed: int = 0, krylov: Krylov | None = None) -> Trace:
    """The trace of the Hessian.

    Args:
        objective: the loss.
        products: Hessian products to spend.
        seed: of the random vectors.
        krylov: a Krylov space of the same Hessian (``eigenpairs(..., keep_basis=True).krylov``), which saves making one. It is not changed.

    Raises:
        ValueError: for fewer than LEAST_PROBES products.

    """
    if products < LEAST_PROBES:
        raise ValueError(f"products={products}: the standard error needs {LEAST_PROBES} at least")
    taken = 0
    if krylov is None:
        krylov = Krylov(objective.hvp, random_vector(objective, Stream.TRACE, seed))
        while taken < min(round(SHARE_OF_SPACE * products), products - LEAST_PROBES) and not krylov.exhausted:
            krylov.step()
            taken += 1
    return _outside(objective, krylov, products - taken, taken, seed)


def _outside(objective: Objective, krylov: Krylov, probes: int, taken: int, seed: int) -> Trace:
    """The trace within the space, and the estimate outside it."""
    space = Rows(objective.size, objective.dtype, objective.device)
    for row in krylov.vectors(np.eye(krylov.size)):
        space.append(row)
    known, estimates = float(np.trace(krylov.matrix)), []
    for number in range(probes):
        left = objective.size - space.count
        if left == 0:
            return Trace(known, 0.0, taken + number)
        vector = random_vector(objective, Stream.TRACE, seed, 1 + number)
        for _ in range(2):
            vector /= torch.linalg.vector_norm(vector)
            space.take_off(vector, space.coefficients(vector))
        vector /= torch.linalg.vector_norm(vector)
        quotient = float(vector @ objective.hvp(vector))
        estimates.append(known + left * quotient)
        known += quotient
        space.append(vector)
    spread = float(np.std(estimates, ddof=1))
    return Trace(float(np.mean(estimates)), spread / math.sqrt(probes), taken + probes)
