"""A normalization after every hidden layer, before its activation."""

from __future__ import annotations

import math
from typing import Any, Literal

from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.edit import like, replace, surgery
from traindx.remedies.surgery.layers import is_norm
from traindx.remedies.surgery.trace import Node, Probe, Trace, trace

Kind = Literal["auto", "batch", "layer", "group"]

SMALL_BATCH = 8
"""Below it BatchNorm's statistics are too noisy: error rises steeply (Wu and He 2018, arXiv:1803.08494, figure 1)."""

GROUPS = 32
"""Wu and He 2018, table 3."""

NARROW = 4
"""Fewer values than this are not normalized over: of one value nothing is left, of two only which is larger."""

_BATCH: dict[int, type[nn.Module]] = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


@surgery
def insert_normalization(model: nn.Module, probe: Probe, kind: Kind = "auto", batch_size: int | None = None) -> nn.Module:
    """Wrap every hidden Linear and convolution, unless a norm follows it already, as ``Sequential(layer, norm)``.

    ``auto`` is BatchNorm; LayerNorm (GroupNorm with one group after convolutions) where the layer is shared, where it maps the positions
    of a sequence, or when ``batch_size`` is below SMALL_BATCH. A BatchNorm cannot train on a batch of one row: drop such a last batch.
    """
    if kind not in ("auto", "batch", "layer", "group"):
        raise InputError("kind", f"found {kind!r}", "use auto, batch, layer or group")
    if kind == "auto" and batch_size is not None and batch_size < SMALL_BATCH:
        kind = "layer"
    seen = trace(model, probe)
    hidden = [n for n in seen.nodes if _normalizable(n) and seen.hidden(n)]
    if not hidden:
        raise NotApplicable("no hidden Linear or convolution after which a norm could stand")
    chosen = {n.module: n for n in reversed(hidden) if n.module is not None and not any(is_norm(m) for m in seen.downstream(n.outputs[0]))}
    if not chosen:
        raise NotApplicable("every hidden layer is followed by a norm already")
    norms = {layer: _norm(layer, seen, node, kind) for layer, node in reversed(chosen.items())}
    if not any(norms.values()):
        raise NotApplicable(f"the hidden layers are too narrow to normalize over: fewer than {NARROW} values")
    for layer, norm in norms.items():
        if norm is not None:
            model = replace(model, layer, nn.Sequential(layer, norm))
    return model


def _normalizable(node: Node) -> bool:
    return isinstance(node.module, (nn.Linear, nn.modules.conv._ConvNd)) and len(node.outputs) == 1


def _norm(layer: nn.Module, seen: Trace, node: Node, kind: Kind) -> nn.Module | None:
    shape = seen.shape(node.outputs[0])
    options = like(layer)
    shared = len(seen.called(layer)) > 1
    if isinstance(layer, nn.modules.conv._ConvNd):
        if len(shape) == len(layer.kernel_size) + 1:
            raise NotApplicable("the convolutions run without a batch dimension")
        if kind in ("layer", "group") or shared:
            return _group_norm(layer.out_channels, GROUPS if kind == "group" else 1, math.prod(shape[2:]), options)
        return _BATCH[len(shape)](layer.out_channels, **options)
    width = shape[-1]
    if len(shape) == 2 and kind == "group":
        return _group_norm(width, GROUPS, 1, options)
    if len(shape) != 2 or kind == "layer" or shared:
        return nn.LayerNorm(width, **options) if width >= NARROW else None
    return nn.BatchNorm1d(width, **options)


def _group_norm(channels: int, groups: int, positions: int, options: dict[str, Any]) -> nn.Module | None:
    fitting = [g for g in range(1, groups + 1) if channels % g == 0 and channels // g * positions >= NARROW]
    return nn.GroupNorm(max(fitting), channels, **options) if fitting else None
