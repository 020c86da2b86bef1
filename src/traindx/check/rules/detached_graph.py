"""The tensor on which backward is called has no graph that leads to the model."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.layers import loss_of, prediction, target
from traindx.check.script import LOOPS, Item, Script, text

CUTS = frozenset({"detach", "item", "numpy", "tolist", "argmax"})
NEW_TENSORS = frozenset({"torch.tensor", "torch.as_tensor", "torch.from_numpy", "torch.FloatTensor", "torch.Tensor", "torch.argmax"})


class DetachedGraph:
    """Fires where a loss is detached, rebuilt as a new tensor, or computed from detached outputs, and then run backward."""

    code = "TDX106"
    name = "detached-graph"
    level = Level.ERROR
    summary = "backward() runs on a tensor that was cut off from the model: no gradient reaches the parameters."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The backward passes on such tensors."""
        for node in script.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=loss, attr="backward")):
                    cuts = [_cut(script, origin) for origin in script.origins(loss)]
                    if all(cuts):
                        yield Spot(node, f"{cuts[0]} cuts the graph, so no gradient reaches the model; run backward on the loss itself")


def _cut(script: Script, value: ast.AST) -> str:
    """The code that cuts the graph of a value; empty where none does, or not for certain."""
    match value:
        case ast.Call(func=ast.Attribute(attr=method)) if method in CUTS and not script.called(value):
            return f".{method}()"
        case ast.Attribute(attr="data"):
            return ".data"
        case ast.Call() if script.called(value) in NEW_TENSORS:
            return f"{text(value.func)}(...)"
        case ast.Call() if loss_of(script, value):
            return _cut_loss(script, value)
    return ""


def _cut_loss(script: Script, call: ast.Call) -> str:
    """The cut of a loss's outputs, where the targets come from no model either."""
    given, wanted = prediction(call), target(call)
    if given is None or wanted is None:
        return ""
    cuts = [_cut(script, origin) for origin in script.origins(given)]
    from_data = all(_is_from_data(script, origin) or _cut(script, origin) for origin in script.origins(wanted))
    return cuts[0] if all(cuts) and from_data else ""


def _is_from_data(script: Script, origin: ast.AST) -> bool:
    """Whether a value is what a loop runs over, or a part of it."""
    if isinstance(origin, Item):
        return all(_is_from_data(script, inner) for inner in script.origins(origin.value))
    return isinstance(origin, LOOPS)
