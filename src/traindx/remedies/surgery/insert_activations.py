"""Activations between layers that follow each other without one."""

from __future__ import annotations

from torch import nn

from traindx.records import NotApplicable
from traindx.remedies.surgery.edit import replace, surgery
from traindx.remedies.surgery.layers import activation_kind, is_dropout, is_norm, new_activation
from traindx.remedies.surgery.trace import Node, Probe, Trace, trace

_LINEAR = frozenset(["flatten", "view", "reshape", "squeeze", "unsqueeze", "transpose", "permute", "t", "T", "mT", "mean", "sum"])


@surgery
def insert_activations(model: nn.Module, probe: Probe, to: str = "relu") -> nn.Module:
    """Put an activation behind every hidden Linear and convolution (and its norm) that only linear steps part from the next layer."""
    new_activation(to)
    seen = trace(model, probe)
    places = [_place(seen, n) for n in seen.nodes if isinstance(n.module, (nn.Linear, nn.modules.conv._ConvNd)) and _bare(seen, n)]
    if not places:
        raise NotApplicable("no two layers follow each other without an activation between them")
    for module in dict.fromkeys(places):
        model = replace(model, module, nn.Sequential(module, new_activation(to)))
    return model


def _bare(seen: Trace, node: Node) -> bool:
    between = [n for n in seen.downstream(node.outputs[0]) if not n.weighted]
    return seen.hidden(node) and all(_linear(n) and len(seen.live(n)) == 1 for n in between)


def _linear(node: Node) -> bool:
    if activation_kind(node) is not None:
        return False
    pooling = (nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveAvgPoolNd)
    shaping = isinstance(node.module, (nn.Flatten, nn.Unflatten, nn.Identity, *pooling))
    return shaping or is_norm(node) or is_dropout(node) or (node.module is None and node.label in _LINEAR)


def _place(seen: Trace, node: Node) -> nn.Module:
    """The norm that alone reads the layer's output, else the layer."""
    readers = seen.consumers(node.outputs[0])
    after = readers[0].module if len(readers) == 1 and is_norm(readers[0]) else None
    place = after if after is not None else node.module
    assert place is not None
    return place
