"""How the user's network reads a row: which places it has, and which columns are codes of names. Seen by what its layers are handed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from traindx.tasks import Task
from traindx.training import predict

# Layers that look at places; the first one tells how a row is laid out.
OF_PLACES = (nn.Conv1d, nn.Conv2d, nn.RNNBase, nn.MultiheadAttention)
# Rows by which a column is recognised in what an embedding is handed.
ROWS = 64


class Layout(NamedTuple):
    """How a row lies: (channels, places...), or (places,) of tokens; ``channels_last`` where the row itself has its channels behind its places."""

    shape: tuple[int, ...]
    channels_last: bool = False


def places(task: Task, inputs: Tensor) -> Layout | None:
    """What the first layer that looks at places reads of a row; None where the network has no such layer.

    Cost: one forward pass of two rows.
    """
    seen = _handed(task, lambda layer: isinstance(layer, OF_PLACES), 2)
    if not seen:
        return None
    if not inputs.is_floating_point():
        return Layout(tuple(inputs.shape[1:])) if inputs.ndim == 2 else None
    layer, handed = seen[0]
    shape, given = tuple(handed.shape[1:]), tuple(inputs.shape[1:])
    if math.prod(shape) != inputs[0].numel() or len(shape) < 2:
        return None
    if isinstance(layer, (nn.RNNBase, nn.MultiheadAttention)):  # these read (places, channels)
        turned = (shape[1], shape[0])
        return Layout(turned, given != turned or shape == turned) if layer.batch_first else None
    return Layout(shape, given == (*shape[1:], shape[0]) != shape)


def coded_columns(task: Task) -> tuple[int, ...]:
    """The columns of a table that the network looks up in an embedding of their own; none where rows are no tables, or sequences of tokens.

    Cost: one forward pass of ROWS rows.
    """
    inputs = task.train.inputs
    if inputs is None or inputs.ndim != 2:
        return ()
    columns = inputs[: min(ROWS, len(inputs))].cpu().nan_to_num().long().T
    handed = [index.cpu().long() for _, index in _handed(task, lambda layer: isinstance(layer, nn.Embedding), columns.shape[1])]
    first = [index for index in handed if index.ndim == 1]  # rows may be passed in several batches: the first begins with the first row
    return tuple(j for j, column in enumerate(columns) if any(torch.equal(index, column[: len(index)]) for index in first))


def _handed(task: Task, wanted: Callable[[nn.Module], bool], rows: int) -> list[tuple[nn.Module, Tensor]]:
    """(layer, what it was handed) of a fresh model's wanted layers, in the order of their calls."""
    model, seen = task.build(0), list[tuple[nn.Module, Tensor]]()

    def look(layer: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if args and isinstance(args[0], Tensor):
            seen.append((layer, args[0].detach()))

    hooks = [layer.register_forward_hook(look) for layer in model.modules() if wanted(layer)]
    if hooks:
        predict(task, model, task.train, torch.device("cpu"), torch.arange(min(rows, len(task.train))))
    for hook in hooks:
        hook.remove()
    return seen
