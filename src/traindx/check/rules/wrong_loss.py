"""A loss that takes probabilities, or their logarithms, is given something else."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import Last, Outputs, losses, prediction
from traindx.check.script import Script

LOGARITHMS = "expects log-probabilities, and this output {}; end in log_softmax"
PROBABILITIES = "expects probabilities, and this output {}; hand it to BCEWithLogitsLoss instead"
WRONG = {
    ("negative log-likelihood", Last.SOFTMAX): "NLLLoss " + LOGARITHMS.format("went through a softmax"),
    ("negative log-likelihood", Last.SIGMOID): "NLLLoss " + LOGARITHMS.format("went through a sigmoid"),
    ("negative log-likelihood", Last.LINEAR): "NLLLoss " + LOGARITHMS.format("comes from a linear layer") + ", or use CrossEntropyLoss",
    ("divergence", Last.SOFTMAX): "KLDivLoss " + LOGARITHMS.format("went through a softmax"),
    ("divergence", Last.LINEAR): "KLDivLoss " + LOGARITHMS.format("comes from a linear layer"),
    ("binary cross-entropy", Last.LINEAR): "BCELoss " + PROBABILITIES.format("comes from a linear layer"),
    ("binary cross-entropy", Last.TANH): "BCELoss " + PROBABILITIES.format("went through a tanh"),
    ("binary cross-entropy", Last.LOG_SOFTMAX): "BCELoss " + PROBABILITIES.format("went through a log-softmax"),
}


class WrongLoss:
    """Fires where the outputs' last operation is seen, and is not the one that the loss expects."""

    code = "TDX202"
    name = "wrong-loss"
    level = Level.ERROR
    summary = "A loss of probabilities or log-probabilities is given something else."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The calls of such losses."""
        outputs = Outputs(script)
        for call, loss in losses(script):
            given = prediction(call)
            message = given is not None and WRONG.get((loss, outputs.last(given)))
            if message:
                yield Spot(call, message)
