"""Saddles and minima of the smallest network that has both (claims 11 and 12)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from traindx.curvature import Objective, dense_hessian, inertia
from traindx.labs.base import Context, Seen, near
from traindx.records import Check, Plot


class TwoWeights(nn.Module):
    """y = w1 w2 x."""

    def __init__(self, w1: float, w2: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([w1, w2], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """(n,) -> (n,)."""
        return self.w[0] * self.w[1] * x


def objective(w1: float, w2: float) -> Objective:
    """(1 - w1 w2)^2: the squared error of the one datum (1, 1)."""
    one = torch.ones(1, dtype=torch.float64)
    return Objective(TwoWeights(w1, w2), nn.MSELoss(), [(one, one)])


def kind(positive: int, negative: int, zero: int) -> str:
    """What signs of eigenvalues say of a critical point; zero ones leave it open."""
    if negative:
        return "saddle" if positive or zero else "maximum"
    return "degenerate" if zero else "minimum"


class CriticalPoints:
    """(1 - w1 w2)^2 at the origin and on its valley."""

    name, claims = "critical-points", (11, 12)
    question = "The gradient is zero: is this a minimum or a saddle, and which way leads off?"
    claim = "At the origin the eigenvalues are 2 and -2: a saddle. Along the eigenvector of the negative one the loss falls."
    source = "Lee, Machine Learning 2021, when gradient is small"

    def run(self, context: Context) -> Seen:
        """Eigenvalues by our products, the kind of both points, the step off the saddle, and Taylor's series."""
        context.progress("two weights")
        found = {point: np.linalg.eigvalsh(dense_hessian(objective(*point)).double().numpy()) for point in ((0.0, 0.0), (1.0, 1.0))}
        kinds = {}
        for point in found:
            counts = inertia(objective(*point))
            kinds[point] = kind(counts.positive, counts.negative, counts.near_zero)
        direction = np.linalg.eigh(dense_hessian(objective(0.0, 0.0)).double().numpy())[1][:, 0]
        steps = np.linspace(-1.5, 1.5, 121)
        along = [objective(*(s * direction)).loss() for s in steps]
        minimum = float(np.min(along))
        taylor = float(max(abs(objective(*(s * direction)).loss() - (1 - s * s)) for s in (-0.1, 0.1)))
        checks = (
            near("smallest eigenvalue at (0, 0)", found[0.0, 0.0][0], -2, 1e-6),
            near("largest eigenvalue at (0, 0)", found[0.0, 0.0][1], 2, 1e-6),
            near("smallest eigenvalue at (1, 1)", found[1.0, 1.0][0], 0, 1e-6),
            near("largest eigenvalue at (1, 1)", found[1.0, 1.0][1], 4, 1e-6),
            Check(
                label="(0, 0) is called a saddle",
                measured=float(kinds[0.0, 0.0] == "saddle"),
                lecture="1",
                holds=kinds[0.0, 0.0] == "saddle",
            ),
            Check(
                label="(1, 1) is called degenerate, not a minimum",
                measured=float(kinds[1.0, 1.0] == "degenerate"),
                lecture="1",
                holds=kinds[1.0, 1.0] == "degenerate",
            ),
            Check(label="lowest loss along the negative direction", measured=minimum, lecture="below 1", holds=minimum < 1e-3),
            Check(label="error of the second-order series at 0.1", measured=taylor, lecture="below 0.1^3", holds=taylor < 1e-3),
        )
        other = [objective(*(s * np.array([direction[1], -direction[0]]))).loss() for s in steps]
        plot = Plot(
            title="The saddle at the origin",
            caption="Along the eigenvector of the negative eigenvalue the loss falls both ways; across it, it rises.",
            x_label="distance from (0, 0)",
            y_label="loss (1 - w1 w2)^2",
            lines={"negative direction": (tuple(steps), tuple(along)), "positive direction": (tuple(steps), tuple(other))},
        )
        return Seen(
            sentence=f"The origin is a saddle with eigenvalues -2 and 2; (1, 1) has {found[1.0, 1.0][1]:.3g} and 0: degenerate, not known to be a minimum.",
            checks=checks,
            plots=(plot,),
        )
