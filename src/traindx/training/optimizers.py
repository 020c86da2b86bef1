"""Optimizers by name: torch's own classes, lower-case, or "module:Class"."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from traindx.records import InputError, Recipe

_BY_NAME: dict[str, type[Optimizer]] = {
    name.lower(): member
    for name, member in vars(torch.optim).items()
    if inspect.isclass(member) and issubclass(member, Optimizer) and member is not Optimizer
}
_NEEDS_CLOSURE = {"lbfgs"}
_SPARSE_ONLY = {"sparseadam"}


def optimizer_class(name: str) -> type[Optimizer]:
    """The class of this name.

    Raises:
        InputError: when there is none, or when it needs a closure.

    """
    if ":" in name:
        return _imported(name)
    known = sorted(set(_BY_NAME) - _NEEDS_CLOSURE - _SPARSE_ONLY)
    if name.lower() not in known:
        raise InputError("Recipe(optimizer=...)", f"found {name!r}", f"use one of {', '.join(known)}, or a class")
    return _BY_NAME[name.lower()]


def _imported(name: str) -> type[Optimizer]:
    module, _, path = name.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise InputError("Recipe(optimizer=...)", f"found {name!r}, which cannot be imported ({error})", "give module:Class") from None
    if not (inspect.isclass(found) and issubclass(found, Optimizer)):
        raise InputError(
            "Recipe(optimizer=...)", f"found {name!r}, which is no torch optimizer", "give a subclass of torch.optim.Optimizer"
        )
    return found


def takes(name: str, argument: str) -> bool:
    """Whether the optimizer of this name has the argument."""
    return argument in inspect.signature(optimizer_class(name)).parameters


def make_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The recipe's optimizer over these parameters.

    Raises:
        InputError: when the optimizer refuses its options.

    """
    kind = optimizer_class(recipe.optimizer)
    options: dict[str, Any] = {"lr": recipe.lr, **recipe.optimizer_options}
    for name in ("momentum", "weight_decay"):
        if takes(recipe.optimizer, name) and name not in recipe.optimizer_options and getattr(recipe, name):
            options[name] = getattr(recipe, name)
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    try:
        return kind(parameters, **options)
    except (TypeError, ValueError) as error:
        raise InputError("Recipe(optimizer_options=...)", str(error), f"see torch.optim.{kind.__name__}") from None
