"""Dropout behind the hidden activations."""

from __future__ import annotations

from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.edit import replace, surgery
from traindx.remedies.surgery.layers import ACTIVATIONS, DROPOUTS, activations, hidden_activations, is_dropout
from traindx.remedies.surgery.trace import Probe, Trace, trace


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
    values += [v for n in seen.nodes if isinstance(n.module, nn.RNNBase) for v in n.outputs if seen.reaches_weights(v)]
    if not values:
        raise NotApplicable("no activation between layers behind which units could be dropped")
    changed, every = False, activations(seen)
    behind: dict[nn.Module, nn.Module] = {}
    before: dict[nn.Module, nn.Module] = {}
    own = {a.value: a.module for a in every if a.module is not None}
    kept = {a.module for a in every if a.value not in values or a.kind not in ACTIVATIONS}
    for value in sorted(values):
        if idle := _dropouts_behind(seen, value):
            for dropout in idle:
                if isinstance(dropout, DROPOUTS) and dropout.p == 0:
                    dropout.p = p
                    changed = True
        elif (module := own.get(value)) is not None and module not in kept:
            behind.setdefault(module, _dropout(seen, [a.value for a in every if a.module is module], p))
        else:
            for node in seen.downstream(value):
                if node.weighted and isinstance(node.module, (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase)):
                    before.setdefault(node.module, _dropout(seen, [c.inputs[0] for c in seen.called(node.module)], p))
    for module, dropout in behind.items():
        model = replace(model, module, nn.Sequential(module, dropout))
    for module, dropout in before.items():
        model = replace(model, module, nn.Sequential(dropout, module))
    if not (changed or behind or before):
        already = any(_dropouts_behind(seen, v) for v in values)
        why = "dropout stands behind every hidden activation already" if already else "no layer of torch reads a hidden activation"
        raise NotApplicable(why)
    return model


def _dropouts_behind(seen: Trace, value: int) -> list[nn.Module | None]:
    """The dropouts between the value and the next weights; None stands for a function."""
    return [n.module for n in seen.downstream(value) if is_dropout(n)]


def _dropout(seen: Trace, values: list[int], p: float) -> nn.Module:
    return nn.Dropout2d(p) if all(len(seen.shape(v)) == 4 for v in values) else nn.Dropout(p)
