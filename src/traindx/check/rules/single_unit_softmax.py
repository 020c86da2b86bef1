"""A softmax or a cross-entropy over one unit, which is 1, or 0, whatever the network computes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from traindx.check.base import Level, Spot
from traindx.check.layers import Outputs, losses, prediction, steps_of
from traindx.check.script import Script, keyword, text


class SingleUnitSoftmax:
    """Fires on a softmax over the last dimension of a linear layer with one unit, and on a cross-entropy of such a layer."""

    code = "TDX204"
    name = "single-unit-softmax"
    level = Level.ERROR
    summary = "A softmax over one unit is always 1, and its cross-entropy always 0: nothing is learned."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The softmax or the loss over one unit."""
        outputs = Outputs(script, through_reshapes=False)
        for call, loss in losses(script):
            given = prediction(call)
            if loss == "cross-entropy" and given is not None and all(_has_one_unit(script, end) for end in outputs.ends(given)):
                yield Spot(call, "cross-entropy over one unit is always 0; use BCEWithLogitsLoss, or a unit for each class")
        for node in script.nodes:
            if isinstance(node, ast.Call) and _is_over_one_unit(script, outputs, node):
                yield Spot(node, "a softmax over one unit is always 1; use a sigmoid, or a unit for each class")


def _is_over_one_unit(script: Script, outputs: Outputs, call: ast.Call) -> bool:
    name = script.called(call)
    if name == "torch.nn.Sequential":
        layers = steps_of(script, call)
        pairs = pairwise(layers)
        return any(_has_one_unit(script, a) and script.called(b) == "torch.nn.Softmax" and _is_last(_dimension(b)) for a, b in pairs)
    if name in ("torch.softmax", "torch.nn.functional.softmax") and _is_last(keyword(call, "dim", 1)):
        return all(_has_one_unit(script, end) for end in outputs.ends(call.args[0])) if call.args else False
    return False


def _dimension(softmax: ast.expr) -> ast.expr | None:
    return keyword(softmax, "dim", 0) if isinstance(softmax, ast.Call) else None


def _is_last(dimension: ast.expr | None) -> bool:
    # Dimension 1 may be that of time or of instances, where attention rightly weighs with one unit.
    return text(dimension) == "-1"


def _has_one_unit(script: Script, layer: ast.AST) -> bool:
    return isinstance(layer, ast.Call) and script.called(layer) == "torch.nn.Linear" and text(keyword(layer, "out_features", 1)) == "1"
