"""Rows laid out otherwise: images mirrored, turned or transposed, channels or time reversed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice, permutations

from torch import Tensor

from traindx.remedies.alignments.distance import DISTANCE_LEFT, LEAST_DISTANCE, MAX_ROWS, energy_distance, thinned
from traindx.tasks.features import Features

# A flat row of at least so many values may be an image whose sides are equal.
LEAST_PIXELS = 16
# Rows of more axes than can be laid out in so many ways are left as they are: a square image with channels has 15 others, a cube 47.
MOST_LAYOUTS = 64


@dataclass(frozen=True)
class Rearrangement:
    """Rows seen in this shape, their axes taken in this order and some then flipped, counted from 1; picklable."""

    shape: tuple[int, ...]
    order: tuple[int, ...]
    flipped: tuple[int, ...]

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs of shape (n, ...)."""
        rows = inputs.reshape(len(inputs), *self.shape).permute(0, *self.order)
        return rows.flip(self.flipped).reshape(inputs.shape)


def rearrangement(train: Tensor, test: Tensor, features: Features | None = None) -> Rearrangement | None:
    """The layout of the test rows nearest to that of the training rows, where it is much nearer than the one there is.

    Cost: a distance of MAX_ROWS by MAX_ROWS rows for each layout, at most MOST_LAYOUTS.
    """
    features = features or Features(train)
    mine, theirs = features(thinned(train, MAX_ROWS)), thinned(test, MAX_ROWS)
    before = energy_distance(mine, features(theirs))
    if before <= LEAST_DISTANCE:
        return None
    found = {layout: energy_distance(mine, features(layout(theirs))) for layout in layouts(tuple(train.shape[1:]))}
    best = min(found, key=lambda layout: found[layout], default=None)
    return best if best is not None and found[best] <= DISTANCE_LEFT * before else None


def layouts(shape: tuple[int, ...]) -> list[Rearrangement]:
    """All ways to flip axes and to exchange equal ones, of rows of this shape or of the image that a flat row may be; not the identity.

    None where there are more than MOST_LAYOUTS.
    """
    found = list(islice(_layouts(shape), MOST_LAYOUTS + 1))
    return found if len(found) <= MOST_LAYOUTS else []


def _layouts(shape: tuple[int, ...]) -> Iterator[Rearrangement]:
    side = math.isqrt(math.prod(shape))
    shapes = [shape, (side, side)] if len(shape) == 1 and side**2 == shape[0] >= LEAST_PIXELS else [shape]
    for seen in shapes:
        axes = tuple(range(1, len(seen) + 1))
        for order in permutations(axes):
            if tuple(seen[axis - 1] for axis in order) == seen:
                for flipped in (chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)):
                    if order != axes or flipped:
                        yield Rearrangement(seen, order, flipped)
