"""The best epoch, or the learning rate, is chosen by the test set."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow
from traindx.check.naming import last_name, of_test, words
from traindx.check.script import FUNCTIONS, Item, Script, text

KEEPING = frozenset({"save", "state_dict", "deepcopy", "save_checkpoint", "save_model"})


class TestSetUsedForSelection:
    """Fires where a test score is compared with the best one to keep the weights, lowers the learning rate, or stops the training."""

    code = "TDX405"
    name = "test-set-used-for-selection"
    level = Level.WARNING
    summary = "The test set chooses the weights or the learning rate: its score is no longer one on unseen data."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The choices."""
        flow = Flow.of_script(script)
        for node in script.nodes:
            match node:
                case ast.If(test=ast.Compare(left=left, comparators=[right])) if _keeps(node.body):
                    for score, best in ((left, right), (right, left)):
                        if "best" in words(last_name(best)) and _is_of_test(script, score):
                            yield Spot(node, "the test set chooses the weights that are kept; choose by a validation set")
                case ast.Call(func=ast.Attribute(value=scheduler, attr="step"), args=[score, *_]) if flow.is_scheduler(scheduler):
                    if _is_of_test(script, score):
                        yield Spot(node, "the test set steers the learning rate; hand over a validation loss")
                case ast.Call(args=[score, *_]) if "stopping" in text(node.func).lower() and _is_of_test(script, score):
                    yield Spot(node, "the test set ends the training; hand over a validation loss")


def _keeps(body: list[ast.stmt]) -> bool:
    calls = (n for statement in body for n in ast.walk(statement) if isinstance(n, ast.Call))
    return any(text(call.func).rpartition(".")[2] in KEEPING for call in calls)


def _is_of_test(script: Script, score: ast.expr) -> bool:
    """Whether a score is named after the test set, or computed on it."""
    if of_test(last_name(score)):
        return True
    if not isinstance(score, ast.Name):
        return False
    values = [b.value for b in script.reaching(score)]
    return bool(values) and all(_is_computed_on_test(script, value, score) for value in values)


def _is_computed_on_test(script: Script, value: ast.AST, score: ast.Name) -> bool:
    value = value.value if isinstance(value, Item) else value
    if isinstance(value, ast.Call):
        given = [last_name(a) for a in [*value.args, *(k.value for k in value.keywords)]]
        if any(map(of_test, given)):
            return not any("val" in word for name in given for word in words(name))
    # A function that runs over the test loader and no other.
    function = script.function(score)
    if not isinstance(value, ast.BinOp | ast.Call) or not isinstance(function, FUNCTIONS):
        return False
    loaders = [name for loop in ast.walk(function) if isinstance(loop, ast.For) for name in _loaders(loop.iter)]
    return bool(loaders) and all(map(of_test, loaders))


def _loaders(iterated: ast.expr) -> list[str]:
    """The names of the loaders that a loop runs over, ``enumerate`` and progress bars aside."""
    names = [last_name(n) for n in ast.walk(iterated) if isinstance(n, ast.Name | ast.Attribute)]
    return [name for name in names if any(word.endswith(("loader", "dataloader", "dl", "iter", "iterator")) for word in words(name))]
