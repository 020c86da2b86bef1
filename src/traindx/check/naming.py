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


TEST = frozenset({"test", "tests", "testing", "testset", "testloader", "testdata"})
TRAINING = frozenset({"train", "training", "trainset", "trainloader", "traindata"})
VALIDATION = frozenset({"val", "valid", "validation", "valset", "valloader", "validset", "validloader", "dev", "eval", "evaluation"})


def of_test(name: str) -> bool:
    """Whether a name says that it belongs to the test set, and to no other."""
    return _is_of(name, TEST, TRAINING | VALIDATION)


def of_training(name: str) -> bool:
    """Whether a name says that it belongs to the training set, and to no other."""
    return _is_of(name, TRAINING, TEST | VALIDATION)


def of_evaluation(name: str) -> bool:
    """Whether a name says that it belongs to the test or the validation set."""
    return _is_of(name, TEST | VALIDATION, TRAINING)


def _is_of(name: str, one: frozenset[str], others: frozenset[str]) -> bool:
    found = set(words(name))
    return bool(found & one) and not found & others
