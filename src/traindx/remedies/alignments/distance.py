"""How far two sets of rows lie apart."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from torch import Tensor

# Rows of either side whose distances are taken.
MAX_ROWS = 400
# A map must leave at most this share of the distance of the two sets.
DISTANCE_LEFT = 0.5
# Sets at no more than this distance are draws of one distribution: some times what such draws of MAX_ROWS rows differ by.
LEAST_DISTANCE = 0.001

RowsT = TypeVar("RowsT", Tensor, np.ndarray)


def thinned(rows: RowsT, most: int) -> RowsT:
    """At most so many of the rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // most))]


def energy_distance(mine: np.ndarray, theirs: np.ndarray) -> float:
    """The mean distance between two sets of rows (n, F), less that within each, as a share of the former (Székely and Rizzo 2004).

    Without bias: about zero where they are draws of one distribution. Of at most MAX_ROWS rows of each.
    """
    from scipy.spatial.distance import cdist, pdist

    mine, theirs = (thinned(rows, MAX_ROWS) for rows in (mine, theirs))
    between = float(cdist(mine, theirs).mean())
    return 1 - float(pdist(mine).mean() + pdist(theirs).mean()) / max(2 * between, 1e-12)
