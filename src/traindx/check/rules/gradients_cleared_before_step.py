"""Gradients are cleared between the backward pass and the step, so every step is along a gradient of zero."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Path
from traindx.check.script import Script


class GradientsClearedBeforeStep:
    """Fires where, going back from a step through its loop, the optimizer's own `zero_grad` comes before any backward pass."""

    code = "TDX105"
    name = "gradients-cleared-before-step"
    level = Level.ERROR
    summary = "zero_grad() stands between backward() and step(): every step is along a gradient of zero."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The clearings in the wrong place."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.STEP and event.on is not None and event.loops and flow.steps_certainly(event):
                    clearing = _cleared_just_before(flow, path, event)
                    if clearing is not None:
                        yield Spot(
                            clearing.node, "the gradients are cleared after backward() and before step(); clear them before backward()"
                        )


def _cleared_just_before(flow: Flow, path: Path, step: Event) -> Event | None:
    loop = next((loop for loop in reversed(step.loops) if any(e.kind is Kind.BACKWARD and e.within(loop) for e in path)), None)
    if loop is None:
        return None
    inside = [event for event in path if event.within(loop)]
    at = inside.index(step)
    for event in [*reversed(inside[:at]), *reversed(inside[at:])]:
        if event.kind is Kind.BACKWARD or flow.may_update(event):
            return None
        if event.kind is Kind.CLEAR and event.on is not None and flow.is_optimizer(event.on) and flow.same(event.on, step.on or event.on):
            return None if flow.is_conditional(event) else event
    return None
