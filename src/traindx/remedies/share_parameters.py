"""A small convolutional network in place of a fully connected one: the same few weights at every place of an image or a signal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from traindx.records import NotApplicable, Recipe
from traindx.remedies.augment import CHANNELS, LEAST_SIDE
from traindx.remedies.augment_signals import LEAST_LENGTH, neighbours, signal_shape
from traindx.remedies.base import Remedy, outputs_of_a_few, refuse_pretrained
from traindx.tasks import Form, Task, output_form

# Pixels next to each other go together by this much (mean correlation) across and down; columns of a table do not.
PICTURE_ALIKE = 0.25
SAMPLED_ROWS = 512
# Signals are halved so often: about this many values remain before the last layer.
LEFT = 8


@dataclass(frozen=True)
class Convolutional:
    """A factory of networks of two (images) or a few (signals) convolutions over inputs of ``shape``, (channels, ...); picklable."""

    shape: tuple[int, ...]
    outputs: int
    width: int

    def __call__(self) -> nn.Module:
        """(N, ...) -> (N, outputs)."""
        return nn.Sequential(nn.Flatten(), nn.Unflatten(1, self.shape), *(self._images() if len(self.shape) == 3 else self._signals()))

    def _images(self) -> list[nn.Module]:
        channels, height, width = self.shape
        layers: list[nn.Module] = []
        for given, made in ((channels, self.width), (self.width, 2 * self.width)):
            layers += [nn.Conv2d(given, made, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        return [*layers, nn.Flatten(), nn.Linear(2 * self.width * (height // 4) * (width // 4), self.outputs)]

    def _signals(self) -> list[nn.Module]:
        channels, length = self.shape
        layers: list[nn.Module] = []
        for _ in range(max(1, round(math.log2(length / LEFT)))):
            layers += [nn.Conv1d(channels, self.width, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2)]
            channels, length = self.width, length // 2
        return [*layers, nn.Flatten(), nn.Linear(self.width * length, self.outputs)]


@dataclass(frozen=True)
class ShareParameters(Remedy):
    """Convolutions of ``width`` channels and twice as many, where a fully connected network reads images or signals (LeCun et al. 1998)."""

    id: ClassVar[str] = "share-parameters"
    size: ClassVar[float] = 3.5
    width: int = 16

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "another network")
        model = task.build(0)
        if any(isinstance(layer, (nn.modules.conv._ConvNd, nn.RNNBase, nn.MultiheadAttention, nn.Embedding)) for layer in model.modules()):
            raise NotApplicable("the network is not fully connected: it shares parameters already")
        if output_form(task.loss, task.kind) not in (Form.LOGITS, Form.NUMBERS) or _takes_logarithms(task.loss):
            raise NotApplicable("the loss is not known to take logits or numbers")
        shape = grid_shape(task)
        if shape is None:
            raise NotApplicable("inputs are neither images nor signals: neighbouring values do not go together")
        changed = task.changed(self.ref, model=Convolutional(shape, _outputs(task), self.width))
        if _size(changed.build(0)) >= _size(model):
            raise NotApplicable("a convolutional network would have no fewer parameters")
        return changed, recipe


def grid_shape(task: Task) -> tuple[int, ...] | None:
    """(channels, height, width) or (channels, length) of inputs that lie on a grid, told by how neighbours go together; else None."""
    inputs = task.train.inputs
    if inputs is None or not inputs.is_floating_point():
        return None
    if inputs.ndim == 4 and inputs.shape[1] in CHANNELS and min(inputs.shape[2:]) >= LEAST_SIDE:
        return tuple(inputs.shape[1:])
    flat = inputs[:SAMPLED_ROWS].reshape(len(inputs[:SAMPLED_ROWS]), -1).double()
    return _picture(flat) or (signal_shape(task) if flat.shape[1] >= LEAST_LENGTH else None)


def _picture(flat: Tensor) -> tuple[int, int, int] | None:
    for channels in CHANNELS:
        side = math.isqrt(flat.shape[1] // channels)
        if side >= LEAST_SIDE and channels * side * side == flat.shape[1]:
            planes = flat.reshape(len(flat) * channels, side * side)
            if min(neighbours(planes), neighbours(planes, side)) >= PICTURE_ALIKE:
                return channels, side, side
    return None


def _takes_logarithms(loss: object) -> bool:
    """Whether outputs must be logarithms of probabilities: of any other numbers this loss has no least value."""
    return loss is F.nll_loss or isinstance(loss, nn.NLLLoss)


def _outputs(task: Task) -> int:
    outputs = outputs_of_a_few(task)
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        raise NotApplicable("the network's outputs are not of shape (rows, outputs)")
    return int(outputs.shape[1])


def _size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
