"""A random rectangle of every training image is covered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.augment import Shape, image_shape
from traindx.remedies.base import Remedy, changed_in_training
from traindx.tasks import Task


@dataclass(frozen=True)
class Erase(Remedy):
    """A square of ``share`` of the side, anywhere on the image, is given the image's mean (DeVries and Taylor 2017; Zhong et al. 2020)."""

    id: ClassVar[str] = "erase"
    size: ClassVar[float] = 2.05
    share: float = 0.4

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        shape = image_shape(task)
        if shape is None:
            raise NotApplicable("inputs are not images that a convolution, or a network of two-dimensional inputs, reads")
        return changed_in_training(task, self, partial(Erasing, shape, self.share)), recipe


class Erasing(nn.Module):
    """Covers a square of each image; its middle lies anywhere, so that it may reach over the edge."""

    def __init__(self, shape: Shape, share: float) -> None:
        super().__init__()
        self.shape, self.share = shape, share

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        _, height, width = self.shape
        images = inputs.reshape(len(inputs), *self.shape)
        middles = torch.rand(2, len(inputs))
        rows = _near(torch.arange(height)[None], middles[0, :, None] * height, self.share * height / 2)
        columns = _near(torch.arange(width)[None], middles[1, :, None] * width, self.share * width / 2)
        covered = (rows[:, :, None] & columns[:, None, :])[:, None].to(inputs.device)
        mean = images.mean((2, 3), keepdim=True)
        return torch.where(covered, mean, images).reshape(inputs.shape)

    def extra_repr(self) -> str:
        """What is done."""
        return f"shape={self.shape}, share={self.share}"


def _near(places: Tensor, middle: Tensor, reach: float) -> Tensor:
    return (places + 0.5 - middle).abs() <= reach
