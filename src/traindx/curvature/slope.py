"""Is the loss still sloping here? The full-batch gradient, held against its own noise and against what following it would gain.

A gradient's norm says nothing by itself: its unit is loss per weight, and rescaling the weights changes it. Two comparisons are free of that.
Its *noise* is what the norm of the mean gradient would be if the rows pulled in random directions: below it, another sample of rows might as
well show no slope. Its *gain* is what the loss falls by when the slope alone is followed: the step |H|^-1 g within a Krylov space of the
gradient (saddle-free Newton, Dauphin et al. 2014), tried on the real loss at several lengths. Near a critical point of any kind, that step is
short and gains next to nothing; in a narrow valley, along whose bottom a training creeps, it is long and gains much, however small g is.

Dauphin et al., Identifying and attacking the saddle point problem in high-dimensional non-convex optimization, NeurIPS 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from traindx.curvature.krylov import Krylov
from traindx.curvature.objective import Objective
from traindx.curvature.vectorized import loss_at

# Products spent on the step. Conjugate gradients reduce what is left by (sqrt(k)-1)/(sqrt(k)+1) a step: 12 suffice for condition numbers
# up to about 30 among the eigenvalues that the gradient has a share in, and any number for two or three clusters of them.
STEPS = 12
# Curvatures below this share of the largest are taken for it, which bounds the step in flat directions. One after the other is tried: where
# the loss is far from quadratic, long steps overshoot. The last is the gradient itself, over the largest curvature.
CURVATURE_FLOORS = (1e-3, 1e-1, 1.0)
# Lengths at which each step is tried.
LENGTHS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.1)
# A gain below this share of the loss is none, and one above that share is a slope; between the two the noise of the gradient decides.
NEGLIGIBLE, CLEAR = 1e-4, 1e-2
# Losses themselves near zero: a gain is none, too, if a change of all weights by this share would cost more.
RELATIVE_MOVE = 1e-5
# A gradient beyond so many of its noise is no chance: for P directions its norm under pure noise stays close to 1 of it.
NOISE_FACTOR = 2.0


@dataclass(frozen=True)
class Slope:
    """The gradient of the whole objective, and what following it gains.

    ``noise`` is the standard error of the gradient as a norm, from the spread of the batches' gradients; not a number for a single batch.
    ``gain`` is the fall of the loss, ``scale`` what it is held against, ``curvature`` the largest in absolute value that was met.
    """

    loss: float
    norm: float
    noise: float
    gain: float
    scale: float
    curvature: float
    products: int

    @property
    def noise_ratio(self) -> float:
        """The norm in units of its noise."""
        return self.norm / self.noise if self.noise > 0 else math.nan

    @property
    def share(self) -> float:
        """The gain as a share of its scale."""
        return self.gain / self.scale if self.scale > 0 else 0.0 if self.gain == 0 else math.inf

    @property
    def is_critical(self) -> bool | None:
        """Whether there is no slope to speak of; None where the gain is neither negligible nor clear and there is no noise to compare with."""
        if not math.isfinite(self.share) or self.share >= CLEAR:
            return False
        if self.share <= NEGLIGIBLE:
            return True
        return None if math.isnan(self.noise_ratio) else self.noise_ratio <= NOISE_FACTOR


def slope(objective: Objective, steps: int = STEPS) -> Slope:
    """Gradient, noise and gain at the present parameters. Cost: two gradients, ``steps`` products and a few forward passes."""
    loss, gradient = objective.loss(), objective.gradient()
    norm = float(torch.linalg.vector_norm(gradient))
    noise = gradient_noise(objective, gradient)
    if norm == 0 or not (math.isfinite(loss) and math.isfinite(norm)):
        return Slope(loss, norm, noise, 0.0 if norm == 0 else math.nan, abs(loss), 0.0, 0)
    newton, curvature, products = _steps(objective, gradient, steps)
    here = objective.flat()
    lowest = min(loss_at(objective, here + length * step) for step in newton for length in LENGTHS)
    scale = abs(loss) + 0.5 * curvature * (RELATIVE_MOVE * float(torch.linalg.vector_norm(here))) ** 2 / NEGLIGIBLE
    return Slope(loss, norm, noise, max(0.0, loss - lowest), scale, curvature, products)


def gradient_noise(objective: Objective, gradient: Tensor) -> float:
    """The standard error of the mean gradient over the batches, as a norm: the root of the summed variances. Cost: one gradient."""
    rows: list[int] = []
    deviations: list[float] = []
    for count, mean in objective.batch_gradients():
        rows.append(count)
        deviations.append(float((mean - gradient).double().square().sum()))
    total, batches = sum(rows), len(rows)
    if batches < 2:
        return math.nan
    return math.sqrt(sum((n / total) ** 2 * d for n, d in zip(rows, deviations, strict=True)) * batches / (batches - 1))


def _steps(objective: Objective, gradient: Tensor, steps: int) -> tuple[list[Tensor], float, int]:
    """(-|H|^-1 g in the Krylov space of g for each floor, the largest curvature in absolute value, products)."""
    krylov = Krylov(objective.hvp, gradient)
    while not krylov.exhausted and krylov.size < steps:
        krylov.step()
    ritz = krylov.ritz()
    sizes = np.abs(ritz.values)
    largest = float(sizes.max(initial=0.0))
    if largest == 0:  # no curvature at all: a step of the gradient's own length
        return [-gradient], 0.0, krylov.size
    norm = float(torch.linalg.vector_norm(gradient))
    inverses = (1 / np.maximum(sizes, floor * largest) for floor in CURVATURE_FLOORS)
    coefficients = np.stack([-norm * ritz.coefficients @ (inverse * ritz.coefficients[0]) for inverse in inverses], axis=1)
    return list(krylov.vectors(coefficients)), largest, krylov.size
