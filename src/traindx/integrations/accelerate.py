"""A tracker for Accelerate that watches the training: what is logged is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from traindx.integrations.base import Watching, harmless, missing

try:
    from accelerate.tracking import GeneralTracker
except ImportError:
    raise missing("accelerate", "hf") from None


class TraindxCallback(GeneralTracker, Watching):
    """Watches a loop under an `Accelerator`: ``Accelerator(log_with=TraindxCallback(model, optimizer))``, then in every update
    ``accelerator.log({"loss": loss})``, and ``{"validation_loss": ...}`` after an evaluation; ``accelerator.end_training()`` ends it.

    Args:
        model: that is trained, before or after ``prepare``.
        optimizer: that steps it, before or after ``prepare``.
        loss_fn: ``(outputs, targets) -> loss``.
        options: of `traindx.watch`.

    """

    name = "traindx"
    requires_logging_directory = False
    main_process_only = False

    def __init__(self, model: nn.Module, optimizer: Optimizer, loss_fn: Callable[[Any, Any], Tensor] | None = None, **options: Any) -> None:
        super().__init__()
        self.model, self.optimizer, self.loss_fn, self.options = model, optimizer, loss_fn, options
        self.strict = bool(options.get("strict", False))

    @property
    def tracker(self) -> Any:
        """The watch."""
        return self.watch

    @harmless
    def start(self) -> None:
        """Attach; called by ``accelerator.init_trackers``."""
        self.begin(self.model, self.optimizer, self.loss_fn, self.options)

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Nothing is kept of it."""

    @harmless
    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Report what was logged."""
        if self.watch is not None and "loss" in values:
            self.watch.step(values["loss"])
        if self.watch is not None and "validation_loss" in values:
            self.watch.validate(values["validation_loss"])

    @harmless
    def finish(self) -> None:
        """Detach; called by ``accelerator.end_training``."""
        self.end()
