"""More hidden layers in front of the output layer."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.edit import is_reparametrized, like, replace, surgery, tied_modules
from traindx.remedies.surgery.trace import Probe, trace


@surgery
def deepen(model: nn.Module, probe: Probe, width: int = 64, layers: int = 1) -> nn.Module:
    """Put ``layers`` hidden layers (Linear and ReLU) of ``width`` units in front of every output layer; its weights are drawn anew.

    This makes a linear model nonlinear.
    """
    if width < 1 or layers < 1:
        raise InputError("width, layers", f"found {width}, {layers}", "use at least 1")
    seen = trace(model, probe)
    output = seen.output_layers()
    if not output:
        raise NotApplicable("no output layer with weights, so none to put a hidden layer in front of")
    tied = tied_modules(model)
    for module in dict.fromkeys(n.module for n in output):
        if not isinstance(module, nn.Linear):
            raise NotApplicable(f"the output layer is {'a function' if module is None else type(module).__name__}, not Linear")
        if module in tied or is_reparametrized(module) or len(seen.called(module)) > 1:
            raise NotApplicable("the output layer's weights are shared or computed from others")
        model = replace(model, module, _stack(module, width, layers))
    return model


def _stack(output: nn.Linear, width: int, layers: int) -> nn.Sequential:
    sizes = [output.in_features, *[width] * layers]
    hidden = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b, **like(output)), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, output.out_features, bias=output.bias is not None, **like(output)))
