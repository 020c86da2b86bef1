"""The model changes after the optimizer was given its parameters, so the new ones never learn."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow, Kind, models_in
from traindx.check.layers import learns, makes_model
from traindx.check.script import Script, text


class ParametersNotInOptimizer:
    """Fires where, in one block, an optimizer is made of ``model.parameters()``, then a layer or the model is replaced, then the optimizer used."""

    code = "TDX301"
    name = "parameters-not-in-optimizer"
    level = Level.ERROR
    summary = "A layer or the model is replaced after the optimizer was made: the new parameters never learn."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The replacements."""
        flow = Flow.of_script(script)
        for made in flow.optimizers:
            statement = script.statement(made)
            match statement:
                case ast.Assign(targets=[ast.Name() as optimizer], value=value) if value is made:
                    block = script.block(statement)
                    after = block[block.index(statement) + 1 :]
                    for model in models_in(made):
                        yield from _replaced(flow, optimizer.id, text(model), after)


def _replaced(flow: Flow, optimizer: str, model: str, after: list[ast.stmt]) -> Iterator[Spot]:
    for index, statement in enumerate(after):
        if isinstance(statement, ast.Assign) and any(text(target) == optimizer for target in statement.targets):
            return
        if _replaces(flow.script, statement, model) and _is_used_stale(flow, optimizer, model, after[index + 1 :]):
            target = text(statement.targets[0]) if isinstance(statement, ast.Assign) else model
            yield Spot(statement, f"{target} is replaced after {optimizer} was given its parameters; make the optimizer after this line")


def _replaces(script: Script, statement: ast.stmt, model: str) -> bool:
    """Whether a statement puts a new layer, or a new model made of nothing old, in the place of one."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value) if name == model:
            return makes_model(script, value) and not any(isinstance(n, ast.Name) and n.id == model for n in ast.walk(value))
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() as target], value=ast.Call() as value):
            return text(target).startswith((f"{model}.", f"{model}[")) and learns(script, value)
    return False


def _is_used_stale(flow: Flow, optimizer: str, model: str, after: list[ast.stmt]) -> bool:
    """Whether the old optimizer steps afterwards, before another takes its place or it is given the new parameters."""
    for statement in after:
        if isinstance(statement, ast.Assign) and any(text(target) == optimizer for target in statement.targets):
            return False
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and (flow.makes_optimizer(node) or text(node.func).endswith(".add_param_group")):
                return False
        if any(event.kind is Kind.STEP or flow.may_update(event) for event in flow.within(statement)):
            return any(isinstance(node, ast.Name) and node.id == optimizer for node in ast.walk(statement))
    return False
