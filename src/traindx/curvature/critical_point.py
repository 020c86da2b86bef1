"""What kind of point is this? The slope first, then a certificate of curvature, then the loss itself along the direction found.

An answer is given where it can be shown, and "undecided" elsewhere:

- *not-critical*: following the slope alone still lowers the loss.
- *saddle*: the slope is spent, the curvature along one direction is negative beyond the noise of the product, and the loss was seen to fall
  along it. A maximum is one, too.
- *minimum-like*: the smallest eigenvalue is above zero by more than its error. What was not found has the probability ``delta``.
- *flat*: no curvature is below -``epsilon`` (but with probability ``delta``), and there are directions along which it is zero: to second
  order nothing goes down, and nothing says that this is a minimum.

Lee, Machine Learning 2021, lecture 'local minimum and saddle point'; Nesterov and Polyak, Cubic regularization of Newton method, Math.
Program. 108 (2006), on points that are critical to second order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from traindx.curvature.eigenpairs import eigenpairs
from traindx.curvature.escape import By, Escape, descend, probe
from traindx.curvature.negative_curvature import CLEAR_OF_NOISE, Certificate, negative_curvature
from traindx.curvature.objective import Objective
from traindx.curvature.slope import Slope, slope

# An eigenvalue within this share of the largest is zero: in float32, rounding alone makes 1e-7 of it.
ZERO_SHARE = 1e-5
# Flat: no curvature below minus this share of the largest, which is what the certificate is asked for by default.
FLAT_SHARE = 0.01
# Products for the eigenvalues at both ends, once the certificate has found nothing.
PRODUCTS = 300
# Of the eigenvalues, relative to themselves. Their sign is what is asked.
TOLERANCE = 0.1


class Answer(StrEnum):
    """What kind of point."""

    NOT_CRITICAL = "not-critical"
    SADDLE = "saddle"
    MINIMUM_LIKE = "minimum-like"
    FLAT = "flat"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class CriticalPoint:
    """The answer, why, and what it rests on. What was not asked any more is None.

    ``smallest`` and ``largest`` are eigenvalues, ``error`` bounds that of the smallest. Where negative curvature was found, ``smallest`` is
    v'Hv along ``direction`` (P,), above which the smallest eigenvalue cannot lie. ``escape`` is the way down, if one was seen.
    """

    answer: Answer
    reason: str
    slope: Slope
    certificate: Certificate | None = None
    direction: Tensor | None = None
    escape: Escape | None = None
    smallest: float | None = None
    error: float | None = None
    largest: float | None = None
    products: int = 0


def critical_point(objective: Objective, *, seed: int = 0, products: int = PRODUCTS) -> CriticalPoint:
    """What kind of point the present parameters are.

    Args:
        objective: The loss; with several batches its gradient has a noise to be held against.
        seed: Of the start vectors and of random directions.
        products: At most so many for the two ends of the spectrum, where no negative curvature is found.

    Returns:
        The answer with all that it rests on. Cost: about 12 products where the loss is sloping, 30 at a saddle, up to a few hundred to tell
        flat ground from a minimum.

    Raises:
        ArithmeticError: where a product is not finite, or not that of a symmetric matrix.

    """
    began = objective.products
    here = slope(objective)
    found = _judge(objective, here, seed, products)
    return replace(found, products=objective.products - began)


def _judge(objective: Objective, here: Slope, seed: int, products: int) -> CriticalPoint:
    if not (math.isfinite(here.loss) and math.isfinite(here.norm)):
        return CriticalPoint(Answer.UNDECIDED, "the loss or its gradient is not finite", here)
    if here.is_critical is False:
        falls = f"following the slope alone lowers the loss {_from_to(here.loss, here.loss - here.gain)}"
        return CriticalPoint(Answer.NOT_CRITICAL, falls, here)
    certificate = negative_curvature(objective, seed=seed)
    if certificate.found and certificate.vector is not None:
        top = eigenpairs(objective, 1, 0, tolerance=TOLERANCE, seed=seed, products=products)
        largest = float(top.values[0])
        if certificate.value < -ZERO_SHARE * max(abs(largest), -certificate.value):
            return _saddle(objective, here, certificate, certificate.vector, certificate.value, largest)
    if here.is_critical is None:
        unclear = f"following the slope gains {here.share:.2%} of the loss, and a single batch shows no noise to compare that with"
        return CriticalPoint(Answer.UNDECIDED, unclear, here, certificate)
    return _minimum_or_flat(objective, here, certificate, seed, products)


def _saddle(
    objective: Objective, here: Slope, certificate: Certificate, direction: Tensor, curvature: float, largest: float
) -> CriticalPoint:
    """Negative curvature: a saddle if the loss is seen to fall along it."""
    escape = descend(objective, direction, curvature)
    if escape.by is By.NOTHING:
        kind, reason = Answer.UNDECIDED, "the curvature is negative along one direction, but the loss was not seen to fall along it"
    else:
        kind, reason = Answer.SADDLE, f"along one direction the loss falls {_from_to(escape.before, escape.after)}"
        reason += ", and it rises along none: a maximum" if largest < -ZERO_SHARE * -curvature else ""
    return CriticalPoint(kind, reason, here, certificate, direction, escape, curvature, certificate.noise, largest)


def _minimum_or_flat(objective: Objective, here: Slope, certificate: Certificate, seed: int, products: int) -> CriticalPoint:
    """No negative curvature was found at once: look at both ends of the spectrum for longer."""
    pairs = eigenpairs(objective, 1, 1, tolerance=TOLERANCE, seed=seed, products=products)
    largest, smallest, error = float(pairs.values[0]), float(pairs.values[-1]), float(pairs.errors[-1])
    zero = max(ZERO_SHARE * float(pairs.values.abs().max()), CLEAR_OF_NOISE * pairs.noise)
    if smallest < -zero:
        direction = pairs.vectors[-1]
        curvature = float(torch.dot(direction, objective.hvp(direction)))
        if curvature < -zero:
            return _saddle(objective, here, certificate, direction, curvature, largest)
    known: dict[str, Any] = {"smallest": smallest, "error": error, "largest": largest}
    least = max(smallest - error, -certificate.bound)
    if least > zero:
        return CriticalPoint(Answer.MINIMUM_LIKE, f"all eigenvalues found are above {least:.3g}", here, certificate, **known)
    if smallest > zero or least < -max(zero, FLAT_SHARE * abs(largest)):
        open_end = f"after {pairs.products} products, the smallest eigenvalue may lie anywhere from {least:.2g} to {smallest:.2g}"
        return CriticalPoint(Answer.UNDECIDED, open_end, here, certificate, **known)
    escape = probe(objective, seed=seed)
    reason = "no curvature is negative, and along some directions it is zero"
    if escape.by is By.SEARCH:
        reason += f"; beyond what curvature sees, the loss falls {_from_to(escape.before, escape.after)}"
    return CriticalPoint(Answer.FLAT, reason, here, certificate, escape=escape, **known)


def _from_to(before: float, after: float) -> str:
    """Two losses in as many digits as it takes to tell them apart."""
    digits = next((d for d in range(3, 12) if f"{before:.{d}g}" != f"{after:.{d}g}"), 12)
    return f"from {before:.{digits}g} to {after:.{digits}g}"
