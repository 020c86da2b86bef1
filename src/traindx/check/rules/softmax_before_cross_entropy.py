"""Probabilities where a loss expects logits."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import Last, Outputs, losses, prediction
from traindx.check.script import Script

WRONG = {
    (
        "cross-entropy",
        Last.SOFTMAX,
    ): "cross-entropy applies log-softmax itself, and this output went through a softmax; hand over the logits",
    (
        "cross-entropy",
        Last.SIGMOID,
    ): "cross-entropy applies log-softmax itself, and this output went through a sigmoid; hand over the logits",
    (
        "binary cross-entropy of logits",
        Last.SIGMOID,
    ): "this loss applies the sigmoid itself, and this output went through one; hand over the logits, or use BCELoss",
    (
        "binary cross-entropy of logits",
        Last.SOFTMAX,
    ): "this loss applies a sigmoid itself, and this output went through a softmax; hand over the logits",
}


class SoftmaxBeforeCrossEntropy:
    """Fires where the outputs' last operation is seen to be a softmax or a sigmoid and the loss takes logits."""

    code = "TDX201"
    name = "softmax-before-cross-entropy"
    level = Level.ERROR
    summary = "A softmax or sigmoid before a loss that applies one itself: gradients shrink and the loss cannot come near 0."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The calls of such losses."""
        outputs = Outputs(script)
        for call, loss in losses(script):
            given = prediction(call)
            message = given is not None and WRONG.get((loss, outputs.last(given)))
            if message:
                yield Spot(call, message)
