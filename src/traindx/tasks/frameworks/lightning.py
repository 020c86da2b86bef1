"""A task from a `LightningModule` and a `LightningDataModule`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from traindx.records import InputError
from traindx.tasks.fingerprint import digest
from traindx.tasks.frameworks.base import COMMON, OwnLoss, blaming, first_batches, losses_of, own_loss, recognised
from traindx.tasks.rows import Batch

_LIGHTNING = ("lightning.", "pytorch_lightning.")
_OUTSIDE = "let training_step compute the loss from its batch alone, without self.trainer and self.optimizers()"


def parts(module_factory: Callable[[], nn.Module], datamodule: Any) -> dict[str, Any]:
    """The arguments of a `Task`, as `Task.from_lightning` says."""
    if isinstance(module_factory, nn.Module) or not callable(module_factory):
        raise InputError("module_factory", f"found {type(module_factory).__name__}", "give a function that builds it: lambda: LitModel()")
    module = module_factory()
    if not callable(getattr(module, "training_step", None)):
        raise InputError("module_factory", f"it returned {type(module).__name__}", "return a LightningModule with a training_step")
    if not getattr(module, "automatic_optimization", True):
        raise InputError(
            "module_factory", "its module steps its optimizers itself", "such a training cannot be rerun by a recipe; watch it"
        )
    data = _loaders(datamodule)
    batches = first_batches(data["train"])
    with blaming("module_factory", "training_step, outside of a Trainer,", _OUTSIDE):
        loss = recognised(module, batches, stepped, _pair, [*losses_of(module), *COMMON])
    return {
        "model": module_factory,
        "loss": own_loss if loss is None else loss,
        "forward": Stepped(_code(module)) if loss is None else None,
        "kind": "other" if loss is None else None,
        **data,
    }


def _loaders(datamodule: Any) -> dict[str, Any]:
    """The DataLoaders, as the hooks of the datamodule give them, called in Lightning's order."""
    if not callable(getattr(datamodule, "train_dataloader", None)):
        raise InputError("datamodule", f"found {type(datamodule).__name__}", "give a LightningDataModule")
    datamodule.prepare_data()
    datamodule.setup("fit")
    loaders = {"train": datamodule.train_dataloader()}
    if _has(datamodule, "val_dataloader"):
        loaders["validation"] = datamodule.val_dataloader()
    if _has(datamodule, "test_dataloader"):
        datamodule.setup("test")
        loaders["test"] = datamodule.test_dataloader()
    for name, loader in loaders.items():
        if isinstance(loader, (list, tuple, dict)):
            raise InputError("datamodule", f"found {len(loader)} loaders for {name}", "give one")
    return loaders


def _has(datamodule: Any, hook: str) -> bool:
    """Whether the hook is the user's own: Lightning's raises."""
    return hook in vars(datamodule) or not getattr(type(datamodule), hook).__module__.startswith(_LIGHTNING)


def _pair(module: nn.Module, batch: Batch) -> tuple[Any, Any]:
    inputs, targets = batch
    return module(inputs), targets


def stepped(module: nn.Module, batch: Batch) -> Tensor:
    """The loss of the module's own training step."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*self\.log\(\)")  # it logs without a Trainer; there is nobody to log for
        step: Any = module.training_step
        returned = step(batch, 0)
    loss = returned["loss"] if isinstance(returned, dict) else returned
    if not isinstance(loss, Tensor):
        raise InputError("module_factory", f"training_step returned {type(loss).__name__}", "return the loss, or a dictionary with it")
    return loss


def _code(module: nn.Module) -> str:
    """A hash of all that the user's classes define."""
    users = [kind for kind in type(module).__mro__ if not kind.__module__.startswith((*_LIGHTNING, "torch.", "builtins"))]
    return digest(*([f for f in vars(kind).values() if inspect.isfunction(f)] for kind in users))


@dataclass(frozen=True)
class Stepped:
    """The forward pass of a task whose module computes the loss in its training step."""

    code: str
    """Of the module's class: another training step is another task."""

    def __call__(self, module: nn.Module, batch: Batch) -> tuple[OwnLoss, Any]:
        """The loss, and the targets where a batch is a pair."""
        targets = batch[1] if isinstance(batch, (tuple, list)) and len(batch) == 2 else None
        return OwnLoss(stepped(module, batch)), targets
