"""The frame of every operation: checked before, verified after, undone on failure; and replacing a module wherever it is registered."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from traindx.records import NotApplicable
from traindx.remedies.surgery.trace import Probe, Snapshot, outputs_of, refuse_closed, tensors_in, trace

P = ParamSpec("P")
Operation = Callable[Concatenate[nn.Module, Probe, P], nn.Module]


def surgery(operation: Operation[P]) -> Operation[P]:
    """Make an operation atomic: the probe's outputs keep their shapes, dtypes and devices and stay finite, or nothing has changed.

    Raises NotApplicable, with the model (weights, modules, hooks, mode) and the random state as they were.
    """

    @functools.wraps(operation)
    def whole(model: nn.Module, probe: Probe, *args: P.args, **kwargs: P.kwargs) -> nn.Module:
        refuse_closed(model)
        _materialize(model, probe)
        snapshot = Snapshot(model, weights=True)
        try:
            before = attempt(model, probe, "the model's own forward pass fails")
            known = set(model.modules())
            changed = operation(model, probe, *args, **kwargs)
            _verify(changed, probe, before, known)
        except BaseException:
            snapshot.restore()
            raise
        return changed

    return cast("Operation[P]", whole)


def _materialize(model: nn.Module, probe: Probe) -> None:
    if any(nn.parameter.is_lazy(t) for t in [*model.parameters(), *model.buffers()]):
        training = {m: m.training for m in model.modules()}
        try:
            with torch.no_grad():
                probe(model.eval())
        except Exception as error:
            raise NotApplicable(f"the model's own forward pass fails: {first_line(error)}") from error
        finally:
            for module, mode in training.items():
                module.training = mode


def attempt(model: nn.Module, probe: Probe, complaint: str) -> list[Tensor]:
    """The output tensors; what the user's forward raises becomes the reason why the operation does not fit this model."""
    try:
        return list(tensors_in(outputs_of(model, probe)))
    except NotApplicable:
        raise
    except Exception as error:
        raise NotApplicable(f"{complaint}: {first_line(error)}") from error


def _verify(changed: nn.Module, probe: Probe, before: list[Tensor], known: set[nn.Module]) -> None:
    after = attempt(changed, probe, "the changed model does not run")
    if (found := forms(after)) != (expected := forms(before)):
        raise NotApplicable(f"the outputs would change from {expected} to {found}")
    if all(_finite(t) for t in before) and not all(_finite(t) for t in after):
        raise NotApplicable("the outputs of the changed model are not finite")
    added = {m for m in changed.modules() if m not in known and type(m) not in (nn.Module, nn.ModuleList, nn.ModuleDict)}
    called = {c.module for c in trace(changed, probe).calls} if added else set()
    if bypassed := [name for name, m in changed.named_modules() if m in added and m not in called]:
        raise NotApplicable(f"the forward pass does not call {bypassed[0] or 'the model'}: it uses the weights of its layers by itself")


def forms(tensors: list[Tensor]) -> list[str]:
    """Shape, dtype and device of each tensor."""
    return [f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')} {t.device}" for t in tensors]


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def first_line(error: BaseException) -> str:
    """The first line of an error's message, shortened."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def replace(model: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """Register ``new`` wherever ``old`` is registered, in its mode; returns the model (``new`` itself when ``old`` was the whole model)."""
    inherited = set(old.modules())
    slots = [(parent, key) for parent in model.modules() for key, child in parent._modules.items() if child is old]
    for module in new.modules():
        if module not in inherited:
            module.training = old.training
    if old is model:
        return new
    for parent, key in slots:
        parent._modules[key] = new
    _leave_fast_path(model, new)
    return model


def _leave_fast_path(model: nn.Module, new: nn.Module) -> None:
    """The fused inference kernel of encoder layers reads weights and skips modules: it must not run past a replaced part."""
    for encoder in model.modules():
        if isinstance(encoder, nn.TransformerEncoderLayer) and any(m is new for m in encoder.modules()):
            encoder.activation_relu_or_gelu = 0
            for stack in model.modules():
                if isinstance(stack, nn.TransformerEncoder) and any(m is encoder for m in stack.modules()):
                    stack.use_nested_tensor = False


def is_reparametrized(module: nn.Module) -> bool:
    """The weights are computed from other parameters (weight or spectral norm), so they cannot be set or resized."""
    names = ("weight_g", "weight_orig", "weight_v")
    return parametrize.is_parametrized(module) or any(hasattr(module, name) for name in names)


def tied_modules(model: nn.Module) -> set[nn.Module]:
    """Modules that hold a parameter which another module holds too."""
    owners: dict[int, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(module)
    return {m for group in owners.values() if len(group) > 1 for m in group}


def like(module: nn.Module) -> dict[str, Any]:
    """Device and dtype of the module's weights, as factory arguments."""
    weight = next(module.parameters())
    return {"device": weight.device, "dtype": weight.dtype}
