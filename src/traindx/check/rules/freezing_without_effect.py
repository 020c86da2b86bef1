"""Parameters are frozen, or thawed, by an assignment that changes nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import is_model
from traindx.check.script import Script, text

MISSPELLED = frozenset({"require_grad", "requires_grads", "require_grads", "required_grad", "requires_gradient", "requires_grad_"})
OF_MODULES = frozenset({"children", "modules", "named_children", "named_modules"})


class FreezingWithoutEffect:
    """Fires on a misspelled ``requires_grad`` and on ``requires_grad = ...`` of a module, which only parameters obey."""

    code = "TDX304"
    name = "freezing-without-effect"
    level = Level.ERROR
    summary = "requires_grad is misspelled, or set on a module: no parameter is frozen or thawed."

    def spots(self, script: Script) -> Iterator[Spot]:
        """Such assignments."""
        for node in script.nodes:
            match node:
                case ast.Assign(targets=[ast.Attribute(value=owner, attr=attr)]) if attr in MISSPELLED:
                    yield Spot(node, f"there is no attribute {attr}; write {text(owner)}.requires_grad")
                case ast.Assign(targets=[ast.Attribute(value=owner, attr="requires_grad")], value=value) if _is_module(script, owner):
                    yield Spot(
                        node, f"{text(owner)} is a module, which has no such flag; write {text(owner)}.requires_grad_({text(value)})"
                    )


def _is_module(script: Script, owner: ast.expr) -> bool:
    if is_model(script, owner):
        return True
    return (
        isinstance(owner, ast.Name)
        and all(_walks_modules(b.value, owner.id) for b in script.reaching(owner))
        and bool(script.reaching(owner))
    )


def _walks_modules(binding: ast.AST, name: str) -> bool:
    """Whether a loop gives the name to one module after another."""
    match binding:
        case ast.For(target=target, iter=ast.Call(func=ast.Attribute(attr=method))) if method in OF_MODULES:
            item = target.elts[-1] if isinstance(target, ast.Tuple) and method.startswith("named") else target
            return isinstance(item, ast.Name) and item.id == name
    return False
