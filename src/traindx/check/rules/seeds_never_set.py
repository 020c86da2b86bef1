"""No seed is set anywhere, so no two runs are alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import LIBRARIES, Flow, Kind
from traindx.check.script import Script


class SeedsNeverSet:
    """Fires once on a script that trains, names no seed at all, and calls no function of another file that might set one."""

    code = "TDX502"
    name = "seeds-never-set"
    level = Level.NOTE
    summary = "No seed is set: no two runs are alike, and a difference between two recipes may be chance."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The first backward pass of the training."""
        if any("seed" in word for word in _names(script)) or any(_may_seed(script, node) for node in script.nodes):
            return
        flow = Flow.of_script(script)
        for event in flow.of(script.tree):
            steps = (e for e in flow.of(script.tree) if e.kind is Kind.STEP and e.on is not None and flow.is_optimizer(e.on))
            if event.kind is Kind.BACKWARD and event.loops and any(e.within(event.loops[-1]) for e in steps):
                yield Spot(event.node, "no seed is set, so no two runs are alike; call torch.manual_seed(...) before anything is random")
                return


def _names(script: Script) -> Iterator[str]:
    for node in script.nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.alias(name=name) | ast.arg(arg=name):
                yield name.lower()
            case ast.Constant(value=str(value)):
                yield value.lower()


def _may_seed(script: Script, node: ast.AST) -> bool:
    """Whether a call runs a function of another file; a class is taken to set no seed."""
    name = script.called(node)
    return bool(name) and name.partition(".")[0] not in LIBRARIES and not name.rpartition(".")[2][:1].isupper()
