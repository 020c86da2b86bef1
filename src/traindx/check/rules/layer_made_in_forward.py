"""A layer is made in every forward pass, with new weights that no optimizer knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import learns
from traindx.check.script import Script, text


class LayerMadeInForward:
    """Fires where ``forward`` makes a layer with parameters and calls it at once, or keeps it in a variable that it only calls."""

    code = "TDX303"
    name = "layer-made-in-forward"
    level = Level.ERROR
    summary = "A layer with parameters is made in forward(): its weights are new in every pass and never learn."

    def spots(self, script: Script) -> Iterator[Spot]:
        """Where such layers are made."""
        for owner in script.classes.values():
            forward = next((n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name == "forward"), None)
            if forward is not None and script.is_module(owner):
                for node in ast.walk(forward):
                    if isinstance(node, ast.Call) and learns(script, node) and _is_only_called(script, forward, node):
                        yield Spot(node, f"{text(node.func)} is made anew in every forward pass and never learns; make it in __init__")


def _is_only_called(script: Script, forward: ast.FunctionDef, made: ast.Call) -> bool:
    around = script.parents[made]
    if isinstance(around, ast.Call):
        return around.func is made
    match around:
        case ast.Assign(targets=[ast.Name(id=name)]):
            uses = [n for n in ast.walk(forward) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
            return bool(uses) and all(isinstance(call := script.parents[use], ast.Call) and call.func is use for use in uses)
    return False
