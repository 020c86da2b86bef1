"""The loss is climbed instead of descended."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from traindx.tasks import preserved_rng
from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop, number
from traindx.watching.losses import is_loss

# Two directions that agree to this cosine are one direction.
OPPOSITE = -0.9
# A negative loss is minus the one that was meant where they differ by this factor at most: something may have been added.
MINUS = 2.0
# A sign that was right at so many looks stays right.
SETTLED = 8
# torch's losses that are never negative for the targets they are made for.
_NEVER_NEGATIVE = (nn.CrossEntropyLoss, nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss)


class LossSignFlipped(Detector):
    """Seen where the gradient that arrives at the outputs points against that of the loss function, where a loss that cannot be negative is
    reported negative, or where the optimizer is told to maximize such a loss.
    """

    cause = "loss-sign-flipped"
    needed = 2
    settles = "minimize the loss: no minus in front of it, and maximize=False"

    def __init__(self) -> None:
        super().__init__()
        self._arrived: list[Tensor] = []
        self._right = 0

    def forwarded(self, loop: Loop) -> None:
        """Ask for the gradient at the outputs."""
        outputs = loop.forward.outputs if loop.forward else None
        if loop.looking and self._right < SETTLED and self.held is None and isinstance(outputs, Tensor) and outputs.requires_grad:
            self._arrived = []
            outputs.register_hook(loop.guard(lambda gradient: self._arrived.append(gradient.detach())))

    def reported(self, loop: Loop) -> None:
        """Compare directions, or at least signs."""
        if not loop.looking or self._right >= SETTLED or self.held is not None or loop.loss_fn is None:
            return
        bounded = is_loss(loop.loss_fn, *_NEVER_NEGATIVE)
        if bounded and any(group.get("maximize") for optimizer in loop.optimizers for group in optimizer.param_groups):
            self.saw(loop, "the optimizer maximizes a loss that is to be minimized", place=loop.place)
        elif bounded and loop.loss is not None and (reported := number(loop.loss)) < 0 and _is_minus(loop, reported):
            self.saw(loop, f"{_name(loop.loss_fn)} is never negative, and {reported:.3g} was reported", place=loop.place)
        elif self._arrived and (cosine := _cosine(loop, self._arrived[0])) < OPPOSITE:
            self.saw(loop, f"the gradient at the outputs points up the loss (cosine {cosine:.2f})", value=cosine, place=loop.place)
        else:
            self._right += 1
            self.saw_nothing()
        self._arrived = []


def _is_minus(loop: Loop, reported: float) -> bool:
    """Whether what was reported is about minus the loss, and not a sum in which a bonus is larger; unknown outputs count as such."""
    if not isinstance(loop.outputs, Tensor) or loop.targets is None:
        return True
    with preserved_rng(), torch.no_grad():
        value = float(loop.loss_fn(loop.outputs, loop.targets).mean())
    return -MINUS * value <= reported <= -value / MINUS


def _name(loss_fn: Any) -> str:
    return getattr(loss_fn, "__name__", type(loss_fn).__name__)


def _cosine(loop: Loop, arrived: Tensor) -> float:
    """Between the gradient that arrived at the outputs and that of the loss function there; 0 where it cannot be known."""
    outputs: Any = loop.outputs
    if not isinstance(outputs, Tensor) or outputs.shape != arrived.shape or loop.targets is None:
        return 0.0
    with preserved_rng(), torch.enable_grad():
        leaf = outputs.detach().float().requires_grad_()
        (down,) = torch.autograd.grad(loop.loss_fn(leaf, loop.targets).mean(), leaf)
    return float(torch.nn.functional.cosine_similarity(down.flatten(), arrived.float().flatten(), dim=0))
