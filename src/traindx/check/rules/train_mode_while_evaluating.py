"""The model is evaluated with dropout active, or with the statistics of the batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow, Kind
from traindx.check.layers import has_modes
from traindx.check.script import LOOPS, Script


class TrainModeWhileEvaluating:
    """Fires where a model with dropout or batch normalization runs over batches without gradients in a script that trains and has no `eval()`.

    A sample drawn within the training loop, as of a generator, is no evaluation.
    """

    code = "TDX401"
    name = "train-mode-while-evaluating"
    level = Level.ERROR
    summary = "A model with dropout or batch normalization is evaluated without eval()."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The first call of the model in each evaluation."""
        flow = Flow.of_script(script)
        events = [event for path in flow.paths for event in path]
        if not any(event.kind is Kind.STEP for event in events) or _has_eval(script, flow):
            return
        training = {loop for event in events if event.kind is Kind.BACKWARD for loop in event.loops}
        seen = set[ast.AST]()
        for node in script.nodes:
            if isinstance(node, ast.Call) and all(has_modes(script, origin) for origin in script.origins(node.func)):
                loop = next((a for a in script.ancestors(node) if isinstance(a, LOOPS)), None)
                if loop is not None and loop not in seen | training and flow.without_gradients(node):
                    seen.add(loop)
                    yield Spot(
                        node, "dropout and batch normalization are in training mode here; call eval() before, and train() afterwards"
                    )


def _has_eval(script: Script, flow: Flow) -> bool:
    """Whether anything in the script may set the mode of evaluation."""
    if any(isinstance(node, ast.Attribute) and node.attr in ("eval", "training") for node in script.nodes):
        return True
    modes = (n for n in script.nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "train" and n.args)
    return any(True for _ in modes) or any(flow.may_update(e) for path in flow.paths for e in path)
