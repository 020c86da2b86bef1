"""The loss around a point, or between two: along a line, and in a plane.

Directions may be random, with each filter scaled to the norm of the weights it stands for (Li et al. 2018), which makes pictures of networks
of different scales comparable; eigenvectors of the Hessian; or the principal components of the way that a training took. A plane shows two
of P directions: what it does not show may be different.

Li et al., Visualizing the loss landscape of neural nets, NeurIPS 2018. Goodfellow et al., Qualitatively characterizing neural network
optimization problems, ICLR 2015 (the line between two solutions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from traindx.curvature.objective import Objective
from traindx.curvature.vectorized import losses_at

LINE_POINTS, PLANE_POINTS = 41, 21
# How far pictures reach on either side: in units of filter-normalized directions, the weights once over.
RADIUS = 1.0
# Room around a way or two solutions, as a share of their distance.
MARGIN = 0.25


@dataclass(frozen=True)
class LossLine:
    """Losses at ``origin + position * direction``; both tuples have one entry a point, in order of position."""

    positions: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class LossPlane:
    """Losses at ``origin + x * first + y * second``: ``losses[i][j]`` belongs to ``y[i]`` and ``x[j]``."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Way:
    """The principal components of a way: orthonormal ``first`` and ``second`` (P,), its points in them, and what share of it they show.

    ``shares`` are those of the sum of squared distances from the last point, which is the origin.
    """

    first: Tensor
    second: Tensor
    x: tuple[float, ...]
    y: tuple[float, ...]
    shares: tuple[float, float]


# --- Lines and planes --------------------------------------------------------------------------------------------------------------


def line(objective: Objective, direction: Tensor, radius: float = RADIUS, points: int = LINE_POINTS) -> LossLine:
    """The loss along ``direction`` (P,), from -radius to radius; position 0 is where the parameters are. Cost: a forward pass a point."""
    return _line(objective, objective.flat(), direction, _spread(-radius, radius, points))


def between(objective: Objective, end: Tensor, margin: float = MARGIN, points: int = LINE_POINTS) -> LossLine:
    """The loss on the straight line from the present parameters (position 0) to ``end`` (P,) (position 1), and some way beyond both."""
    start = objective.flat()
    return _line(objective, start, end.to(start) - start, _spread(-margin, 1 + margin, points))


def plane(
    objective: Objective,
    first: Tensor,
    second: Tensor,
    x: Sequence[float] | None = None,
    y: Sequence[float] | None = None,
    points: int = PLANE_POINTS,
) -> LossPlane:
    """The loss in the plane through the present parameters.

    Args:
        objective: The loss.
        first: (P,) direction of x.
        second: (P,) direction of y.
        x: Positions along ``first``. Default: ``points`` of them from -RADIUS to RADIUS.
        y: Positions along ``second``; the same default.
        points: On each side, where x or y is not given.

    Returns:
        ``len(x) * len(y)`` losses. Cost: a forward pass each, vectorized where that is faster.

    """
    origin = objective.flat()
    first, second = first.to(origin), second.to(origin)
    columns = tuple(x) if x is not None else _spread(-RADIUS, RADIUS, points)
    rows = tuple(y) if y is not None else _spread(-RADIUS, RADIUS, points)
    losses = losses_at(objective, (origin + column * first + row * second for row in rows for column in columns))
    width = len(columns)
    return LossPlane(columns, rows, tuple(tuple(losses[i * width : (i + 1) * width]) for i in range(len(rows))))


def _line(objective: Objective, origin: Tensor, direction: Tensor, positions: tuple[float, ...]) -> LossLine:
    direction = direction.to(origin)
    return LossLine(positions, tuple(losses_at(objective, (origin + position * direction for position in positions))))


def _spread(low: float, high: float, points: int) -> tuple[float, ...]:
    """Evenly from low to high, both included; 0 exactly where it falls on a point."""
    if points < 2 or not high > low:
        raise ValueError(f"points is {points} from {low} to {high}: give at least two, and a positive radius")
    step = (high - low) / (points - 1)
    return tuple(0.0 if abs(low + i * step) < 1e-9 * step else low + i * step for i in range(points))


# --- Directions --------------------------------------------------------------------------------------------------------------------


def filter_normalized(objective: Objective, seed: int = 0) -> Tensor:
    """(P,): a random direction with each filter scaled to the norm of the filter it changes; biases and other vectors are left alone.

    A filter is what one output unit or channel reads: ``parameter[i]``. Two of these directions are nearly orthogonal. Where nothing but
    vectors and zeros can be changed, the direction is zero there.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = [_scaled(parameter.detach(), generator) for parameter in objective.parameters]
    return torch.cat([part.reshape(-1).to(objective.device, objective.dtype) for part in parts])


def _scaled(weights: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.randn(weights.shape, generator=generator, dtype=torch.float64).to(weights)
    if weights.ndim < 2:
        return torch.zeros_like(weights)
    over = tuple(range(1, weights.ndim))
    norms = drawn.square().sum(over, keepdim=True).sqrt()
    return drawn * weights.square().sum(over, keepdim=True).sqrt() / norms.clamp_min(torch.finfo(weights.dtype).tiny)


def two_directions(objective: Objective, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two filter-normalized random directions, the second with its part along the first taken out."""
    first, second = filter_normalized(objective, 2 * seed), filter_normalized(objective, 2 * seed + 1)
    along = torch.dot(first, second) / first.square().sum().clamp_min(torch.finfo(first.dtype).tiny)
    return first, second - along * first


def principal(way: Sequence[Tensor]) -> Way:
    """The plane that shows most of a way, through its last point.

    Args:
        way: At least three points (P,), in order; the last is the origin of the plane.

    Raises:
        ValueError: for fewer than three points, or for points that all lie on one line.

    """
    if len(way) < 3:
        raise ValueError(f"way has {len(way)} points: give at least three")
    away = torch.stack([point - way[-1] for point in way]).double()
    _, sizes, directions = torch.linalg.svd(away, full_matrices=False)
    if not float(sizes[1]) > 1e-9 * float(sizes[0]):
        raise ValueError("the points of the way lie on one line: draw the line between two of them")
    coordinates = away @ directions[:2].T
    total = float(sizes.square().sum())
    x, y = (tuple(float(v) for v in column) for column in coordinates.T)
    first, second = (direction.to(way[-1]) for direction in directions[:2])
    return Way(first, second, x, y, (float(sizes[0]) ** 2 / total, float(sizes[1]) ** 2 / total))


def around(values: Sequence[float], points: int = PLANE_POINTS, margin: float = MARGIN) -> tuple[float, ...]:
    """Positions that cover these values and a margin around them."""
    low, high = min(values), max(values)
    room = margin * (high - low)
    return _spread(low - room, high + room, points)
