"""An evaluation builds graphs that nobody runs backward."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow, Kind
from traindx.check.script import FUNCTIONS, LOOPS, Script, text


class GradientsWhileEvaluating:
    """Fires where a model is set to evaluation and then runs over batches, with gradients on in every way in which the script gets there."""

    code = "TDX403"
    name = "gradients-while-evaluating"
    level = Level.WARNING
    summary = "An evaluation runs without no_grad(): it takes the memory and the time of graphs that nobody needs."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The calls of the model in such loops."""
        flow = Flow.of_script(script)
        if any(_asks_for_gradients(node) for node in script.nodes):
            return
        for path in flow.paths:
            for event in path:
                if event.kind is Kind.EVAL and event.on is not None:
                    for call in _calls_after(script, event.node, text(event.on)):
                        if not flow.without_gradients(call) and _is_run(script, call):
                            yield Spot(call, "this evaluation builds graphs that nobody needs; put it under `with torch.no_grad():`")


def _asks_for_gradients(node: ast.AST) -> bool:
    """Whether gradients are switched, or used for more than a step, anywhere in the script."""
    match node:
        case ast.Attribute(attr="set_grad_enabled" | "requires_grad" | "grad") | ast.keyword(arg="requires_grad"):
            return True
    return False


def _calls_after(script: Script, evaluation: ast.AST, model: str) -> list[ast.Call]:
    """The calls of the model in a loop that follows `model.eval()` in its block, with no training in the loop."""
    statement = script.statement(evaluation)
    block = script.block(statement) if statement else []
    if not isinstance(statement, ast.stmt) or statement not in block:
        return []
    for following in block[block.index(statement) + 1 :]:
        code = text(following)
        if ".train()" in code or "backward" in code:
            return []
        if isinstance(following, LOOPS) and not isinstance(following.body[-1], ast.Break):
            calls = [n for n in ast.walk(following) if isinstance(n, ast.Call) and text(n.func) == model]
            return [call for call in calls if script.scope(call) is script.scope(following)][:1]
    return []


def _is_run(script: Script, call: ast.Call) -> bool:
    """Whether the script itself runs the call: outside functions, or in one that it calls."""
    function = script.function(call)
    return (
        function is None
        or bool(script.calls.get(function))
        or (isinstance(function, FUNCTIONS) and getattr(function, "name", "") == "main")
    )
