"""Broadcasting compares every row's output with all rows' targets."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from traindx.records import Branch
from traindx.tasks import preserved_rng
from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop


class OutputTargetShapeMismatch(Detector):
    """Seen where outputs and targets of as many numbers have shapes that broadcast, and the loss is another one when they are aligned."""

    cause = "output-target-shape-mismatch"
    branch = Branch.OPTIMIZATION
    needed = 2
    of_the_loop = False
    settles = "give outputs and targets the same shape"

    def reported(self, loop: Loop) -> None:
        """The shapes of this batch."""
        outputs, targets = loop.outputs, loop.targets
        if not loop.looking or self.held is not None or not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
            return
        if (
            outputs.shape == targets.shape
            or outputs.numel() != targets.numel()
            or outputs.numel() < 2
            or not _broadcasts(loop, outputs, targets)
        ):
            return
        shapes = f"{tuple(outputs.shape)} and targets {tuple(targets.shape)}"
        self.saw(loop, f"outputs {shapes} are broadcast: every row is compared with all rows' targets", place=loop.place)


def _broadcasts(loop: Loop, outputs: Tensor, targets: Tensor) -> bool:
    """Whether the loss pairs rows with other rows' targets; without the loss function, whether the shapes make a distance do so."""
    pairs = math.prod(torch.broadcast_shapes(outputs.shape, targets.shape))
    if pairs <= outputs.numel() or not targets.is_floating_point():
        return False
    if loop.loss_fn is None:
        return True
    with preserved_rng(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of shapes that are broadcast; we say it in our own words
        aligned = loop.loss_fn(outputs.reshape(targets.shape), targets)
        return not torch.allclose(loop.loss_fn(outputs, targets), aligned, rtol=1e-3)
