"""What the names of variables say, where nothing else does."""

from __future__ import annotations

import ast
import re

TARGETS = re.compile(
    r"(y|ys|yb|y_?true|y_?train|y_?batch|batch_?y|labels?|targets?|classes|ground_?truth|gt)(_?(train|batch|data))?", re.IGNORECASE
)
INPUTS = re.compile(
    r"(x|xs|xb|x_?train|x_?batch|batch_?x|inputs?|images?|imgs?|features?|data|samples?)(_?(train|batch|data))?", re.IGNORECASE
)
PREDICTIONS = re.compile(
    r"(out|outs|outputs?|preds?|predictions?|predicted|logits?|scores?|y_?preds?|y_?hats?)(_?(train|batch))?", re.IGNORECASE
)


def words(name: str) -> list[str]:
    """``X_testLoader`` -> ``["x", "test", "loader"]``."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def last_name(node: ast.AST | None) -> str:
    """The name of a variable or of an attribute; empty for other expressions."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def of_test(name: str) -> bool:
    """Whether a name says that it belongs to the test set, and to no other."""
    found = words(name)
    return any(word.startswith("test") for word in found) and not any(word.startswith(("val", "dev", "train")) for word in found)


def of_training(name: str) -> bool:
    """Whether a name says that it belongs to the training set, and to no other."""
    found = words(name)
    return any(word.startswith("train") for word in found) and not any(word.startswith(("val", "dev", "test", "eval")) for word in found)


def of_evaluation(name: str) -> bool:
    """Whether a name says that it belongs to the test or the validation set."""
    found = words(name)
    return any(word.startswith(("test", "val")) for word in found) and not any(word.startswith("train") for word in found)
