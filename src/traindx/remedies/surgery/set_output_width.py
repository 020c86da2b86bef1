"""Another number of outputs."""

from __future__ import annotations

from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.edit import attempt, is_reparametrized, like, replace, tied_modules
from traindx.remedies.surgery.trace import Probe, Snapshot, refuse_closed, trace


def set_output_width(model: nn.Module, probe: Probe, width: int) -> nn.Module:
    """Put a fresh linear layer of ``width`` units in place of the output layer; nothing but the last axis of the outputs changes."""
    if width < 1:
        raise InputError("width", f"found {width}", "use at least 1")
    refuse_closed(model)
    seen = trace(model, probe)
    output = list(dict.fromkeys(n.module for n in seen.output_layers()))
    if len(output) != 1 or not isinstance(output[0], nn.Linear):
        raise NotApplicable("the outputs do not come from one linear layer")
    layer = output[0]
    if layer in tied_modules(model) or is_reparametrized(layer):
        raise NotApplicable("the output layer's weights are shared or computed from others")
    snapshot = Snapshot(model, weights=True)
    try:
        changed = replace(model, layer, nn.Linear(layer.in_features, width, bias=layer.bias is not None, **like(layer)))
        (outputs, *_) = attempt(changed, probe, "the changed model does not run")
        if outputs.shape[-1] != width:
            raise NotApplicable("another step behind the last layer fixes the number of outputs")
    except BaseException:
        snapshot.restore()
        raise
    return changed
