"""The loss is negated, so that training makes it larger."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow
from traindx.check.layers import loss_of
from traindx.check.script import Script, keyword

MINIMIZED = frozenset(
    {"cross-entropy", "negative log-likelihood", "binary cross-entropy", "binary cross-entropy of logits", "squared error"}
)


class LossSignFlipped:
    """Fires where backward runs on the negative of one of PyTorch's losses and the script's one optimizer minimizes it.

    Silent where there are several optimizers, as an adversary rightly makes a loss larger.
    """

    code = "TDX111"
    name = "loss-sign-flipped"
    level = Level.ERROR
    summary = "The loss is negated before backward(): training makes it larger."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The backward passes on negated losses."""
        flow = Flow.of_script(script)
        if len(flow.optimizers) != 1 or not flow.trains(flow.optimizers[0]) or keyword(flow.optimizers[0], "maximize") is not None:
            return
        for node in script.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=loss, attr="backward")):
                    if all(_is_negated(script, origin) for origin in script.origins(loss)):
                        yield Spot(node, "the loss is negated, so training makes it larger; remove the minus sign")


def _is_negated(script: Script, value: ast.AST) -> bool:
    match value:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return all(isinstance(origin, ast.Call) and loss_of(script, origin) in MINIMIZED for origin in script.origins(inner))
    return False
