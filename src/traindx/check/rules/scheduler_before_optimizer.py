"""The scheduler steps before the optimizer, and the first value of the schedule is never used."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Path
from traindx.check.script import Script


class SchedulerBeforeOptimizer:
    """Fires where a scheduler of PyTorch steps in a loop, unconditionally, before the first optimizer step of that loop.

    PyTorch warns of it at run time since version 1.1.
    """

    code = "TDX305"
    name = "scheduler-before-optimizer"
    level = Level.WARNING
    summary = "scheduler.step() precedes optimizer.step(): the first value of the schedule is skipped."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The scheduler's steps in the wrong place."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.SCHEDULE and _is_first(flow, path, event):
                    yield Spot(
                        event.node, "the scheduler steps before the optimizer and skips its first value; call it after optimizer.step()"
                    )


def _is_first(flow: Flow, path: Path, event: Event) -> bool:
    call = event.node
    if not event.loops or event.on is None or not flow.is_scheduler(event.on) or flow.is_conditional(event):
        return False
    if not isinstance(call, ast.Call) or call.args or call.keywords:
        return False
    before = path[: path.index(event)]
    if any(e.kind is Kind.STEP or flow.may_update(e) for e in before):
        return False
    return any(e.kind is Kind.STEP and e.within(event.loops[-1]) for e in path[len(before) :])
