"""A Hugging Face callback that watches a `Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from traindx.integrations.base import Watching, harmless, missing

try:
    from transformers import TrainerCallback
except ImportError:
    raise missing("transformers", "hf") from None


class TraindxCallback(TrainerCallback, Watching):
    """Watches a `Trainer`'s training: ``Trainer(..., callbacks=[TraindxCallback()])``.

    The loss is the one that the model returns; with accumulation, that of the last part of an update.

    Args:
        loss_fn: ``(logits, labels) -> loss``: with it, more can be seen.
        options: of `traindx.watch`.

    """

    def __init__(self, loss_fn: Callable[[Any, Any], Tensor] | None = None, **options: Any) -> None:
        super().__init__()
        self.loss_fn, self.options = loss_fn, options
        self.strict = bool(options.get("strict", False))

    @harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **kwargs: Any) -> None:
        """Attach."""
        self.begin(model, optimizer, self.loss_fn, {"scheduler": kwargs.get("lr_scheduler"), **self.options})

    @harmless
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report an update."""
        forward = self.watch.loop.forward if self.watch is not None else None
        if self.watch is None or forward is None or not isinstance(forward.outputs, Mapping) or "loss" not in forward.outputs:
            return
        self.watch.step(forward.outputs["loss"], forward.outputs.get("logits"), forward.kwargs.get("labels"))

    @harmless
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, float] | None = None, **kwargs: Any) -> None:
        """Report an evaluation."""
        if self.watch is not None and metrics and "eval_loss" in metrics:
            self.watch.validate(metrics["eval_loss"])

    @harmless
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Detach."""
        self.end()
