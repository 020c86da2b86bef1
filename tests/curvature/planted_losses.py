"""Losses whose curvature is known: quadratics, products of weights, and small networks, as objectives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from traindx.curvature import Objective


class Formula(nn.Module):
    """A loss that is a formula of one vector of weights; the rows it is given are only counted."""

    def __init__(self, formula: Callable[[Tensor], Tensor], at: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(at.clone())
        self._formula = formula

    def forward(self, _: Tensor) -> Tensor:
        return self._formula(self.w)


def the_output(outputs: Tensor, _: Tensor) -> Tensor:
    return outputs


def formula(function: Callable[[Tensor], Tensor], *at: float) -> Objective:
    """The objective of a formula, in float64."""
    return Objective(Formula(function, torch.tensor(at, dtype=torch.float64)), the_output, [(torch.zeros(1), torch.zeros(1))])


def quadratic(matrix: Tensor, at: Tensor) -> Objective:
    """x' A x / 2, with its critical point at 0."""
    return Objective(Formula(lambda w: 0.5 * w @ matrix @ w, at), the_output, [(torch.zeros(1), torch.zeros(1))])


def network(*widths: int, activation: type[nn.Module] = nn.Tanh, seed: int = 0, double: bool = True) -> nn.Sequential:
    """A chain of linear layers, drawn from the seed."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    made = nn.Sequential(*layers[:-1])
    return made.double() if double else made


def regression(model: nn.Module, rows: int = 60, batches: int = 6, seed: int = 1) -> Objective:
    """The model on a smooth function of three inputs, in several batches."""
    dtype = next(model.parameters()).dtype
    x = torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    y = torch.stack([torch.sin(2 * x[:, 0]), x[:, 1] * x[:, 2]], 1)
    pairs = list(zip(x.to(dtype).chunk(batches), y.to(dtype).chunk(batches), strict=True))
    return Objective(model, nn.MSELoss(), pairs)
