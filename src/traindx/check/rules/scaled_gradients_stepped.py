"""The optimizer steps along gradients that a loss scale still multiplies."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow, Kind
from traindx.check.rules.clipping_scaled_gradients import runs_scaled_only
from traindx.check.script import Script


class ScaledGradientsStepped:
    """Fires where the loss is scaled, and ``optimizer.step()`` stands in place of ``scaler.step(optimizer)``."""

    code = "TDX110"
    name = "scaled-gradients-stepped"
    level = Level.ERROR
    summary = "The loss is scaled and the optimizer steps by itself: the gradients are thousands of times too large."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The steps of optimizers along scaled gradients."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.STEP and event.on is not None and event.loops and flow.steps_certainly(event):
                    inside = [other for other in path if other.within(event.loops[-1])]
                    kinds = {other.kind for other in inside}
                    if runs_scaled_only(script, inside) and Kind.UNSCALE not in kinds and not any(map(flow.may_update, inside)):
                        yield Spot(
                            event.node,
                            "the gradients of a scaled loss are stepped along unscaled; call scaler.step(optimizer) and scaler.update()",
                        )
