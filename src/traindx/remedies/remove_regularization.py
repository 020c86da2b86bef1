"""No weight decay and no dropout."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from traindx.records import NotApplicable, Recipe
from traindx.remedies.base import AFewRows, Remedy, operated
from traindx.remedies.surgery.functional import with_own_activations
from traindx.remedies.surgery.trace import Probe
from traindx.tasks import Task, preserved_rng


def dropouts(model: nn.Module, probe: Probe) -> list[float]:
    """The probabilities at which units are dropped: by layers, by recurrent layers and attention, and by functions that a forward pass calls."""
    return [*_of_layers(model), *_called(model, probe)]


def _of_layers(model: nn.Module) -> list[float]:
    layers = [m.p for m in model.modules() if isinstance(m, _DropoutNd)]
    return layers + [float(m.dropout) for m in model.modules() if isinstance(m, (nn.RNNBase, nn.MultiheadAttention))]


class _Listening(TorchFunctionMode):
    """Notes the probabilities of dropout that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[float] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FUNCTIONS:
            given = dict(zip(("input", "p", "training"), args, strict=False)) | (kwargs or {})
            self.heard += [float(given.get("p", 0.5))] if given.get("training", True) else []
        return func(*args, **(kwargs or {}))


_FUNCTIONS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)


def _called(model: nn.Module, probe: Probe) -> list[float]:
    """Of one pass of a copy in training mode, layers included; none where it fails, which is told elsewhere."""
    listening = _Listening()
    with contextlib.suppress(Exception), preserved_rng(), torch.no_grad(), listening:
        probe(copy.deepcopy(model).train())
    return listening.heard


def without_dropout(model: nn.Module, probe: Probe, called: bool = False) -> nn.Module:
    """Set every dropout probability to 0; what is ``called`` as a function is made a layer first."""
    if called:
        model = with_own_activations(model, probe)
    for module in model.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        elif isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
            module.dropout = 0.0
    return model


@dataclass(frozen=True)
class RemoveRegularization(Remedy):
    """Take weight decay and dropout away."""

    id: ClassVar[str] = "remove-regularization"
    size: ClassVar[float] = 1.0

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task, a new recipe, or both."""
        model, probe = task.build(recipe.seed), AFewRows(task)
        layers = [p for p in _of_layers(model) if p > 0]
        called = any(p > 0 for p in _called(without_dropout(model, probe), probe))
        options = {k: v for k, v in recipe.optimizer_options.items() if k != "weight_decay"}
        lighter = recipe.replace(weight_decay=0.0, optimizer_options={**options, **_no_default_decay(recipe)})
        if not layers and not called and lighter == recipe:
            raise NotApplicable("there is neither weight decay nor dropout")
        try:
            return (operated(task, self, without_dropout, called=called) if layers or called else task), lighter
        except NotApplicable:  # dropout in a forward pass that cannot be traced stays; what else there is goes
            if not called or (not layers and lighter == recipe):
                raise
            return (operated(task, self, without_dropout, called=False) if layers else task), lighter


def _no_default_decay(recipe: Recipe) -> dict[str, float]:
    """AdamW decays weights unless it is told not to."""
    return {"weight_decay": 0.0} if recipe.optimizer == "adamw" else {}
