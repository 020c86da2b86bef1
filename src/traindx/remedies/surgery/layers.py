"""The layers of a model in execution order, and what the words hidden, activation and gate mean in it."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn
from torch.nn.modules import batchnorm, dropout, instancenorm

from traindx.records import InputError
from traindx.remedies.surgery.trace import Call, Node, Probe, Trace, atomic, function_name, trace

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "hardswish": nn.Hardswish,
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "logsigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
    "softsign": nn.Softsign,
    "tanhshrink": nn.Tanhshrink,
    "softshrink": nn.Softshrink,
    "hardshrink": nn.Hardshrink,
    "threshold": nn.Threshold,
    "prelu": nn.PReLU,
    "rrelu": nn.RReLU,
}
"""Elementwise activations by the names of their functions."""

SOFTMAXES: dict[str, type[nn.Module]] = {"softmax": nn.Softmax, "log_softmax": nn.LogSoftmax, "softmin": nn.Softmin}
"""Activations that make a distribution of their input; never between layers except in attention."""

NORMS = (batchnorm._NormBase, instancenorm._InstanceNorm, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)
NORM_FUNCTIONS = frozenset(["batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize", "local_response_norm"])
DROPOUTS = (dropout._DropoutNd,)
DROPOUT_FUNCTIONS = frozenset(
    ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout"]
)
PARAMETERLESS = frozenset(
    [
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "hardswish",
        "relu6",
        "tanh",
        "sigmoid",
        "hardtanh",
        "softsign",
    ]
)


BOUNDED = frozenset(["sigmoid", "hardsigmoid", "logsigmoid", "tanh", "hardtanh", "softsign"])
"""Activations that are gates when they multiply another signal; the others are then the signal."""


@dataclass(frozen=True)
class Layer:
    """A leaf module as one forward pass saw it. ``calls`` above 1 means that it is shared; shapes are those of its first call."""

    name: str
    module: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    calls: int
    activation: str | None
    hidden: bool

    @property
    def shared(self) -> bool:
        """The module is called more than once in a pass."""
        return self.calls > 1


def layers(model: nn.Module, probe: Probe) -> list[Layer]:
    """The leaf modules in the order in which they first run; modules that do not run are absent.

    ``activation`` names the nearest activation, module or function, between this layer and the next one with weights. ``hidden`` says
    that a layer with weights follows.
    """
    seen = trace(model, probe)
    found: dict[int, Layer] = {}
    for call in seen.calls:
        if id(call.module) in found or not (atomic(call.module) or not call.module._modules) or not call.outputs:
            continue
        value = call.outputs[0]
        found[id(call.module)] = Layer(
            call.name,
            call.module,
            seen.shape(call.inputs[0]) if call.inputs else (),
            seen.shape(value),
            len(seen.called(call.module)),
            following_activation(seen, value),
            any(seen.reaches_weights(v) for v in call.outputs),
        )
    return list(found.values())


def activation_kind(node: Node) -> str | None:
    """The name of the activation that this node computes, softmaxes included; None for anything else."""
    if node.module is None:
        return node.label if node.label in ACTIVATIONS or node.label in SOFTMAXES else None
    return module_activation(node.module)


def module_activation(module: nn.Module) -> str | None:
    """The name of an activation module."""
    named = {**ACTIVATIONS, **SOFTMAXES, "softmax2d": nn.Softmax2d}
    exact = next((name for name, kind in named.items() if type(module) is kind), None)
    return exact or next((name for name, kind in named.items() if isinstance(module, kind)), None)


def following_activation(seen: Trace, value: int) -> str | None:
    """The nearest activation after the value and before the next weights."""
    return next((kind for n in seen.downstream(value) if (kind := activation_kind(n)) is not None), None)


def is_norm(node: Node) -> bool:
    """The node normalizes."""
    return isinstance(node.module, NORMS) if node.module is not None else node.label in NORM_FUNCTIONS


def is_dropout(node: Node) -> bool:
    """The node drops units."""
    return isinstance(node.module, DROPOUTS) if node.module is not None else node.label in DROPOUT_FUNCTIONS


def is_residual_add(seen: Trace, node: Node) -> bool:
    """The node adds two tensors that both depend on the batch."""
    return node.module is None and node.label in ("add", "cat") and len(set(seen.live(node))) > 1


_PRODUCTS = frozenset(["mul", "matmul", "bmm", "einsum", "lerp", "addcmul", "where", "div"])
_LINKS = frozenset(
    [
        "add",
        "sub",
        "neg",
        "chunk",
        "split",
        "getitem",
        "unsqueeze",
        "squeeze",
        "view",
        "reshape",
        "expand",
        "expand_as",
        "unflatten",
        "unbind",
    ]
)


def is_gate(seen: Trace, value: int) -> bool:
    """The value multiplies another tensor that depends on the batch: squeeze-and-excitation, hand-written LSTM, attention, GLU."""
    for node in seen.consumers(value):
        factors = {v for v in node.inputs if seen.values[v].live or not seen.values[v].parametric}
        if node.module is None and node.label in _PRODUCTS and len(factors) > 1:
            return True
        if node.module is None and node.label in _LINKS and len(set(seen.live(node))) == 1 and any(is_gate(seen, v) for v in node.outputs):
            return True
    return False


@dataclass(frozen=True)
class Activation:
    """One activation of the pass and how it can be reached: as a module, as an attribute that holds a function, or not at all."""

    kind: str
    node: Node
    value: int
    module: nn.Module | None
    attribute: tuple[nn.Module, str] | None = None

    @property
    def reachable(self) -> bool:
        """It can be replaced without rewriting the forward pass."""
        return self.module is not None or self.attribute is not None


def activations(seen: Trace) -> list[Activation]:
    """Every activation in execution order, softmaxes included."""
    found: dict[int, Activation] = {}
    for node in seen.nodes:
        kind = activation_kind(node)
        if kind is None or not node.outputs:
            continue
        if node.module is not None:
            found[node.outputs[0]] = Activation(kind, node, node.outputs[0], node.module)
            continue
        scope = seen.calls[node.scopes[-1]] if node.scopes else None
        if scope is not None and _is_activation_module(seen, scope):
            found.setdefault(scope.outputs[0], Activation(kind, node, scope.outputs[0], scope.module))
        else:
            attribute = _attribute(scope, node) if scope is not None else None
            found[node.outputs[0]] = Activation(kind, node, node.outputs[0], None, attribute)
    return list(found.values())


def _is_activation_module(seen: Trace, call: Call) -> bool:
    """A user's own module that is nothing but an activation: no state, one tensor in, one of equal shape out."""
    module = call.module
    empty = not module._modules and not module._parameters and not module._buffers
    plain = len(call.inputs) == 1 and len(call.outputs) == 1 and seen.shape(call.inputs[0]) == seen.shape(call.outputs[0])
    return empty and plain and call.name != ""


def _attribute(scope: Call, node: Node) -> tuple[nn.Module, str] | None:
    """The attribute of the calling module that holds the function. F.tanh and F.sigmoid call the tensor's methods."""
    for name, value in vars(scope.module).items():
        if value is node.function or (value in (F.tanh, F.sigmoid) and function_name(value) == node.label):
            return scope.module, name
    return None


def hidden_activations(seen: Trace) -> list[Activation]:
    """Those between layers with weights: neither outputs nor gates nor attention's softmax."""
    return [
        a
        for a in activations(seen)
        if a.kind in ACTIVATIONS
        and seen.reaches_weights(a.value)
        and not (a.kind in BOUNDED and is_gate(seen, a.value))
        and any(n.weighted for n in seen.upstream(a.value))
    ]


def new_activation(kind: str) -> nn.Module:
    """An activation module by name, with torch's default arguments."""
    if kind not in PARAMETERLESS:
        raise InputError("to", f"no activation {kind!r}", f"use one of {', '.join(sorted(PARAMETERLESS))}")
    return ACTIVATIONS[kind]()
