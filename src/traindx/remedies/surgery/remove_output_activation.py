"""The model without the activation at its end, or with another one."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from traindx.records import NotApplicable
from traindx.remedies.surgery.edit import replace, surgery
from traindx.remedies.surgery.functional import with_own_activations
from traindx.remedies.surgery.layers import Activation, activations, is_dropout, new_activation
from traindx.remedies.surgery.trace import Probe, Trace, trace

_HARMLESS = frozenset(
    ["flatten", "view", "reshape", "squeeze", "unsqueeze", "getitem", "transpose", "permute", "t", "T", "contiguous", "float", "to"]
)


@surgery
def remove_output_activation(model: nn.Module, probe: Probe) -> nn.Module:
    """Put Identity in place of the activation (softmax, sigmoid, ReLU, tanh, ...) that the outputs come from.

    A function at the end of a hand-written forward pass is reached by torch.fx: the result is then a GraphModule.
    """
    return _replaced(model, probe, nn.Identity)


@surgery
def replace_output_activation(model: nn.Module, probe: Probe, to: str = "sigmoid") -> nn.Module:
    """Put another activation, by its name, in place of the one that the outputs come from."""
    return _replaced(model, probe, lambda: new_activation(to))


def output_activation(model: nn.Module, probe: Probe) -> str | None:
    """The name of the activation that the outputs come from, or None."""
    return next((a.kind for a in _final(trace(model, probe))), None)


def _replaced(model: nn.Module, probe: Probe, make: Callable[[], nn.Module]) -> nn.Module:
    seen = trace(model, probe)
    final = _final(seen)
    if not final:
        raise NotApplicable("the outputs do not come from an activation")
    if not _alone(final, seen):
        model = with_own_activations(model, probe)
        seen = trace(model, probe)
        final = _final(seen)
        if not final or not _alone(final, seen):
            raise NotApplicable("the output activation is a function that no module replacement reaches: make it a module")
    for module in dict.fromkeys(a.module for a in final if a.module is not None):
        model = replace(model, module, make())
    return model


def _final(seen: Trace) -> list[Activation]:
    """The activations from which an output comes with nothing but a change of shape between."""
    known = {a.value: a for a in activations(seen) if not seen.reaches_weights(a.value)}
    found: dict[int, Activation] = {}
    for value in seen.outputs:
        while value not in known and (node := seen.producer(value)) is not None:
            shaping = isinstance(node.module, (nn.Flatten, nn.Unflatten, nn.Identity)) or is_dropout(node)
            if len(seen.live(node)) != 1 or not (shaping or (node.module is None and node.label in _HARMLESS)):
                break
            value = seen.live(node)[0]
        if value in known:
            found[value] = known[value]
    return list(found.values())


def _alone(final: list[Activation], seen: Trace) -> bool:
    values = {a.value for a in final}
    modules = {a.module for a in final}
    return None not in modules and all(a.value in values for a in activations(seen) if a.module in modules)
