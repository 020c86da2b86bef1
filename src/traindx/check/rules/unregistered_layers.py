"""Layers in a plain list or dictionary are no part of the module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import learns
from traindx.check.script import Script, text

REGISTERING = frozenset({"add_module", "register_module", "setattr"})


class UnregisteredLayers:
    """Fires where a module keeps layers with parameters in a list or dictionary that never enters an ``nn.ModuleList`` or the like."""

    code = "TDX302"
    name = "unregistered-layers"
    level = Level.ERROR
    summary = "Layers in a plain list are no part of the module: no optimizer, device or state_dict sees them."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The assignments and appends of such layers."""
        for owner in script.classes.values():
            if script.is_module(owner) and not _registers_otherwise(owner):
                for node in ast.walk(owner):
                    if isinstance(node, ast.stmt) and (kept := _kept(script, node)) and not _is_handed_over(script, kept):
                        yield Spot(node, f"the layers in {kept} are no part of the module; use nn.ModuleList or nn.ModuleDict")


def _kept(script: Script, statement: ast.stmt) -> str:
    """The ``self.NAME`` in which a statement keeps layers with parameters outside any module."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self")) as target], value=value):
            return text(target) if any(learns(script, layer) for layer in _elements(value)) else ""
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="self")) as target, attr="append"), args=[layer])
        ):
            is_list = all(isinstance(value, ast.List) for value in script.attribute(target)) and script.attribute(target)
            return text(target) if is_list and learns(script, layer) else ""
    return ""


def _elements(value: ast.expr) -> list[ast.expr]:
    match value:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.Dict(values=elements):
            return elements
        case ast.ListComp(elt=element):
            return [element]
        case ast.DictComp(value=element):
            return [element]
    return []


def _registers_otherwise(owner: ast.ClassDef) -> bool:
    return any(isinstance(n, ast.Call) and text(n.func).rpartition(".")[2] in REGISTERING for n in ast.walk(owner))


def _is_handed_over(script: Script, kept: str) -> bool:
    """Whether the list as a whole goes into a call, such as ``nn.Sequential(*self.layers)``, or its parameters are asked for."""
    name = kept.rpartition(".")[2]
    for node in script.nodes:
        if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Load):
            around = script.parents[node]
            if isinstance(around, ast.Starred | ast.keyword | ast.Return | ast.BinOp | ast.Assign):
                return True
            if (
                isinstance(around, ast.Call)
                and node in around.args
                and text(around.func) not in ("len", "enumerate", "zip", "range", "reversed", "iter")
            ):
                return True
            if not text(node).startswith("self.") or "parameters" in text(script.statement(node)):
                return True
    return False
