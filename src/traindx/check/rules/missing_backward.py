"""The optimizer steps, and no backward pass has given it a gradient."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Path
from traindx.check.layers import losses
from traindx.check.script import Script


class MissingBackward:
    """Fires where an optimizer steps in a loop that clears gradients or computes a loss, and runs no backward pass nor anything that might.

    A loop that does neither is taken for one that plays a schedule through.
    """

    code = "TDX102"
    name = "missing-backward"
    level = Level.ERROR
    summary = "A loop steps the optimizer and never calls backward(): there are no gradients to step along."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The steps in such loops."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.STEP and event.on is not None and flow.steps_certainly(event) and _never_backward(flow, path, event):
                    yield Spot(event.node, "no backward pass precedes this step, so it has no gradients; call loss.backward() before it")


def _never_backward(flow: Flow, path: Path, step: Event) -> bool:
    if not step.loops:
        return False
    inside = [event for event in path if event.within(step.loops[0])]
    if any(event.kind is Kind.BACKWARD or flow.may_update(event) for event in inside):
        return False
    return any(event.kind is Kind.CLEAR for event in inside) or any(
        step.loops[0] in flow.script.ancestors(call) for call, _ in losses(flow.script)
    )
