"""Probabilities are handed to a loss that expects logits."""

from __future__ import annotations

from torch import Tensor, nn

from traindx.records import Branch
from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop

# Sums of probabilities are off by rounding only.
ROUNDING = 1e-3


class SoftmaxBeforeCrossEntropy(Detector):
    """Seen in outputs that are all between 0 and 1 and sum to 1 over the classes, on their way to `CrossEntropyLoss`."""

    cause = "softmax-before-cross-entropy"
    branch = Branch.OPTIMIZATION
    needed = 2
    of_the_loop = False
    settles = "hand over the logits: take the softmax out of the model"

    def reported(self, loop: Loop) -> None:
        """The outputs of this batch."""
        outputs = loop.outputs
        if not loop.looking or self.held is not None or not isinstance(loop.loss_fn, nn.CrossEntropyLoss):
            return
        if not isinstance(outputs, Tensor) or outputs.ndim < 2 or outputs.shape[1] < 2:
            return
        values = outputs.detach().float()
        if bool((values >= 0).all()) and bool(((values.sum(1) - 1).abs() < ROUNDING).all()):
            self.saw(loop, "the outputs are probabilities, and the loss takes them for logits", place=loop.place)
        else:
            self.saw_nothing()
