"""Signals moved, scaled, made noisy and masked in part while training; only in ways that leave the labels as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.augment import holds
from traindx.remedies.base import PROBE_ROWS, Remedy, changed_in_training
from traindx.tasks import Task, preserved_rng

# Shorter rows are tables; neighbours along a signal go together by this much (the correlation of columns next to each other).
LEAST_LENGTH, ALIKE = 24, 0.7
SAMPLED_ROWS = 256


@dataclass(frozen=True)
class AugmentSignals(Remedy):
    """Every training signal moved along time by up to ``shift`` of its length, times 1 plus up to ``scale``, with noise and a masked stretch.

    ``noise`` is in standard deviations of the signal, ``mask`` the longest stretch, as a share of the length, that is given its mean.
    A sequence's end values are repeated where it is moved (Um et al. 2017; masking as in Park et al. 2019).
    """

    id: ClassVar[str] = "augment-signals"
    size: ClassVar[float] = 2.0
    shift: float = 0.05
    scale: float = 0.1
    noise: float = 0.05
    mask: float = 0.1

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        shape = signal_shape(task)
        if shape is None:
            raise NotApplicable("inputs are not signals: values in a row, neighbours alike, that no convolution of images reads")
        return changed_in_training(task, self, partial(SignalChange, shape, self.shift, self.scale, self.noise, self.mask)), recipe


class SignalChange(nn.Module):
    """What happens to signals of shape (channels, length)."""

    def __init__(self, shape: tuple[int, int], shift: float, scale: float, noise: float, mask: float) -> None:
        super().__init__()
        self.shape, self.shift, self.scale, self.noise, self.mask = shape, shift, scale, noise, mask

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        rows, (_, length) = len(inputs), self.shape
        signals = inputs.reshape(rows, *self.shape)
        drawn = torch.rand(4, rows)
        normal = torch.randn(signals.shape).to(signals.device, signals.dtype)
        reach = round(self.shift * length)
        places = torch.arange(length)[None] - ((2 * drawn[0] - 1) * reach).round().long()[:, None]
        signals = signals.gather(2, places.clamp(0, length - 1).to(inputs.device)[:, None].expand_as(signals))
        signals = signals * (1 + self.scale * (2 * drawn[1] - 1)).to(inputs.device, inputs.dtype)[:, None, None]
        signals = signals + self.noise * signals.std((1, 2), keepdim=True) * normal
        width, start = drawn[2] * self.mask * length, drawn[3] * length
        at = torch.arange(length)[None]
        masked = ((at >= start[:, None]) & (at < (start + width)[:, None]))[:, None].to(inputs.device)
        return torch.where(masked, signals.mean(2, keepdim=True), signals).reshape(inputs.shape)

    def extra_repr(self) -> str:
        """What is done."""
        return f"shape={self.shape}, shift={self.shift}, scale={self.scale}, noise={self.noise}, mask={self.mask}"


def signal_shape(task: Task) -> tuple[int, int] | None:
    """(channels, length) where inputs are signals: what the first one-dimensional convolution reads, or rows whose neighbours go together.

    Cost: one forward pass over a few rows.
    """
    inputs = task.train.inputs
    if inputs is None or not inputs.is_floating_point():
        return None
    read = _read_by_convolution(task)
    if read is not None:
        return read if holds(inputs, read) and read[1] >= LEAST_LENGTH else None
    if any(isinstance(layer, nn.Conv2d) for layer in task.build(0).modules()):
        return None
    flat = inputs[:SAMPLED_ROWS].reshape(len(inputs[:SAMPLED_ROWS]), -1).double()
    return (1, flat.shape[1]) if inputs.ndim == 2 and flat.shape[1] >= LEAST_LENGTH and neighbours(flat) >= ALIKE else None


def neighbours(columns: Tensor, step: int = 1) -> float:
    """The mean correlation of columns (N, L) that stand ``step`` apart; 0 where none varies."""
    centred = columns - columns.mean(0)
    deviation = centred.square().mean(0).sqrt()
    products = (centred[:, step:] * centred[:, :-step]).mean(0)
    scale = deviation[step:] * deviation[:-step]
    varying = scale > 1e-12
    return float((products[varying] / scale[varying]).mean()) if bool(varying.any()) else 0.0


def _read_by_convolution(task: Task) -> tuple[int, int] | None:
    model, seen = task.build(0).eval(), list[tuple[int, ...]]()
    for layer in model.modules():
        if isinstance(layer, nn.Conv1d):
            layer.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[1:])))
    index = torch.arange(min(PROBE_ROWS, len(task.train)))
    with torch.no_grad(), preserved_rng():
        task.forward(model, next(iter(task.train.batches([index], torch.device("cpu")))))
    return (seen[0][0], seen[0][1]) if seen and len(seen[0]) == 2 else None
