"""Parameters receive gradients, and no optimizer holds them."""

from __future__ import annotations

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop

# The optimizers' parameters are compared with the model's at these updates, and again whenever an update is looked at in full.
UPDATES = (2, 3, 4)


class ParametersNotInOptimizer(Detector):
    """Seen where a parameter of the model receives a gradient, is in no optimizer that is watched, and nothing else changes it.

    Often the optimizer was made before a layer was replaced: then it holds parameters that the model no longer has.
    """

    cause = "parameters-not-in-optimizer"
    settles = "make the optimizer after the model is complete, from all parameters that are to learn"

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[str, int] = {}

    def updated(self, loop: Loop) -> None:
        """Who is held by whom?"""
        if (loop.updates not in UPDATES and not loop.looking) or self.held is not None:
            return
        held = {id(p) for p in loop.optimized}
        left_out = {n: p for n, p in loop.parameters if p.requires_grad and id(p) not in held and p.grad is not None}
        unchanged = [n for n, p in left_out.items() if self._versions.get(n) == p._version]
        self._versions = {n: p._version for n, p in left_out.items()}
        if not left_out:
            self.saw_nothing()
        elif unchanged:
            self.saw(loop, self._said(loop, unchanged), unchanged[0], len(unchanged))

    def _said(self, loop: Loop, names: list[str]) -> str:
        strangers = sum(id(p) not in loop.names for p in loop.optimized)
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        said = f"{listed} receive{'s' if len(names) == 1 else ''} gradients and no optimizer holds {'it' if len(names) == 1 else 'them'}"
        return said + (f"; it holds {strangers} parameters that the model does not have" if strangers else "")
