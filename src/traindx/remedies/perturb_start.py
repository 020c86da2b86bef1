"""A start beside the one that was drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from traindx.records import Recipe
from traindx.remedies.base import Remedy, operated, refuse_pretrained
from traindx.tasks import Task


def perturb(model: nn.Module, probe: Any, scale: float, draw: int) -> nn.Module:
    """Add normal noise to every parameter, of ``scale`` times its root mean square, or times the root of 1 / fan-in where that is more."""
    with torch.no_grad():
        generator = torch.Generator().manual_seed(draw + int(torch.randint(2**31, ())))
        for parameter in model.parameters():
            if not parameter.is_floating_point() or not parameter.numel():
                continue
            least = 1 / math.sqrt(parameter[0].numel()) if parameter.ndim >= 2 else 0.0
            size = max(float(parameter.square().mean().sqrt()), least)
            parameter.add_(scale * size * torch.randn(parameter.shape, generator=generator).to(parameter))
    return model


@dataclass(frozen=True)
class PerturbStart(Remedy):
    """Begin at a point drawn around the initial weights: off a saddle, or in another valley. ``draw`` tells several starts apart."""

    id: ClassVar[str] = "perturb-start"
    size: ClassVar[float] = 0.8
    scale: float = 0.5
    draw: int = 0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "noise")
        return operated(task, self, perturb, scale=self.scale, draw=self.draw), recipe
