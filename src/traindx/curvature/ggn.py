"""Gauss-Newton products: the Hessian of the loss in the outputs, carried to the parameters. It leaves out the curvature of the network.

G = J' H_L J, with J the derivative of the outputs and H_L the Hessian of the loss in the outputs. J v comes from differentiating J' u, which
is linear in u, by u: four products of matrices a layer, where a gradient has three. For a loss convex in the outputs, G is positive
semidefinite; it equals the Hessian where the residuals vanish.

Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural Computation 14 (2002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

if TYPE_CHECKING:
    from traindx.curvature.objective import Evaluated, Objective


class GaussNewtonGraph:
    """The graphs of one batch from the parameters to the outputs, and from the outputs to the loss."""

    def __init__(self, evaluated: Evaluated, leaves: list[Tensor]) -> None:
        self.weight = evaluated.weight
        self.loss = evaluated.loss.detach()
        self.gradient: list[Tensor] | None = None
        self._leaves = leaves
        structured, structure = tree_flatten(evaluated.outputs)
        places = [i for i, leaf in enumerate(structured) if isinstance(leaf, Tensor) and leaf.requires_grad]
        self._outputs: list[Tensor] = [structured[i] for i in places]
        self._cut = [output.detach().requires_grad_() for output in self._outputs]
        cut: list[Any] = list(structured)
        for place, output in zip(places, self._cut, strict=True):
            cut[place] = output
        loss = evaluated.loss_of(tree_unflatten(cut, structure))
        self._slopes = torch.autograd.grad(loss, self._cut, create_graph=True, allow_unused=True, materialize_grads=True)
        self._seeds = [torch.zeros_like(output, requires_grad=True) for output in self._outputs]
        pulled = torch.autograd.grad(self._outputs, leaves, self._seeds, create_graph=True, allow_unused=True, materialize_grads=True)
        self._linear = [i for i, part in enumerate(pulled) if part.requires_grad]
        self._pulled = [pulled[i] for i in self._linear]
        self.roots = [*self._pulled, *self._outputs]

    def product(self, parts: list[Tensor], keep: bool) -> list[Tensor]:
        """Gv of this batch, a tensor a parameter. Unless ``keep``, the graphs are used up."""
        curved = [i for i, slope in enumerate(self._slopes) if slope.requires_grad]
        if not curved or not self._pulled:
            return [torch.zeros_like(leaf) for leaf in self._leaves]
        along = [parts[i] for i in self._linear]
        pushed = torch.autograd.grad(self._pulled, self._seeds, along, retain_graph=True, allow_unused=True, materialize_grads=True)
        slopes, toward = [self._slopes[i] for i in curved], [pushed[i] for i in curved]
        bent = torch.autograd.grad(slopes, self._cut, toward, retain_graph=True, allow_unused=True, materialize_grads=True)
        return list(torch.autograd.grad(self._outputs, self._leaves, bent, retain_graph=keep, allow_unused=True, materialize_grads=True))


def ggn(objective: Objective, v: Tensor) -> Tensor:
    """(P,) -> (P,): the product of the Gauss-Newton matrix of the objective with v, whose entries are in the order of its parameters.

    The model must return outputs of which the loss is a function, not the loss itself. Cost: about 1.3 gradients once the graph is kept.
    """
    return objective.ggn(v)
