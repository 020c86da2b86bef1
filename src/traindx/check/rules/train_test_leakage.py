"""What is learned from, or scaled by, holds the rows of the test."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.naming import last_name, of_test, of_training
from traindx.check.rules.data_not_shuffled import LOADERS
from traindx.check.script import Script, keyword, text

FITTED = frozenset(
    f"sklearn.{name}"
    for name in (
        "preprocessing.StandardScaler",
        "preprocessing.MinMaxScaler",
        "preprocessing.MaxAbsScaler",
        "preprocessing.RobustScaler",
        "preprocessing.QuantileTransformer",
        "preprocessing.PowerTransformer",
        "decomposition.PCA",
        "impute.SimpleImputer",
    )
)
SPLIT = "sklearn.model_selection.train_test_split"


class TrainTestLeakage:
    """Fires where a test set is made of the training data, and where a scaler is fitted to all rows before they are split."""

    code = "TDX505"
    name = "train-test-leakage"
    level = Level.WARNING
    summary = "The test set is the training data, or a scaler was fitted to it before the split."

    def spots(self, script: Script) -> Iterator[Spot]:
        """Where the leak is."""
        for node in script.nodes:
            match node:
                case ast.Assign(targets=[target], value=ast.Call() as made) if of_test(last_name(target)) and _is_of_training(script, made):
                    yield Spot(node, f"{text(target)} is made of the training data; make it of the test set")
                case ast.Call(args=[data, *_]) if script.called(node) == SPLIT and _is_fitted(script, data):
                    yield Spot(
                        node, f"{text(data)} was transformed by what was fitted to all its rows; split first, then fit to the training part"
                    )


def _is_of_training(script: Script, made: ast.Call) -> bool:
    name = script.called(made)
    if name.startswith("torchvision.datasets."):
        return text(keyword(made, "train")) == "True" or text(keyword(made, "split")) == "'train'"
    return name in LOADERS and of_training(last_name(keyword(made, "dataset", 0)))


def _is_fitted(script: Script, data: ast.expr) -> bool:
    def fits(origin: ast.AST) -> bool:
        match origin:
            case ast.Call(func=ast.Attribute(value=scaler, attr="fit_transform")):
                return all(script.called(made) in FITTED for made in script.origins(scaler))
        return False

    return all(map(fits, script.origins(data)))
