"""Gradients are never cleared in the loop that steps, so every step follows the sum of all gradients since the start."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Loop, Path
from traindx.check.script import Script, text


class MissingZeroGrad:
    """Fires where one loop runs backward and steps, and nothing in it clears the gradients of the optimizer that steps."""

    code = "TDX101"
    name = "missing-zero-grad"
    level = Level.ERROR
    summary = "A loop runs backward and steps, and never clears the gradients: they add up over all batches."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The steps in such loops."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.STEP and flow.steps_certainly(event) and _never_clears(flow, path, event):
                    yield Spot(
                        event.node, "the gradients are not cleared in this loop and add up; call optimizer.zero_grad() before backward()"
                    )


def _never_clears(flow: Flow, path: Path, step: Event) -> bool:
    """Judged in the innermost loop that holds the step and a backward pass."""
    for loop in reversed(step.loops):
        inside = [event for event in path if event.within(loop)]
        if any(event.kind is Kind.BACKWARD for event in inside):
            cleared = any(event.kind is Kind.CLEAR and _may_clear(flow, event, step) for event in inside)
            return not (cleared or any(map(flow.may_update, inside)) or _starts_anew(flow, loop, step))
    return False


def _starts_anew(flow: Flow, loop: Loop, step: Event) -> bool:
    """Whether each turn of the loop makes the optimizer, or the tensor that is updated by hand, so that its gradients are new, too."""
    if step.on is not None:
        return any(loop in flow.script.ancestors(made) for made in flow.script.origins(step.on))
    names = {n.id for n in ast.walk(step.node) if isinstance(n, ast.Name)}
    return any(text(target) in names for n in ast.walk(loop) if isinstance(n, ast.Assign) for target in n.targets)


def _may_clear(flow: Flow, clear: Event, step: Event) -> bool:
    """Whether a clearing may reach the parameters that are stepped: all may but that of another optimizer."""
    if clear.on is None or step.on is None or not flow.is_optimizer(clear.on):
        return True
    return flow.same(clear.on, step.on)
