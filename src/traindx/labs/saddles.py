"""Off planted saddles, along the lowest eigenvector (claim 13)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import nn

from traindx.curvature import Objective, dense_hessian, eigenpairs, negative_curvature
from traindx.curvature.escape import By, escape
from traindx.labs.base import Context, Seen
from traindx.records import Check, Plot

# Singular values of the map that is to be learned, and hidden units of the linear network that learns it.
SINGULAR, HIDDEN = (3.0, 2.0, 1.0, 0.5), 2
# What the lowest eigenvalue may differ by from the dense matrix's, of the largest, and what counts as a fall, of the loss before.
SAME, FALL = 1e-6, 1e-3


@dataclass(frozen=True)
class Planted:
    """A critical point of the two-layer linear network that keeps some of the singular directions of the map."""

    kept: tuple[int, ...]
    objective: Objective
    minimum: bool

    @property
    def name(self) -> str:
        """Which directions are kept."""
        return f"keeps {', '.join(str(i + 1) for i in self.kept) or 'none'}"


def planted(draws: np.random.Generator) -> list[Planted]:
    """All kinds of critical points of the squared error of W2 W1 against a matrix, by falling loss.

    Each keeps a set of at most HIDDEN singular directions; the one with the largest is the global minimum, all others are saddles (Baldi
    and Hornik, Neural Networks 1989).
    """
    size = len(SINGULAR)
    u, v = (np.linalg.qr(draws.normal(size=(size, size)))[0] for _ in range(2))
    targets = torch.tensor(v * np.array(SINGULAR) @ u.T)
    points = []
    for kept in (c for count in range(HIDDEN + 1) for c in combinations(range(size), count)):
        model = nn.Sequential(nn.Linear(size, HIDDEN, bias=False), nn.Linear(HIDDEN, size, bias=False)).double()
        first, second = np.zeros((HIDDEN, size)), np.zeros((size, HIDDEN))
        for unit, i in enumerate(kept):
            first[unit], second[:, unit] = np.sqrt(SINGULAR[i]) * v[:, i], np.sqrt(SINGULAR[i]) * u[:, i]
        for layer, weights in zip(model, (first, second), strict=True):
            layer.get_parameter("weight").data.copy_(torch.tensor(weights))
        here = Objective(model, nn.MSELoss(), [(torch.eye(size, dtype=torch.float64), targets)])
        points.append(Planted(kept, here, kept == tuple(range(HIDDEN))))
    return sorted(points, key=lambda p: -p.objective.loss())


class Saddles:
    """A step along the eigenvector of the lowest eigenvalue."""

    name, claims = "saddles", (13,)
    question = "How does a training get off a saddle?"
    claim = "Along an eigenvector of a negative eigenvalue the loss falls; at a minimum there is none."
    source = "Lee, Machine Learning 2021, when gradient is small; critical points of linear networks: Baldi and Hornik 1989"

    def run(self, context: Context) -> Seen:
        """At every planted critical point: the lowest eigenvector by products alone, and a line search along it to both sides."""
        context.progress("planted saddles of a linear network")
        points = planted(np.random.default_rng(context.seeds[0]))
        slopes = max(float(p.objective.gradient().norm()) for p in points)
        before = np.array([p.objective.loss() for p in points])
        after, off, claimed = before.copy(), 0.0, 0
        for i, point in enumerate(points):
            if point.minimum:
                claimed += negative_curvature(point.objective).found or escape(point.objective).by is By.CURVATURE
                continue
            found = eigenpairs(point.objective, 0, 1, tolerance=SAME)
            dense = torch.linalg.eigvalsh(dense_hessian(point.objective))
            off = max(off, float((found.values[0] - dense[0]).abs() / dense.abs().max()))
            after[i] = escape(point.objective, found.vectors[0]).after
        saddles = np.array([not p.minimum for p in points])
        fell = int((after[saddles] < (1 - FALL) * before[saddles]).sum())
        checks = (
            Check(label="largest gradient at the planted points", measured=slopes, lecture="0", holds=slopes < 1e-12),
            Check(label="lowest eigenvalue by products, off the dense one's", measured=off, lecture="0", holds=off < SAME),
            Check(label=f"of {saddles.sum()} saddles: loss falls along it", measured=fell, lecture="all", holds=fell == saddles.sum()),
            Check(label="negative curvature claimed at the minimum", measured=claimed, lecture="none", holds=claimed == 0),
        )
        axis = tuple(map(float, range(1, len(points) + 1)))
        plot = Plot(
            title="A step off each saddle",
            caption=f"Critical points of a linear network by falling loss ({'; '.join(p.name for p in points)}). The last is the minimum.",
            x_label="critical point",
            y_label="loss (mean squared error)",
            lines={"there": (axis, tuple(before)), "after the step": (axis, tuple(after))},
            points=True,
            names=tuple(map(str, range(1, len(points) + 1))),
        )
        share = float((1 - after[saddles] / before[saddles]).mean())
        said = (
            f"A line search along the lowest eigenvector lowers the loss at {fell} of {saddles.sum()} saddles, by {share:.0%} in the mean."
        )
        return Seen(sentence=said, checks=checks, plots=(plot,))
