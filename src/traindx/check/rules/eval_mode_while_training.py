"""After the first evaluation the model stays in evaluation mode, and trains on in it."""

from __future__ import annotations

from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Event, Flow, Kind, Path
from traindx.check.layers import has_no_modes
from traindx.check.script import Script


class EvalModeWhileTraining:
    """Fires where a loop trains a model and calls its `eval()`, and nothing in the loop calls `train()`."""

    code = "TDX402"
    name = "eval-mode-while-training"
    level = Level.ERROR
    summary = "eval() is called in the training loop and train() is not: from the second epoch on the model trains in evaluation mode."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The calls of eval() that are never undone."""
        flow = Flow.of_script(script)
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.EVAL and event.on is not None and _stays(flow, path, event):
                    yield Spot(
                        event.node,
                        "the model stays in evaluation mode for the rest of the training; call train() at the start of each epoch",
                    )


def _stays(flow: Flow, path: Path, eval_: Event) -> bool:
    if not eval_.loops or eval_.on is None:
        return False
    inside = [event for event in path if event.within(eval_.loops[0])]
    steps = [event.on for event in inside if event.kind is Kind.STEP and event.on is not None]
    trained = [model for optimizer in steps for model in flow.trains(optimizer) if flow.same(model, eval_.on)]
    if not trained or any(event.kind is Kind.TRAIN or flow.may_update(event) for event in inside):
        return False
    return not any(has_no_modes(flow.script, origin) for origin in flow.script.origins(eval_.on))
