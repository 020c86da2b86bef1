"""Hessian-vector products by double backward.

The gradient of a batch keeps its graph; differentiating it along v gives Hv. Where the graph is kept between products, one costs about two
gradients in deep networks (a gradient is three products of matrices a layer, this is six), and less in shallow ones. It asks no more of the
model than second derivatives by autograd, so recurrent layers and batch normalization do as well.

Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6 (1994).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from traindx.curvature.objective import Evaluated, Objective


class HessianGraph:
    """The gradient of one batch, with its graph."""

    def __init__(self, evaluated: Evaluated, leaves: list[Tensor]) -> None:
        self.weight = evaluated.weight
        self.loss = evaluated.loss.detach()
        gradient = torch.autograd.grad(evaluated.loss, leaves, create_graph=True, allow_unused=True, materialize_grads=True)
        self.gradient = [part.detach() for part in gradient]
        self._leaves = leaves
        self._curved = [i for i, part in enumerate(gradient) if part.requires_grad]
        self.roots = [gradient[i] for i in self._curved]

    def product(self, parts: list[Tensor], keep: bool) -> list[Tensor]:
        """Hv of this batch, a tensor a parameter. Unless ``keep``, the graph is used up."""
        if not self.roots:
            return [torch.zeros_like(leaf) for leaf in self._leaves]
        along = [parts[i] for i in self._curved]
        return list(torch.autograd.grad(self.roots, self._leaves, along, retain_graph=keep, allow_unused=True, materialize_grads=True))


def hvp(objective: Objective, v: Tensor) -> Tensor:
    """(P,) -> (P,): the product of the Hessian of the objective with v, whose entries are in the order of the objective's parameters.

    Cost: about two gradients in deep networks once the graph is kept, three without.
    """
    return objective.hvp(v)
