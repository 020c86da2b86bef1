"""A schedule made for batches advances once an epoch, or one made for epochs with every batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Path
from traindx.check.script import Script, keyword, text


class SchedulerWrongRhythm:
    """Fires where the length in the schedule is plainly counted in batches, or in epochs, and its step stands in the other loop."""

    code = "TDX306"
    name = "scheduler-wrong-rhythm"
    level = Level.ERROR
    summary = "A schedule counted in batches steps once an epoch, or one counted in epochs with every batch."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The scheduler's steps in the wrong loop."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.SCHEDULE and event.on is not None and event.loops and not flow.is_conditional(event):
                    units = {_unit(script, origin) for origin in script.origins(event.on)}
                    if units == {"batch"} and _is_per_epoch(path, event):
                        yield Spot(
                            event.node, "this schedule is counted in batches and steps once an epoch; call it after every optimizer.step()"
                        )
                    if units == {"epoch"} and _is_per_batch(path, event):
                        yield Spot(
                            event.node, "this schedule is counted in epochs and steps with every batch; call it at the end of the epoch"
                        )


def _unit(script: Script, made: ast.AST) -> str:
    """What the length of a schedule counts; empty where it does not say."""
    name = script.called(made)
    if not isinstance(made, ast.Call) or not name.startswith("torch.optim.lr_scheduler."):
        return ""
    if name.endswith(".OneCycleLR"):
        return "batch" if keyword(made, "steps_per_epoch") is not None or "len(" in text(keyword(made, "total_steps")) else ""
    length = keyword(made, "T_max", 1) if name.endswith(".CosineAnnealingLR") else None
    if length is None:
        return ""
    if "len(" in text(length):
        return "batch"
    return "epoch" if isinstance(length, ast.Name | ast.Attribute) and text(length).lower().endswith("epochs") else ""


def _is_per_epoch(path: Path, event: Event) -> bool:
    """Whether the optimizer steps in a loop within the scheduler's, and nowhere beside it."""
    beside = [e for e in path if e.kind is Kind.STEP and e.within(event.loops[-1])]
    return bool(beside) and all(len(e.loops) > len(event.loops) for e in beside)


def _is_per_batch(path: Path, event: Event) -> bool:
    """Whether the optimizer steps in the very loop, which is within another, as that of the batches is within that of the epochs."""
    return len(event.loops) > 1 and any(e.kind is Kind.STEP and e.loops == event.loops for e in path)
