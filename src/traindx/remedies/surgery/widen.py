"""Wider or narrower hidden layers."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.channels import Channels, Group, parameters_after, reasons, resize
from traindx.remedies.surgery.edit import attempt, forms, surgery
from traindx.remedies.surgery.trace import Probe, Snapshot, trace

LARGEST = 200_000_000
"""Weights beyond which a model is not widened: 0.8 GB in float32, four times that in training with Adam."""

NARROWEST = 2
"""Hidden width below which a layer is not narrowed."""


@surgery
def widen(model: nn.Module, probe: Probe, factor: float = 4, layer: str | None = None, cap: int = 4096) -> nn.Module:
    """Multiply the hidden widths by ``factor``, up to ``cap``; with ``layer`` only that one and those that must have the same width.

    Layers that change get fresh weights by torch's default rule, in place; norms between them follow, and output widths stay. Attention
    keeps its width (the feed-forward layers beside it change). Recurrent states given by hand, sizes written out in the forward pass and
    grouped convolutions fix a width; the reason is given when no other is left.
    """
    if factor <= 1:
        raise InputError("factor", f"found {factor}", "use more than 1")
    return _resized(model, probe, lambda width: max(width, min(round(width * factor), cap)), layer)


@surgery
def narrow(model: nn.Module, probe: Probe, factor: float = 4) -> nn.Module:
    """Divide the hidden widths by ``factor``, down to NARROWEST. Otherwise as ``widen``."""
    if factor <= 1:
        raise InputError("factor", f"found {factor}", "use more than 1")
    return _resized(model, probe, lambda width: min(width, max(round(width / factor), NARROWEST)), None)


def _resized(model: nn.Module, probe: Probe, size: Callable[[int], int], layer: str | None) -> nn.Module:
    channels = Channels(model, trace(model, probe))
    groups = channels.groups() if layer is None else [_group(model, channels, layer)]
    free = [g for g in groups if g.fixed is None]
    if not free:
        raise NotApplicable(f"no hidden width can change ({reasons(groups) or 'no layers'})")
    widths = {g: size(g.width) for g in free if size(g.width) != g.width}
    if not widths:
        raise NotApplicable(f"the hidden widths ({', '.join(str(g.width) for g in free)}) are at their bound already")
    if (total := parameters_after(channels, widths)) > LARGEST:
        raise NotApplicable(f"the model would have about {total:,} weights, more than {LARGEST:,}")
    _resize_what_runs(model, probe, channels, widths)
    return model


def _resize_what_runs(model: nn.Module, probe: Probe, channels: Channels, widths: dict[Group, int]) -> None:
    """All widths at once or, where the forward pass has some of them written out, those with which it still runs, tried one by one."""
    snapshot = Snapshot(model, weights=True)
    expected = forms(attempt(model, probe, "the model's own forward pass fails"))

    def runs(trial: dict[Group, int]) -> bool:
        snapshot.restore()
        resize(channels, trial)
        try:
            return forms(attempt(model, probe, "the changed model does not run")) == expected
        except NotApplicable as reason:
            failures.append(reason)
            return False

    failures: list[NotApplicable] = []
    if runs(widths):
        return
    possible: dict[Group, int] = {}
    for group, width in widths.items():
        if runs({**possible, group: width}):
            possible[group] = width
    if not possible:
        raise failures[0] if failures else NotApplicable("the outputs of the changed model have another shape")
    runs(possible)


def _group(model: nn.Module, channels: Channels, layer: str) -> Group:
    module = dict(model.named_modules()).get(layer)
    if module is None or module not in channels.makes:
        raise NotApplicable(f"no layer {layer!r} with a width; there are {', '.join(g for c in channels.groups() for g in c.layers)}")
    return channels.makes[module].root()
