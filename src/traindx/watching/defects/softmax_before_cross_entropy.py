"""Probabilities are handed to a loss that expects logits."""

from __future__ import annotations

from torch import Tensor, nn

from traindx.records import Branch
from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop
from traindx.watching.losses import is_loss
from traindx.watching.origin import graph

# Sums of probabilities are off by rounding only.
ROUNDING = 1e-3
# Operations that leave the numbers what they are.
_SAME_NUMBERS = {
    f"{name}Backward{k}" for name in ("Squeeze", "Unsqueeze", "View", "ReshapeAlias", "UnsafeView", "ToCopy") for k in range(3)
}


class SoftmaxBeforeCrossEntropy(Detector):
    """Seen in outputs that are all between 0 and 1 and sum to 1 over the classes, on their way to a cross-entropy that expects logits; or in
    outputs that come out of a sigmoid, on their way to one that applies it again.
    """

    cause = "softmax-before-cross-entropy"
    branch = Branch.OPTIMIZATION
    needed = 2
    of_the_loop = False
    settles = "hand over the logits: take the softmax out of the model"

    def reported(self, loop: Loop) -> None:
        """The outputs of this batch."""
        outputs = loop.outputs
        if not loop.looking or self.held is not None or not isinstance(outputs, Tensor):
            return
        if is_loss(loop.loss_fn, nn.CrossEntropyLoss) and outputs.ndim >= 2 and outputs.shape[1] >= 2:
            found = _sum_to_one(outputs)
        elif is_loss(loop.loss_fn, nn.BCEWithLogitsLoss):
            found = _operation(outputs) == "SigmoidBackward0" and _is_used(outputs, loop.loss)
        else:
            return
        if found:
            self.saw(loop, "the outputs are probabilities, and the loss takes them for logits", place=loop.place)
        else:
            self.saw_nothing()


def _sum_to_one(outputs: Tensor) -> bool:
    values = outputs.detach().float()
    return bool((values >= 0).all()) and bool(((values.sum(1) - 1).abs() < ROUNDING).all())


def _is_used(outputs: Tensor, loss: object) -> bool:
    """Whether the loss was computed from them: some loops report probabilities, and compute the loss from logits."""
    return isinstance(loss, Tensor) and loss.grad_fn is not None and outputs.grad_fn in graph(loss)


def _operation(outputs: Tensor) -> str:
    """The operation that computed them, before their shape or type was changed."""
    node = outputs.grad_fn
    while node is not None and node.name() in _SAME_NUMBERS and node.next_functions:
        node = node.next_functions[0][0]
    return "" if node is None else node.name()
