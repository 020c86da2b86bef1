"""What the updates of a recipe descend, as a function of the weights: the training loss over the rows, with the penalty of weight decay."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from traindx.curvature import Objective
from traindx.records import Recipe
from traindx.tasks import Rows, Task
from traindx.training.evaluation import evaluated_index, is_summed, predict

# Batches that the rows are cut into: enough to measure how far their gradients differ, and few, since each costs a pass.
BATCHES = 8
# Optimizers whose weight decay is no part of the gradient.
DECOUPLED = ("adamw",)


def descended(task: Task, recipe: Recipe, model: nn.Module, rows: Rows | None = None, limit: int | None = None) -> Objective:
    """The loss that training by this recipe lowers, at the weights of ``model``, on its device.

    The model is in evaluation mode: batch normalization uses its running statistics and dropout is off, as wherever traindx says "training
    loss". A summed loss counts for batches of the recipe's size, so that curvature times rate is that of an update.

    Args:
        task: What is learned; its training loss is the one descended.
        recipe: For its weight decay and batch size.
        model: A model of the task. It is lent, never changed.
        rows: Default: the training rows.
        limit: Rows at most; default: as many as are evaluated while training.

    """
    rows = rows if rows is not None else task.train
    parameter = next(model.parameters())
    index = evaluated_index(len(rows), limit)
    chunks = [chunk for chunk in index.tensor_split(min(BATCHES, len(index))) if len(chunk)]
    batches = [_as(batch, parameter.dtype) for batch in rows.batches(chunks, parameter.device)]
    return Objective(model, Penalized(task, recipe, model), batches, forward=task.forward)


class Penalized:
    """The training loss of a batch, plus half the weight decay times the squared norm of the weights where the optimizer adds its gradient."""

    def __init__(self, task: Task, recipe: Recipe, model: nn.Module) -> None:
        decays = not any(recipe.optimizer.lower().endswith(name) for name in DECOUPLED)
        self._decay = recipe.weight_decay if decays else 0.0
        self._names = [name for name, p in model.named_parameters() if p.requires_grad]
        self._model, self._loss = model, task.training_loss
        outputs, targets = predict(task, model, task.train, next(model.parameters()).device, torch.arange(min(4, len(task.train))))
        self._rows = recipe.batch_size if is_summed(task, outputs[0], targets[0]) else 0

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """(outputs, targets) -> scalar."""
        loss: Tensor = self._loss(outputs, targets)
        if self._rows:
            loss = loss * (self._rows / len(targets))
        if self._decay:
            named = dict(self._model.named_parameters())  # as they are now: the objective puts copies in their place
            loss = loss + self._decay / 2 * sum(named[name].square().sum() for name in self._names)
        return loss


def _as(batch: Any, dtype: torch.dtype) -> Any:
    """Floating-point columns in the precision of the model."""
    if not isinstance(batch, tuple | list):
        return batch
    return tuple(item.to(dtype) if isinstance(item, Tensor) and item.is_floating_point() else item for item in batch)
