"""Gradients are computed and cleared again, and nothing moves the parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow, Kind, models_in
from traindx.check.script import Script

HARMLESS = frozenset({"zero_grad", "param_groups", "state_dict", "load_state_dict", "add_param_group", "defaults", "state"})
"""What may be asked of an optimizer without the parameters moving."""


class MissingOptimizerStep:
    """Fires where the gradients of an optimizer are cleared in a loop that runs backward, and that optimizer never steps."""

    code = "TDX103"
    name = "missing-optimizer-step"
    level = Level.ERROR
    summary = "A loop runs backward and clears the gradients, and never steps the optimizer: the parameters stay as they are."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The clearings of optimizers that never step."""
        flow = Flow.of_script(script)
        idle = [made for made in flow.optimizers if _is_idle(script, made)]
        for path in flow.paths:
            for event in path:
                if (
                    event.kind is Kind.CLEAR
                    and event.on is not None
                    and event.loops
                    and any(_clears(flow, event.on, made) for made in idle)
                ):
                    inside = [other for other in path if other.within(event.loops[-1])]
                    if any(other.kind is Kind.BACKWARD for other in inside) and not any(map(flow.may_update, inside)):
                        yield Spot(
                            event.node, "this optimizer never steps, so the parameters stay as they are; call step() after backward()"
                        )


def _clears(flow: Flow, cleared: ast.expr, optimizer: ast.Call) -> bool:
    """Whether ``cleared.zero_grad()`` clears what the optimizer would step: it is the optimizer, or the model that it was given."""
    return optimizer in flow.script.origins(cleared) or any(flow.same(cleared, model) for model in models_in(optimizer))


def _is_idle(script: Script, made: ast.Call) -> bool:
    """Whether every use of an optimizer is in sight and none steps it."""
    uses = [node for node in script.nodes if isinstance(node, ast.Name | ast.Attribute) and _is_read(node) and made in script.origins(node)]
    return isinstance(script.parents[made], ast.Assign | ast.Return | ast.Tuple) and all(_is_harmless(script, use) for use in [made, *uses])


def _is_read(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)


def _is_harmless(script: Script, use: ast.AST) -> bool:
    """Whether a use asks nothing of the optimizer, or hands it to a name whose uses are judged in turn."""
    around = script.parents[use]
    if isinstance(around, ast.Attribute):
        return around.attr in HARMLESS
    if isinstance(around, ast.keyword | ast.Tuple):
        around = script.parents[around]
    match around:
        case ast.Call():
            return script.called(around).startswith("torch.optim.lr_scheduler.") or script.runs(around) is not None
        case ast.Return():
            return bool(script.calls.get(script.scope(around)))
        case ast.Assign(targets=[target]):
            return all(_is_followed(script, name) for name in (target.elts if isinstance(target, ast.Tuple) else [target]))
    return False


def _is_followed(script: Script, target: ast.expr) -> bool:
    """Whether all reads of a variable are seen: it is a name, or an attribute that is asked of ``self`` alone."""
    if not isinstance(target, ast.Attribute):
        return isinstance(target, ast.Name)
    same = [n for n in script.nodes if isinstance(n, ast.Attribute) and n.attr == target.attr]
    return all(isinstance(n.value, ast.Name) and n.value.id == "self" for n in same)
