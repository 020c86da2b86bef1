"""Dropout as a function stays active in evaluation unless it is told the mode."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.script import Script, has_stars, keyword, text

DROPOUTS = frozenset(
    f"torch.nn.functional.{name}" for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
)


class DropoutAlwaysOn:
    """Fires on ``F.dropout(x)`` without ``training=`` in a module."""

    code = "TDX404"
    name = "dropout-always-on"
    level = Level.ERROR
    summary = "F.dropout without training= drops units in evaluation, too."

    def spots(self, script: Script) -> Iterator[Spot]:
        """Such calls."""
        for node in script.nodes:
            if (
                isinstance(node, ast.Call)
                and script.called(node) in DROPOUTS
                and not has_stars(node)
                and keyword(node, "training", 2) is None
            ):
                owner = script.class_of(node)
                if owner is not None and script.is_module(owner) and not _asks_the_mode(script, node):
                    yield Spot(node, f"{text(node.func)} is active in evaluation, too; give training=self.training, or use nn.Dropout")


def _asks_the_mode(script: Script, call: ast.Call) -> bool:
    return any(isinstance(around, ast.If | ast.IfExp) and "training" in text(around.test) for around in script.ancestors(call))
