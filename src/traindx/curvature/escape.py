"""Off a saddle: a step along negative curvature, to either side, as far as the loss falls.

At a critical point with v'Hv < 0 the loss falls along v and along -v; how far is found by doubling the step while it pays. Where the second
order says nothing (deep linear networks at zero are flat to the order of their depth), random directions are tried at the scale of an
initialization, and what they find is a fact of the loss, not of its curvature.

Lee, Machine Learning 2021, lecture 'local minimum and saddle point'. Jin et al., How to escape saddle points efficiently, ICML 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from traindx.curvature.krylov import Stream, random_vector
from traindx.curvature.landscape import LossLine
from traindx.curvature.negative_curvature import negative_curvature
from traindx.curvature.objective import Objective
from traindx.curvature.vectorized import loss_at, losses_at

# The first step is as long as the curvature needs to lower the loss by this share of it.
FIRST_FALL = 1e-3
# The first step is halved at most so often, which makes the fall that curvature promises 10^7 times smaller, and doubled at most so often.
HALVINGS, DOUBLINGS = 12, 20
# A fall is seen if it is this many roundings of the loss.
SEEN_ROUNDINGS = 8.0
# Random directions that are tried where no curvature shows the way, and how long: in units of the scale of an initialization.
DIRECTIONS, RADII = 8, (0.25, 0.5, 1.0, 2.0)


class By(StrEnum):
    """What showed the way down."""

    CURVATURE = "negative curvature"
    SEARCH = "random directions"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Escape:
    """The lowest point that was met: ``point`` (P,) = start + step * direction, with ``direction`` (P,) of length 1.

    ``by`` is NOTHING, and the point the start, where no lower one was met. ``tried`` are the losses along the direction.
    """

    by: By
    point: Tensor
    direction: Tensor
    step: float
    before: float
    after: float
    tried: LossLine

    @property
    def fall(self) -> float:
        """How much lower the loss is there."""
        return self.before - self.after


def escape(objective: Objective, direction: Tensor | None = None, *, seed: int = 0) -> Escape:
    """A lower point, if one is found.

    Args:
        objective: The loss; its parameters are where to start. They are not moved.
        direction: (P,) along which the curvature is negative; default: one is looked for, and where there is none, random directions
            are tried.
        seed: Of the start vector, and of random directions.

    Returns:
        The lowest point met. Cost: about ten products, and ten to a hundred forward passes.

    Raises:
        ValueError: for a direction along which the curvature is not negative.
        ArithmeticError: where a product is not finite, or not that of a symmetric matrix.

    """
    if direction is not None:
        unit = _unit(direction)
        return descend(objective, unit, float(torch.dot(unit, objective.hvp(unit))))
    certificate = negative_curvature(objective, seed=seed)
    if certificate.vector is not None:
        found = descend(objective, certificate.vector, certificate.value)
        if found.by is not By.NOTHING:
            return found
    return probe(objective, seed=seed)


def descend(objective: Objective, direction: Tensor, curvature: float) -> Escape:
    """A line search along ``direction`` (P,) to both sides, from steps that ``curvature`` < 0 suggests. Cost: some ten forward passes."""
    return _search(objective, _unit(direction), _first_step(objective, curvature), By.CURVATURE)


def probe(objective: Objective, directions: int = DIRECTIONS, seed: int = 0) -> Escape:
    """Random directions at the scale of an initialization, to both sides. Cost: 2 x RADII forward passes a direction."""
    start, loss = objective.flat(), objective.loss()
    scale = _initial_scale(objective)
    best = Escape(By.NOTHING, start, torch.zeros_like(start), 0.0, loss, loss, LossLine((0.0,), (loss,)))
    for index in range(directions):
        drawn = scale * random_vector(objective, Stream.ESCAPE, seed, index)
        length = float(torch.linalg.vector_norm(drawn))
        found = _best_of(objective, _unit(drawn), [side * radius * length for radius in RADII for side in (1, -1)], By.SEARCH)
        best = found if found.after < best.after else best
    if best.by is By.NOTHING:
        return best
    return _search(objective, best.direction, abs(best.step), By.SEARCH)


def _search(objective: Objective, direction: Tensor, step: float, by: By) -> Escape:
    """Both sides at a first step; halved until the loss falls on one of them, then doubled while it falls further."""
    start, before = objective.flat(), objective.loss()
    met: dict[float, float] = {0.0: before}

    def along(position: float) -> float:
        if position not in met:
            met[position] = loss_at(objective, start + position * direction)
        return met[position]

    seen = SEEN_ROUNDINGS * torch.finfo(objective.dtype).eps * max(abs(before), torch.finfo(objective.dtype).tiny)
    best = _first_fall(along, step, before - seen)
    while best and abs(best) < abs(step) * 2**DOUBLINGS and along(2 * best) < along(best):
        best *= 2
    return _escape(start, direction, best, met, by)


def _first_fall(along: Callable[[float], float], step: float, below: float) -> float:
    """The side and length at which the loss is first seen to fall; 0 where it is not."""
    for _ in range(HALVINGS):
        side = min((step, -step), key=along)
        if along(side) < below:
            return side
        step /= 2
    return 0.0


def _best_of(objective: Objective, direction: Tensor, positions: list[float], by: By) -> Escape:
    start, before = objective.flat(), objective.loss()
    found = losses_at(objective, (start + position * direction for position in positions))
    met = {0.0: before, **dict(zip(positions, found, strict=True))}
    seen = SEEN_ROUNDINGS * torch.finfo(objective.dtype).eps * abs(before)
    best = min(met, key=lambda position: met[position])
    return _escape(start, direction, best if met[best] < before - seen else 0.0, met, by)


def _escape(start: Tensor, direction: Tensor, step: float, met: dict[float, float], by: By) -> Escape:
    order = sorted(met)
    tried = LossLine(tuple(order), tuple(met[position] for position in order))
    return Escape(by if step else By.NOTHING, start + step * direction, direction, step, met[0.0], met[step], tried)


def _first_step(objective: Objective, curvature: float) -> float:
    """The step t with |curvature| t^2 / 2 = FIRST_FALL of the loss."""
    if not curvature < 0:
        raise ValueError(f"curvature is {curvature}: give the negative one of the direction, or use probe")
    return math.sqrt(2 * FIRST_FALL * (abs(objective.loss()) or 1.0) / -curvature)


def _initial_scale(objective: Objective) -> Tensor:
    """(P,): for each weight the root mean square of its tensor, or the root of 1 / fan-in where that is more: what a start would have."""
    parts = []
    for parameter in objective.parameters:
        least = 1 / math.sqrt(parameter[0].numel()) if parameter.ndim >= 2 else 0.0
        size = max(float(parameter.detach().square().mean().sqrt()), least)
        parts.append(torch.full((parameter.numel(),), size))
    found = torch.cat(parts).to(objective.device, objective.dtype)
    return found if bool(found.any()) else torch.ones_like(found)


def _unit(v: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(v)
    if not float(length) > 0:
        raise ValueError("the direction is zero: give one with a length")
    unit: Tensor = v / length
    return unit
