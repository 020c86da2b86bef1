"""A Lightning callback that watches the training; for ``lightning.pytorch`` and for ``pytorch_lightning``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from traindx.integrations.base import Watching, harmless, missing

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
else:
    try:
        from lightning.pytorch.callbacks import Callback
    except ImportError:
        try:
            from pytorch_lightning.callbacks import Callback
        except ImportError:
            raise missing("lightning", "lightning") from None


class TraindxCallback(Callback, Watching):
    """Watches a `Trainer`'s training: ``Trainer(callbacks=[TraindxCallback()])``. Afterwards ``callback.diagnosis`` says what was seen.

    Args:
        loss_fn: ``(outputs, targets) -> loss``, where the module itself returns the outputs and a batch is ``(inputs, targets)``: then more
            can be seen.
        monitor: the logged validation loss.
        options: of `traindx.watch`.

    """

    def __init__(self, loss_fn: Callable[[Any, Any], Tensor] | None = None, monitor: str = "val_loss", **options: Any) -> None:
        super().__init__()
        self.loss_fn, self.monitor, self.options = loss_fn, monitor, options
        self.strict = bool(options.get("strict", False))
        self._loss: Any = None
        self._updates = 0

    @harmless
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach."""
        self._updates = trainer.global_step
        self.begin(pl_module, trainer.optimizers, self.loss_fn, self.options)

    @harmless
    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """The loss, still with its graph."""
        self._loss = loss

    @harmless
    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Gradients are complete; under loss scaling they have been unscaled."""
        if self.watch is not None:
            self.watch.gradients_complete()

    @harmless
    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Report an update; batches that only accumulate are none."""
        if self.watch is None or (pl_module.automatic_optimization and trainer.global_step == self._updates):
            return
        self._updates = trainer.global_step
        loss = self._loss if self._loss is not None else (outputs["loss"] if isinstance(outputs, dict) else outputs)
        self._loss, forward = None, self.watch.loop.forward
        targets = batch[1] if isinstance(batch, (tuple, list)) and len(batch) == 2 else None
        if loss is not None:
            self.watch.step(loss, forward.outputs if forward is not None and targets is not None else None, targets)

    @harmless
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Report an evaluation."""
        loss = trainer.callback_metrics.get(self.monitor)
        if self.watch is not None and loss is not None and not trainer.sanity_checking:
            self.watch.validate(loss)

    @harmless
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Detach after an error."""
        self.end(exception)

    @harmless
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Detach."""
        self.end()
