"""Another activation between the layers."""

from __future__ import annotations

from torch import nn

from traindx.records import NotApplicable
from traindx.remedies.surgery.edit import replace, surgery
from traindx.remedies.surgery.functional import with_own_activations
from traindx.remedies.surgery.layers import Activation, activations, hidden_activations, new_activation
from traindx.remedies.surgery.reinitialize import initialize
from traindx.remedies.surgery.trace import Probe, Trace, trace


@surgery
def swap_activations(model: nn.Module, probe: Probe, to: str = "relu", reinitialize: bool = True) -> nn.Module:
    """Put ``to`` in place of every activation between layers; output activations, gates and attention's softmax stay.

    With ``reinitialize`` the weights that feed a swapped activation are drawn anew for it (He before rectifiers, else Glorot). Functions
    in the forward pass are reached as attributes that hold them or, failing that, by torch.fx: the result is then a GraphModule.
    """
    new_activation(to)
    seen = trace(model, probe)
    targets = _targets(seen, to)
    if not all(_separable(a, seen, targets) for a in targets):
        model = with_own_activations(model, probe)
        seen = trace(model, probe)
        targets = _targets(seen, to)
        if not targets or not all(_separable(a, seen, targets) for a in targets):
            raise NotApplicable("activations are functions that no module replacement reaches: make them modules")
    feeding = [n.module for a in targets for n in seen.upstream(a.value) if n.weighted and n.module is not None]
    for module in dict.fromkeys(a.module for a in targets if a.module is not None):
        model = replace(model, module, new_activation(to))
    for owner, name in dict.fromkeys(a.attribute for a in targets if a.attribute is not None):
        _set_function(owner, name, to)
    if reinitialize:
        for layer in dict.fromkeys(feeding):
            initialize(layer, to)
    return model


def _targets(seen: Trace, to: str) -> list[Activation]:
    hidden = hidden_activations(seen)
    if not hidden:
        between = sorted({n.label for n in seen.nodes if n.module is None and n.label in _BENT})
        if sum(n.weighted for n in seen.nodes) < 2:
            raise NotApplicable("no hidden layers, so no activation between layers")
        also = f"; the forward pass bends its values by {', '.join(between)}, which cannot be swapped" if between else ""
        raise NotApplicable(f"no activation between layers{also}")
    targets = [a for a in hidden if a.kind != to or (a.module is not None and type(a.module) is not type(new_activation(to)))]
    if not targets:
        raise NotApplicable(f"every activation between layers is {to} already")
    return targets


_BENT = frozenset(
    [
        "apply",
        "clamp",
        "clamp_min",
        "clip",
        "exp",
        "where",
        "maximum",
        "minimum",
        "max",
        "min",
        "pow",
        "square",
        "abs",
        "mul",
        "sin",
        "cos",
        "sqrt",
    ]
)


def _separable(activation: Activation, seen: Trace, targets: list[Activation]) -> bool:
    """It can be replaced, and whatever is replaced with it is a target too."""
    values = {a.value for a in targets}
    place = activation.module or activation.attribute
    same = [a for a in activations(seen) if (a.module or a.attribute) == place]
    return activation.reachable and all(a.value in values for a in same)


def _set_function(owner: nn.Module, name: str, to: str) -> None:
    del owner.__dict__[name]
    setattr(owner, name, new_activation(to))
    if isinstance(owner, nn.TransformerEncoderLayer):  # which fused kernel may run at inference: 1 relu, 2 gelu, 0 none
        owner.activation_relu_or_gelu = {"relu": 1, "gelu": 2}.get(to, 0)
