"""Activations called as functions in a hand-written forward pass, made into modules by symbolic tracing (torch.fx)."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, fx, nn

from traindx.records import NotApplicable
from traindx.remedies.surgery.edit import first_line
from traindx.remedies.surgery.layers import ACTIVATIONS, SOFTMAXES, module_activation
from traindx.remedies.surgery.trace import Probe, atomic, function_name, outputs_of, tensors_in, trace

_DROPOUTS: dict[str, type[nn.Module]] = {"dropout": nn.Dropout, "dropout1d": nn.Dropout1d, "dropout2d": nn.Dropout2d}
_DROPOUTS |= {"dropout3d": nn.Dropout3d, "alpha_dropout": nn.AlphaDropout}


def with_own_activations(model: nn.Module, probe: Probe) -> fx.GraphModule:
    """An equivalent model in which every call of an activation has a module of its own; layers keep their names and parameters.

    Raises NotApplicable when the forward pass cannot be traced (it branches on its data) or depends on the mode by more than dropout.
    """
    if trace(model, probe).switches_gradients:
        raise NotApplicable("activations are functions in a forward pass that switches gradients, which tracing loses: make them modules")
    modes = {m: m.training for m in model.modules()}
    try:
        traced = {training: _traced(model, training) for training in (False, True)}
    finally:
        for module, mode in modes.items():
            module.training = mode
    if traced[True].code != traced[False].code:
        raise NotApplicable("activations are functions in a forward pass that depends on self.training: make them modules")
    result = traced[True]
    for module in result.modules():
        module.training = modes.get(module, model.training)
    expected, found = (list(tensors_in(outputs_of(m, probe))) for m in (model, _checked(result, probe)))
    if len(expected) != len(found) or not all(_close(a, b) for a, b in zip(expected, found, strict=True)):
        raise NotApplicable("activations are functions, and the traced forward pass does not give the same outputs: make them modules")
    return result


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


def _checked(result: fx.GraphModule, probe: Probe) -> fx.GraphModule:
    try:
        outputs_of(result, probe)
    except Exception as error:
        raise NotApplicable(f"activations are functions, and the traced forward pass does not run: {first_line(error)}") from error
    return result


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return atomic(m) or super().is_leaf_module(m, module_qualified_name)


def _traced(model: nn.Module, training: bool) -> fx.GraphModule:
    for part in model.modules():
        part.training = training
    try:
        graph = _Tracer().trace(model)
    except Exception as error:
        why = f"activations are functions in a forward pass that cannot be traced ({first_line(error)}): make them modules"
        raise NotApplicable(why) from error
    traced = fx.GraphModule(model, graph)
    for node in list(graph.nodes):
        if (module := _module_for(node, traced, training)) is not None:
            name = f"activation_{sum(1 for n, _ in traced.named_children() if n.startswith('activation_'))}"
            traced.add_submodule(name, module)
            with graph.inserting_after(node):
                new = graph.call_module(name, (_input(node),))
            node.replace_all_uses_with(new)
            graph.erase_node(node)
    traced.recompile()
    return traced


def _input(node: fx.Node) -> Any:
    return node.args[0] if node.args else node.kwargs["input"]


def _module_for(node: fx.Node, traced: fx.GraphModule, training: bool) -> nn.Module | None:
    """A module that does what the node does; None when the node is no activation or has arguments that a module cannot take."""
    if node.op == "call_module":
        module = traced.get_submodule(str(node.target))
        shared = sum(1 for n in traced.graph.nodes if n.op == "call_module" and traced.get_submodule(str(n.target)) is module) > 1
        return _copy(module) if shared and module_activation(module) and not list(module.parameters()) else None
    if node.op not in ("call_function", "call_method") or (not node.args and "input" not in node.kwargs):
        return None
    name = str(node.target).strip("_") if node.op == "call_method" else function_name(node.target)
    arguments = dict(zip(_ORDER.get(name, ()), node.args[1:], strict=False)) | {k: v for k, v in node.kwargs.items() if k != "input"}
    if len(node.args) - 1 > len(_ORDER.get(name, ())) or any(isinstance(v, fx.Node) for v in arguments.values()):
        return None
    if name in _DROPOUTS:
        return _DROPOUTS[name](p=arguments.get("p", 0.5)) if arguments.get("training", None) is training else None
    kind = {**ACTIVATIONS, **SOFTMAXES}.get(name)
    arguments = {k: v for k, v in arguments.items() if v is not None and k != "_stacklevel"}
    if kind is None or not arguments.keys() <= inspect.signature(kind).parameters.keys():
        return None
    return kind(**arguments)


_ORDER = {
    "dropout": ("p", "training", "inplace"),
    "dropout1d": ("p", "training", "inplace"),
    "dropout2d": ("p", "training", "inplace"),
    "dropout3d": ("p", "training", "inplace"),
    "alpha_dropout": ("p", "training", "inplace"),
    "relu": ("inplace",),
    "relu6": ("inplace",),
    "selu": ("inplace",),
    "silu": ("inplace",),
    "mish": ("inplace",),
    "hardswish": ("inplace",),
    "leaky_relu": ("negative_slope", "inplace"),
    "elu": ("alpha", "inplace"),
    "celu": ("alpha", "inplace"),
    "softplus": ("beta", "threshold"),
    "hardtanh": ("min_val", "max_val", "inplace"),
    "softmax": ("dim",),
    "log_softmax": ("dim",),
    "softmin": ("dim",),
}


def _copy(module: nn.Module) -> nn.Module:
    twin = module.__class__.__new__(module.__class__)
    twin.__dict__.update({k: v.copy() if isinstance(v, dict) else v for k, v in vars(module).items()})
    return twin
