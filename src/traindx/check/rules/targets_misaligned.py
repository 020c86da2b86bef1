"""Inputs and targets are shuffled apart, so that no input keeps its target."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from traindx.check.base import Level, Spot
from traindx.check.naming import INPUTS, TARGETS, last_name
from traindx.check.script import Script

SHUFFLES = frozenset({"numpy.random.shuffle", "random.shuffle"})
PERMUTATIONS = frozenset({"torch.randperm", "numpy.random.permutation"})


class TargetsMisaligned:
    """Fires where two successive lines shuffle inputs and targets, each in an order of its own."""

    code = "TDX503"
    name = "targets-misaligned"
    level = Level.ERROR
    summary = "Inputs and targets are shuffled separately: no input keeps its target."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The second of the two lines."""
        for block in script.blocks():
            for first, second in pairwise(block):
                one, other = _shuffled(script, first), _shuffled(script, second)
                if (INPUTS.fullmatch(one) and TARGETS.fullmatch(other)) or (TARGETS.fullmatch(one) and INPUTS.fullmatch(other)):
                    yield Spot(second, f"{one} and {other} are shuffled in two different orders; draw one permutation and use it for both")


def _shuffled(script: Script, statement: ast.stmt) -> str:
    """The name of what a statement shuffles in an order that it draws itself."""
    match statement:
        case ast.Expr(value=ast.Call(args=[data]) as call) if script.called(call) in SHUFFLES:
            return last_name(data)
        case ast.Assign(targets=[_], value=ast.Subscript(value=data, slice=ast.Call() as order)) if script.called(order) in PERMUTATIONS:
            return last_name(data)
        case ast.Assign(targets=[_], value=ast.Call(args=[data]) as call) if script.called(call) == "numpy.random.permutation":
            return last_name(data)
    return ""
