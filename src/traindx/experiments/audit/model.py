"""The audit of the model: parameters and widths."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn

from traindx.experiments.audit.measured import evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence


def model_evidence(lab: Lab) -> list[Evidence]:
    """Parameters, frozen share, and the narrowest hidden layer against its neighbours."""
    model = lab.task.build(lab.recipe.seed)
    total = sum(p.numel() for p in model.parameters())
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    found = [
        evidence("pretrained", float(lab.task.pretrained)),
        evidence("parameters", total),
        evidence("frozen_share", frozen / total if total else math.nan),
    ]
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d))]
    found.append(evidence("linear_layers", len(layers)))
    widths = [(name, *_widths(layer)) for name, layer in layers]
    for (name, inputs, outputs), (_, _, after) in pairwise(widths):
        needed = min(inputs, after)
        found.append(evidence("narrowing", needed / outputs, subject=name, width=outputs, inputs=inputs, after=after))
    return found


def _widths(layer: nn.Module) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, (nn.Conv1d, nn.Conv2d))
    return layer.in_channels, layer.out_channels
