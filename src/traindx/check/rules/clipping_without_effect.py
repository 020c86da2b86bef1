"""Gradients are clipped when it is too late, or too early, to matter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Path
from traindx.check.script import Script

DEEDS = (Kind.BACKWARD, Kind.STEP, Kind.CLEAR)


class ClippingWithoutEffect:
    """Fires where, in the order of the loop, a clipping is followed by `zero_grad` before any step, or stands between `zero_grad` and backward."""

    code = "TDX108"
    name = "clipping-without-effect"
    level = Level.ERROR
    summary = "Gradients are clipped after the step or before backward(): the step itself is not clipped."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The clippings in the wrong place."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.CLIP and event.loops:
                    message = _misplaced(flow, path, event)
                    if message:
                        yield Spot(event.node, message)


def _misplaced(flow: Flow, path: Path, clip: Event) -> str:
    inside = [event for event in path if event.within(clip.loops[-1])]
    if any(map(flow.may_update, inside)) or not {*DEEDS} <= {event.kind for event in inside}:
        return ""
    certain = [event for event in inside if event.kind is not Kind.CLEAR or _is_as_certain(flow.script, event, clip)]
    around = [event.kind for event in [*certain[certain.index(clip) + 1 :], *certain[: certain.index(clip)]] if event.kind in DEEDS]
    if Kind.CLEAR not in around:
        return ""
    if around[0] is Kind.CLEAR and Kind.STEP in around:
        return "the gradients are clipped after the step, and cleared before the next one; clip between backward() and step()"
    if around[0] is Kind.BACKWARD and around[-1] is Kind.CLEAR:
        return "the gradients are clipped before backward() has computed them; clip between backward() and step()"
    return ""


def _is_as_certain(script: Script, clear: Event, clip: Event) -> bool:
    """Whether a clearing is under no condition but the clipping's own; one that skips a bad step clears in its place."""
    held = set(script.ancestors(clip.node))
    return all(around in held for around in script.ancestors(clear.node) if isinstance(around, ast.If | ast.ExceptHandler))
