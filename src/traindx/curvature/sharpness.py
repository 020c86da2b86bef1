"""Sharpness: how far the loss can rise within a small box around the weights.

Two boxes, the same search. That of Keskar et al., |y_i| <= epsilon (|x_i| + 1), changes when the weights of a network are rescaled without
changing what it computes (Dinh et al. 2017), so it cannot compare two networks by itself. The relative one, |y_i| <= epsilon |x_i|, is the
same for all such rescalings: a change by a share of each weight is carried along (Kwon et al. 2021).

The rise is maximized by steps to the corner of the box that the gradient points to. Where the loss is convex within the box, no such step
goes down (Journee et al. 2010); the highest loss met is returned, so the value is a lower bound of the maximum.

Keskar et al., On large-batch training for deep learning, ICLR 2017. Dinh et al., Sharp minima can generalize for deep nets, ICML 2017.
Kwon et al., ASAM: adaptive sharpness-aware minimization, ICML 2021. Journee et al., Generalized power method, JMLR 11 (2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from traindx.curvature.objective import Objective
from traindx.curvature.vectorized import loss_at

# Half-width of the box: the first of the two values in the paper of Keskar et al. (1e-3 and 5e-4).
EPSILON = 1e-3
# Of steps from each start, and of starts: the gradient's own corner, and random ones. More found nothing higher on networks for digits.
STEPS, STARTS = 10, 3


@dataclass(frozen=True)
class Sharpness:
    """The rise of the loss within the box, in per cent of one plus the loss, as Keskar et al. define it.

    ``value`` is 100 (highest - loss) / (1 + loss); ``gradients`` is what the search cost.
    """

    value: float
    loss: float
    highest: float
    epsilon: float
    relative: bool
    gradients: int


def sharpness(
    objective: Objective,
    epsilon: float = EPSILON,
    relative: bool = False,
    steps: int = STEPS,
    starts: int = STARTS,
    seed: int = 0,
) -> Sharpness:
    """The epsilon-sharpness of the objective at its present parameters.

    Args:
        objective: The loss; its parameters are where the box stands.
        epsilon: Half-width of the box, in units of |x| + 1, or of |x| where ``relative``.
        relative: The box that is the same for rescaled networks.
        steps: At most so many from each start.
        starts: The corner that the gradient at the centre points to, and random points of the box.
        seed: Of the random points.

    Returns:
        A lower bound of the maximum, found by at most (steps + 1) x starts gradients.

    Raises:
        ValueError: when ``epsilon``, ``steps`` or ``starts`` is not positive.

    """
    if not (epsilon > 0 and steps >= 1 and starts >= 1):
        raise ValueError(f"epsilon, steps and starts are {epsilon}, {steps} and {starts}: give positive ones")
    centre, loss = objective.flat(), objective.loss()
    box = epsilon * (centre.abs() if relative else centre.abs() + 1)
    generator = torch.Generator().manual_seed(seed)
    points = [torch.zeros_like(centre), *(_random(box, generator) for _ in range(starts - 1))]
    climbs = [_climb(objective, centre, box, point, steps) for point in points]
    highest = max(loss, *(found for found, _ in climbs))
    return Sharpness(_percent(highest, loss), loss, highest, epsilon, relative, sum(spent for _, spent in climbs))


def _percent(highest: float, loss: float) -> float:
    """The rise in per cent of one plus the loss; not a number for losses of -1 and below, which the definition does not foresee."""
    if not math.isfinite(highest):
        return math.inf
    return 100 * (highest - loss) / (1 + loss) if loss > -1 else math.nan


def _random(box: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in the box; the same share of each side for the same seed, whatever the box."""
    share = 2 * torch.rand(len(box), generator=generator, dtype=torch.float64) - 1
    return box * share.to(box)


def _climb(objective: Objective, centre: Tensor, box: Tensor, point: Tensor, steps: int) -> tuple[float, int]:
    """(highest loss met, gradients spent) by going to the corner that the gradient points to, until that is where one stands."""
    highest = -math.inf
    for step in range(steps):
        with objective.at(centre + point):
            gradient = objective.gradient()
        corner = box * torch.sign(gradient)
        loss = loss_at(objective, centre + corner)
        if loss <= highest:
            return highest, step + 1
        highest = loss
        if torch.equal(corner, point):
            return highest, step + 1
        point = corner
    return highest, steps
