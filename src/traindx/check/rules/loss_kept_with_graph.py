"""A running total or a list of losses holds tensors with their graphs, so memory grows with every batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow
from traindx.check.script import LOOPS, Script, text


class LossKeptWithGraph:
    """Fires where a loss that has just been run backward in the same loop is added to a total, or appended to a list, as a tensor."""

    code = "TDX107"
    name = "loss-kept-with-graph"
    level = Level.WARNING
    summary = "A loss is summed up or collected as a tensor and keeps the graph of every batch: memory grows."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The statements that keep it."""
        flow = Flow.of_script(script)
        for node in script.nodes:
            kept = _kept(node)
            if kept is not None and _is_run_backward(script, kept) and not flow.without_gradients(node):
                yield Spot(node, f"{kept.id} is kept with its graph here, and memory grows with every batch; keep {kept.id}.item()")


def _kept(node: ast.AST) -> ast.Name | None:
    """The name whose tensor a statement keeps: ``total += loss * n``, ``total = total + loss`` or ``losses.append(loss)``."""
    match node:
        case ast.AugAssign(op=ast.Add(), value=value):
            return _scaled(value)
        case ast.Assign(targets=[target], value=ast.BinOp(left=left, op=ast.Add(), right=right)) if text(target) == text(left):
            return _scaled(right)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[ast.Name() as value])):
            return value
    return None


def _scaled(value: ast.expr) -> ast.Name | None:
    match value:
        case ast.Name():
            return value
        case ast.BinOp(left=ast.Name() as name, op=ast.Mult() | ast.Div(), right=right) if (
            not isinstance(right, ast.Name) or right.id != name.id
        ):
            return name
    return None


def _is_run_backward(script: Script, kept: ast.Name) -> bool:
    """Whether the same value is run backward, once and for all, in the loop around: its graph is of no further use."""
    loop = next((a for a in script.ancestors(kept) if isinstance(a, LOOPS)), None)
    if loop is None:
        return False
    for node in ast.walk(loop):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name) as loss, attr="backward"), args=[], keywords=[]) if name == kept.id:
                return script.scope(loss) is script.scope(kept) and _defined_alike(script, loss, kept)
    return False


def _defined_alike(script: Script, one: ast.Name, other: ast.Name) -> bool:
    return [b.statement for b in script.reaching(one)] == [b.statement for b in script.reaching(other)]
