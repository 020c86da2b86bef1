"""Parameters receive gradients, and no optimizer holds them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from traindx.watching.defects.base import Detector
from traindx.watching.defects.frozen_parameters import is_fresh
from traindx.watching.loop import Loop

# The optimizers' parameters are compared with the model's at these updates, and again whenever an update is looked at in full.
UPDATES = (2, 3, 4)
# Later, parameters that begin to learn are counted at one followed report in so many.
COUNTED = 8


class ParametersNotInOptimizer(Detector):
    """Seen where a parameter of the model receives a gradient, is in no optimizer that is watched, and nothing else changes it.

    Often the optimizer was made before a layer was replaced: then it holds parameters that the model no longer has. Or a fresh layer stands in a
    plain list or dict, where neither the model nor the optimizer looks for it; or it was frozen when the optimizer was made, and is no more.
    """

    cause = "parameters-not-in-optimizer"
    lasting = True
    patient = True
    settles = "make the optimizer after the model is complete, from all parameters that are to learn"

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[str, int] = {}
        self._learn, self._reports, self._left = -1, 0, 0

    def updated(self, loop: Loop) -> None:
        """Who is held by whom?"""
        if self.held is None and (loop.updates in UPDATES or loop.looking):
            self._compare(loop, {**dict(loop.parameters), **_in_plain_lists(loop)})

    def reported(self, loop: Loop) -> None:
        """Do more parameters learn than before? Then a few reports are looked at; some loops have their gradients still."""
        self._reports += 1
        if self.held is not None or loop.looking:
            return
        if self._left:
            self._left -= 1
            self._compare(loop, dict(loop.parameters))
        elif self._reports % COUNTED == 0:
            before, self._learn = self._learn, sum(p.requires_grad for p in loop.module.parameters())
            self._left = self.needed + 1 if 0 <= before < self._learn else 0

    def _compare(self, loop: Loop, parameters: dict[str, nn.Parameter]) -> None:
        held = {id(p) for p in loop.optimized}
        left_out = {n: p for n, p in parameters.items() if p.requires_grad and id(p) not in held and p.grad is not None}
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


def _in_plain_lists(loop: Loop) -> dict[str, nn.Parameter]:
    """Parameters of fresh layers that stand in a list, tuple or dict of a module, where torch does not register them.

    What was trained before may stand there to be left alone: through a loss network gradients flow as well.
    """
    found: dict[str, nn.Parameter] = {}
    for name, module in loop.module.named_modules():
        for attribute, value in vars(module).items():
            if attribute.startswith("_"):  # torch's own, and what is hidden on purpose
                continue
            for place, layer in _items(value):
                if isinstance(layer, nn.Module) and layer.training and any(map(is_fresh, layer.modules())):
                    prefix = f"{name}.{attribute}[{place!r}]" if name else f"{attribute}[{place!r}]"
                    found |= {f"{prefix}.{n}": p for n, p in layer.named_parameters() if id(p) not in loop.names}
    return found


def _items(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()
