"""Augmentation of images while training: random shifts and, where asked, mirror images. Evaluation sees the rows as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import PROBE_ROWS, Remedy
from traindx.tasks import Task, preserved_rng

Shape = tuple[int, int, int]
# Smaller inputs are no images, and images have this many channels.
LEAST_SIDE, CHANNELS = 6, (1, 3, 4)


@dataclass(frozen=True)
class Augment(Remedy):
    """Every training image moved by up to ``shift`` pixels in both directions (edges repeated; mirrored half of the time: ``mirror``).

    The places are drawn from the training's own random state, as dropout is, so a seed gives the same training again.
    """

    id: ClassVar[str] = "augment"
    size: ClassVar[float] = 2.0
    shift: int = 2
    mirror: bool = False

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task, whose forward pass moves images while the model is in training mode."""
        shape = image_shape(task)
        if shape is None:
            raise NotApplicable("inputs are not images that a convolution, or a network of two-dimensional inputs, reads")
        return task.changed(self.ref, model=_Factory(task, shape, self.shift, self.mirror)), recipe


class Augmented(nn.Module):
    """A model whose inputs are moved while it trains."""

    def __init__(self, model: nn.Module, shape: Shape, shift: int, mirror: bool) -> None:
        super().__init__()
        self.model, self.shape, self.shift, self.mirror = model, shape, shift, mirror

    def forward(self, inputs: Tensor, *rest: Any, **named: Any) -> Any:
        """The model's outputs."""
        return self.model(self._moved(inputs) if self.training else inputs, *rest, **named)

    def _moved(self, inputs: Tensor) -> Tensor:
        places = torch.randint(-self.shift, self.shift + 1, (2, len(inputs)))
        inputs = moved(inputs, self.shape, places[0], places[1])
        if not self.mirror:
            return inputs
        chosen = (torch.rand(len(inputs)) < 0.5).to(inputs.device).reshape(-1, *[1] * (inputs.ndim - 1))
        return torch.where(chosen, mirrored(inputs, self.shape), inputs)

    def extra_repr(self) -> str:
        """What is done."""
        return f"shape={self.shape}, shift={self.shift}, mirror={self.mirror}"


class _Factory:
    def __init__(self, task: Task, shape: Shape, shift: int, mirror: bool) -> None:
        self._task, self._options = task, (shape, shift, mirror)

    def __call__(self) -> nn.Module:
        return Augmented(self._task.fresh_model(), *self._options)


def moved(inputs: Tensor, shape: Shape, down: Tensor, right: Tensor) -> Tensor:
    """Images (N, ...) of this shape, image i moved by down[i] and right[i] pixels (N,); edges are repeated."""
    _, height, width = shape
    images = inputs.reshape(len(inputs), *shape)
    rows = (torch.arange(height)[None] - down[:, None]).clamp(0, height - 1).to(inputs.device)
    columns = (torch.arange(width)[None] - right[:, None]).clamp(0, width - 1).to(inputs.device)
    each = torch.arange(len(inputs), device=inputs.device)[:, None, None]
    return images.movedim(1, -1)[each, rows[:, :, None], columns[:, None, :]].movedim(-1, 1).reshape(inputs.shape)


def mirrored(inputs: Tensor, shape: Shape) -> Tensor:
    """Images (N, ...) of this shape, left and right exchanged."""
    return inputs.reshape(len(inputs), *shape).flip(-1).reshape(inputs.shape)


def image_shape(task: Task) -> Shape | None:
    """(channels, height, width) of the inputs where they are images: what the first convolution reads, or inputs (N, C, H, W) as they are.

    Cost: one forward pass over a few rows.
    """
    inputs = task.train.inputs
    if inputs is None or not inputs.is_floating_point():
        return None
    read = _read_by_convolution(task)
    if read is None and inputs.ndim == 4 and inputs.shape[1] in CHANNELS:
        read = tuple(inputs.shape[1:])
    if read is None or not holds(inputs, read) or min(read[1:]) < LEAST_SIDE:
        return None
    return read[0], read[1], read[2]


def holds(inputs: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether rows lie in memory as (channels, ...) of this shape: as they are, flat, or with one channel; not with the channels last."""
    given = tuple(inputs.shape[1:])
    return math.prod(given) == math.prod(shape) and (given == shape or len(given) == 1 or shape[0] == 1)


def _read_by_convolution(task: Task) -> tuple[int, ...] | None:
    """The shape of one image that the first convolution is given."""
    model, seen = task.build(0).eval(), list[tuple[int, ...]]()
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[1:])))
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    if not hooks:
        return None
    index = torch.arange(min(PROBE_ROWS, len(task.train)))
    with torch.no_grad(), preserved_rng():
        task.forward(model, next(iter(task.train.batches([index], torch.device("cpu")))))
    return seen[0] if seen and len(seen[0]) == 3 else None
