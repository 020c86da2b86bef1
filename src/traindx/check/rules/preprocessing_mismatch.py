"""The test set is scaled by its own statistics instead of those of the training set."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.naming import last_name, of_evaluation
from traindx.check.script import Script, text

STATISTICS = frozenset({"mean", "min", "median"})


class PreprocessingMismatch:
    """Fires on ``scaler.fit_transform(X_test)`` with a transformer of scikit-learn, and on ``X_test - X_test.mean()``."""

    code = "TDX504"
    name = "preprocessing-mismatch"
    level = Level.ERROR
    summary = "The test set is scaled by its own statistics: equal inputs no longer have equal values."

    def spots(self, script: Script) -> Iterator[Spot]:
        """Where the test set is measured."""
        for node in script.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=scaler, attr="fit_transform" | "fit"), args=[data, *_]) if _is_held_out(data):
                    if all(
                        script.called(origin).startswith(("sklearn.preprocessing.", "sklearn.decomposition."))
                        for origin in script.origins(scaler)
                    ):
                        yield Spot(
                            node, f"{text(scaler)} is fitted to {text(data)}; fit it to the training set and only transform this one"
                        )
                case ast.BinOp(left=data, op=ast.Sub(), right=ast.Call() as call) if _is_held_out(data) and _is_statistic(
                    script, call, data
                ):
                    yield Spot(node, f"{text(data)} is centred by its own statistics; use those of the training set")


def _is_held_out(data: ast.expr) -> bool:
    return isinstance(data, ast.Name | ast.Attribute) and of_evaluation(last_name(data))


def _is_statistic(script: Script, call: ast.Call, data: ast.expr) -> bool:
    """``data.mean(...)`` or ``np.mean(data, ...)``; statistics of each row (``keepdim``, axis 1 or -1) are its own by right."""
    if any(k.arg in ("keepdim", "keepdims") for k in call.keywords) or any(
        text(a) in ("1", "-1") for a in [*call.args, *(k.value for k in call.keywords)]
    ):
        return False
    match call:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in STATISTICS:
            return text(owner) == text(data) or (bool(script.called(call)) and bool(call.args) and text(call.args[0]) == text(data))
    return False
