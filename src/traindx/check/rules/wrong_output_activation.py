"""The last activation keeps logits from the range that the loss needs."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import Last, Outputs, losses, prediction
from traindx.check.script import Script

LOGITS = frozenset({"cross-entropy", "binary cross-entropy of logits"})
BOUNDED = {Last.RELU: "a ReLU, which has no negative values", Last.TANH: "a tanh, which stays within 1"}


class WrongOutputActivation:
    """Fires where logits went through a ReLU or a tanh."""

    code = "TDX205"
    name = "wrong-output-activation"
    level = Level.WARNING
    summary = "Logits go through a ReLU or a tanh: the loss cannot reach what it could."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The losses of such logits."""
        outputs = Outputs(script)
        for call, loss in losses(script):
            given = prediction(call)
            if loss in LOGITS and given is not None and (what := BOUNDED.get(outputs.last(given))):
                yield Spot(call, f"these logits went through {what}; end in a linear layer")
