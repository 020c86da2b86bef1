"""Gradients are clipped while a loss scale still multiplies them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind
from traindx.check.script import Script

SCALERS = frozenset(
    {"torch.amp.GradScaler", "torch.cuda.amp.GradScaler", "torch.cuda.amp.grad_scaler.GradScaler", "torch.amp.grad_scaler.GradScaler"}
)


class ClippingScaledGradients:
    """Fires where a loop's only backward pass is of a scaled loss, and it clips without ``scaler.unscale_(optimizer)``."""

    code = "TDX109"
    name = "clipping-scaled-gradients"
    level = Level.ERROR
    summary = "Gradients of a scaled loss are clipped without unscale_(): the bound is thousands of times too tight."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The clippings of scaled gradients."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.CLIP and event.loops:
                    inside = [other for other in path if other.within(event.loops[-1])]
                    kinds = {other.kind for other in inside}
                    if runs_scaled_only(script, inside) and Kind.UNSCALE not in kinds and not any(map(flow.may_update, inside)):
                        yield Spot(
                            event.node,
                            "the loss scale still multiplies the gradients here; call scaler.unscale_(optimizer) before clipping",
                        )


def runs_scaled_only(script: Script, events: list[Event]) -> bool:
    """Whether there is one backward pass, and it is ``scaler.scale(loss).backward()`` with a scaler of PyTorch."""
    match [event.node for event in events if event.kind is Kind.BACKWARD]:
        case [ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Attribute(value=scaler, attr="scale"))))]:
            return all(script.called(origin) in SCALERS for origin in script.origins(scaler))
    return False
