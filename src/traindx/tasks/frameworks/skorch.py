"""A task from a skorch net and its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from traindx.records import InputError
from traindx.tasks.fingerprint import digest
from traindx.tasks.kinds import Loss
from traindx.tasks.rows import Batch


def parts(net: Any, X: Any, y: Any) -> dict[str, Any]:
    """The arguments of a `Task`, as `Task.from_skorch` says."""
    if not callable(getattr(net, "get_split_datasets", None)):
        raise InputError("net", f"found {type(net).__name__}", "give a skorch net, such as NeuralNetClassifier(...)")
    from sklearn.base import clone

    shell = clone(net).set_params(callbacks="disable", verbose=0)
    shell.initialize()
    train, validation = _data(shell, X, y)
    return {"model": _Factory(net), "loss": _loss(shell), "forward": _Inferred(shell), "train": train, "validation": validation}


def _data(net: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Training rows, and validation rows where the net was given some rather than told to split them off."""
    from skorch.dataset import ValidSplit

    if net.train_split is not None and not isinstance(net.train_split, ValidSplit):
        return net.get_split_datasets(X, y)  # type: ignore[no-any-return]
    array_like = isinstance(X, (np.ndarray, Tensor)) and isinstance(y, (np.ndarray, Tensor, list))
    return (X, y) if array_like else net.get_dataset(X, y), None


def _loss(net: Any) -> Loss:
    """The criterion itself where the net hands it the outputs as they are; else the net's own way to it."""
    from skorch import NeuralNet, NeuralNetClassifier

    takes_logarithm = isinstance(net, NeuralNetClassifier) and isinstance(net.criterion_, nn.NLLLoss)
    plain = type(net).get_loss in (NeuralNet.get_loss, NeuralNetClassifier.get_loss) and not takes_logarithm
    criterion: Loss = net.criterion_
    return criterion if plain else _OwnWay(net)


@dataclass(frozen=True)
class _Factory:
    """Builds the net's module by its parameters."""

    net: Any

    def __call__(self) -> nn.Module:
        module: nn.Module = self.net.initialized_instance(self.net.module, self.net.get_params_for("module"))
        return module


@dataclass(frozen=True)
class _OwnWay:
    """The loss as the net computes it: `NeuralNetClassifier` takes the logarithm of probabilities for `NLLLoss`."""

    net: Any

    @property
    def fingerprint(self) -> str:
        """The criterion by its settings, and the way to it."""
        return digest(self.net.criterion_, type(self.net).get_loss)

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        loss: Tensor = _with_module(self.net, self.net.module_, None).get_loss(outputs, targets, training=True)
        return loss


@dataclass(frozen=True)
class _Inferred:
    """The net's own forward pass: it spreads dictionaries over keywords, and flattens the outputs of two classes."""

    net: Any

    @property
    def fingerprint(self) -> str:
        """The way by its code."""
        return digest(type(self.net).infer)

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[Any, Any]:
        inputs, targets = batch
        outputs = _with_module(self.net, model, None).infer(inputs)
        return outputs[0] if isinstance(outputs, tuple) else outputs, targets


def _with_module(net: Any, module: nn.Module, device: str | None) -> Any:
    """The net around another module, which stays where it is; everything else is shared, and nothing copied."""
    other = object.__new__(type(net))
    vars(other).update({**vars(net), "module_": module, "device": device})
    return other
