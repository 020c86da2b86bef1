"""Dropout behind the hidden activations."""

from __future__ import annotations

from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.edit import replace, surgery
from traindx.remedies.surgery.layers import ACTIVATIONS, DROPOUTS, activations, hidden_activations, is_dropout
from traindx.remedies.surgery.trace import WEIGHTED, Probe, Trace, trace


@surgery
def add_dropout(model: nn.Module, probe: Probe, p: float = 0.3) -> nn.Module:
    """Drop hidden units with probability ``p``: whole channels of images (Tompson et al. 2015), single units elsewhere.

    Dropout stands behind activation modules; where the activation is a function, in front of the layers that read it. Recurrent layers
    count as activations. Activations with dropout behind them are left alone, but a dropout of 0 gets ``p``.
    """
    if not 0 < p < 1:
        raise InputError("p", f"found {p}", "use a probability between 0 and 1")
    seen = trace(model, probe)
    values = [a.value for a in hidden_activations(seen)]
    values += [n.outputs[0] for n in seen.nodes if isinstance(n.module, nn.RNNBase) and seen.reaches_weights(n.outputs[0])]
    if not values:
        raise NotApplicable("no activation between layers behind which units could be dropped")
    changed = False
    behind: dict[nn.Module, nn.Module] = {}
    before: dict[nn.Module, nn.Module] = {}
    own = {a.value: a.module for a in activations(seen) if a.module is not None}
    kept = {a.module for a in activations(seen) if a.value not in values or a.kind not in ACTIVATIONS}
    for value in sorted(values):
        if idle := _dropouts_behind(seen, value):
            for dropout in idle:
                if isinstance(dropout, DROPOUTS) and dropout.p == 0:
                    dropout.p = p
                    changed = True
        elif (module := own.get(value)) is not None and module not in kept:
            behind.setdefault(module, _dropout(seen, value, p))
        else:
            for node in seen.downstream(value):
                if node.weighted and isinstance(node.module, WEIGHTED) and not isinstance(node.module, nn.MultiheadAttention):
                    before.setdefault(node.module, _dropout(seen, node.inputs[0], p))
    for module, dropout in behind.items():
        model = replace(model, module, nn.Sequential(module, dropout))
    for module, dropout in before.items():
        model = replace(model, module, nn.Sequential(dropout, module))
    if not (changed or behind or before):
        raise NotApplicable("dropout stands behind every hidden activation already")
    return model


def _dropouts_behind(seen: Trace, value: int) -> list[nn.Module | None]:
    """The dropouts between the value and the next weights; None stands for a function."""
    return [n.module for n in seen.downstream(value) if is_dropout(n)]


def _dropout(seen: Trace, value: int, p: float) -> nn.Module:
    return nn.Dropout2d(p) if len(seen.shape(value)) == 4 else nn.Dropout(p)
