"""A skorch callback that watches a net."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from traindx.integrations.base import Watching, harmless, missing
from traindx.records import Finding

try:
    from skorch.callbacks import Callback
except ImportError:
    raise missing("skorch", "skorch") from None


class TraindxCallback(Callback, Watching):
    """Watches a net's training: ``NeuralNetClassifier(..., callbacks=[TraindxCallback()])``; after ``fit``, ``callback.diagnosis``.

    Args:
        overhead: as for `traindx.watch`.
        on_alert: as for `traindx.watch`.
        quiet: as for `traindx.watch`.
        strict: as for `traindx.watch`.

    """

    def __init__(
        self,
        overhead: float = 0.05,
        on_alert: Callable[[Finding], None] | None = None,
        quiet: bool = False,
        strict: bool = False,
    ) -> None:
        self.overhead, self.on_alert, self.quiet, self.strict = overhead, on_alert, quiet, strict

    @harmless
    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:  # skorch's names
        """Attach. With `NLLLoss`, skorch takes the logarithm of the outputs itself, so that the criterion alone is not the loss function."""
        loss_fn = None if isinstance(net.criterion_, nn.NLLLoss) else net.criterion_
        options = {"overhead": self.overhead, "on_alert": self.on_alert, "quiet": self.quiet, "strict": self.strict}
        self.begin(net.module_, net.optimizer_, loss_fn, options)

    @harmless
    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        """Gradients are complete."""
        if self.watch is not None and kwargs.get("training", True):
            self.watch.gradients_complete()

    @harmless
    def on_batch_end(self, net: Any, batch: Any = None, training: bool | None = None, **kwargs: Any) -> None:
        """Report an update."""
        if self.watch is not None and training:
            targets = batch[1] if isinstance(batch, (tuple, list)) and len(batch) == 2 else None
            self.watch.step(kwargs["loss"], kwargs.get("y_pred"), targets)

    @harmless
    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Report the evaluation of the epoch."""
        latest = net.history[-1]
        if self.watch is not None and "valid_loss" in latest:
            self.watch.validate(latest["valid_loss"])

    @harmless
    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Detach."""
        self.end()

    def _get_param_names(self) -> list[str]:
        """What `get_params`, and so a clone, knows of: the arguments."""
        return ["overhead", "on_alert", "quiet", "strict"]

    def __getstate__(self) -> dict[str, Any]:
        """A net is copied and pickled with its callbacks; the watch, with its hooks, is not."""
        return {name: value for name, value in vars(self).items() if name != "watch"}
