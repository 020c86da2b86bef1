"""A method is named and not called, or a context manager made and not entered: the line does nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import NO_GRADIENTS
from traindx.check.script import Script, text

METHODS = frozenset({"zero_grad", "backward", "step", "eval", "train"})


class NoEffect:
    """Fires on ``optimizer.step`` without parentheses and on ``torch.no_grad()`` outside a ``with``."""

    code = "TDX104"
    name = "no-effect"
    level = Level.ERROR
    summary = "A line that does nothing: a method without its parentheses, or no_grad() without a with."

    def spots(self, script: Script) -> Iterator[Spot]:
        """Such lines."""
        for node in script.nodes:
            match node:
                case ast.Expr(value=ast.Attribute(attr=method) as named) if method in METHODS:
                    yield Spot(node, f"{text(named)} is named and not called; add the parentheses")
                case ast.Expr(value=ast.Call() as call) if script.called(call) in NO_GRADIENTS:
                    yield Spot(node, f"{text(call)} switches nothing off by itself; write `with {text(call)}:`")
