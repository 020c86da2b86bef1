"""How much each batch counts: the loss of a data set from those of its batches.

A mean loss is a sum over what it averages, divided by how much there is of it: rows, elements, or class weights. The sum is added up over
batches, so that unequal batches, padding and class weights give the same loss as one large batch would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Loss = Callable[[Any, Any], Tensor]

OVER_ELEMENTS = (
    nn.MSELoss,
    nn.L1Loss,
    nn.SmoothL1Loss,
    nn.HuberLoss,
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
    nn.SoftMarginLoss,
    nn.PoissonNLLLoss,
)
OVER_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss)
ELEMENT_FUNCTIONS: tuple[Loss, ...] = (
    F.mse_loss,
    F.l1_loss,
    F.smooth_l1_loss,
    F.huber_loss,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)
CLASS_FUNCTIONS: tuple[Loss, ...] = (F.cross_entropy, F.nll_loss)
IGNORED_BY_FUNCTIONS = -100  # torch's default of ignore_index

# Twice the rows give twice a summed loss and once a mean one; rounding and odd means stay far within this.
DOUBLING_TOLERANCE = 1e-3


def rows_of(outputs: Any, targets: Any) -> int:
    """The length of the first tensor among targets, else outputs; 1 where none has a length."""
    tensors = [leaf for leaf in (*tree_leaves(targets), *tree_leaves(outputs)) if isinstance(leaf, Tensor) and leaf.ndim]
    return len(tensors[0]) if tensors else 1


def weight_of(loss: Loss, outputs: Any, targets: Any) -> float:
    """What a mean loss divided by: elements, the weights of classes that are not ignored, or (for losses not known here) rows."""
    if isinstance(targets, Tensor):
        if isinstance(loss, OVER_ELEMENTS) or loss in ELEMENT_FUNCTIONS:
            return float(targets.numel())
        if isinstance(loss, OVER_CLASSES) and not targets.is_floating_point():
            return _class_weight(targets, loss.ignore_index, loss.weight)
        if loss in CLASS_FUNCTIONS and not targets.is_floating_point():
            return _class_weight(targets, IGNORED_BY_FUNCTIONS, None)
    return float(rows_of(outputs, targets))


def _class_weight(targets: Tensor, ignored: int, weight: Tensor | None) -> float:
    counted = targets[targets != ignored]
    return float(counted.numel()) if weight is None else float(weight.to(counted.device)[counted].sum())


def is_summed(loss: Loss, outputs: Any, targets: Any) -> bool:
    """Whether twice the rows give twice the loss: by its ``reduction`` where it has one, else tried on these outputs."""
    reduction = getattr(loss, "reduction", None)
    if reduction is not None:
        return bool(reduction == "sum")
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor) and outputs.ndim and targets.ndim):
        return False
    with torch.no_grad():
        once = float(loss(outputs, targets))
        twice = float(loss(torch.cat([outputs, outputs]), torch.cat([targets, targets])))
    return once != 0 and abs(twice / once - 2) < DOUBLING_TOLERANCE
