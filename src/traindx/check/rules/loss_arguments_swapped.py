"""The targets stand where the loss expects the outputs."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import losses, models_called, prediction, target
from traindx.check.naming import PREDICTIONS, TARGETS, last_name
from traindx.check.script import Script

ONE_WAY = frozenset({"cross-entropy", "negative log-likelihood", "binary cross-entropy", "binary cross-entropy of logits"})
"""Losses that tell outputs from targets; a squared error does not."""


class LossArgumentsSwapped:
    """Fires where the first argument bears the name of targets and the second is what a model hands out, or bears its name."""

    code = "TDX203"
    name = "loss-arguments-swapped"
    level = Level.ERROR
    summary = "The loss is given (targets, outputs); it takes (outputs, targets)."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The calls with their arguments swapped."""
        for call, loss in losses(script):
            given, wanted = prediction(call), target(call)
            if loss in ONE_WAY and given is not None and wanted is not None and TARGETS.fullmatch(last_name(given)):
                predicted = models_called(script, wanted) or PREDICTIONS.fullmatch(last_name(wanted))
                if predicted and not models_called(script, given):
                    yield Spot(call, "the loss takes (outputs, targets), and this is the other way round")
