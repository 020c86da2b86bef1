"""Gradients of earlier updates are still there when the next backward pass adds to them."""

from __future__ import annotations

from torch import Tensor, nn

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop


class MissingZeroGrad(Detector):
    """Seen in the gradient itself: the tensor that the last update used is the one that the next backward pass adds to, and nothing but that
    addition has changed it (every in-place change counts up a tensor's version). Gradient accumulation adds before the update, not after.
    """

    cause = "missing-zero-grad"
    settles = "call optimizer.zero_grad() once an update, before the backward pass"

    def __init__(self) -> None:
        super().__init__()
        self._used: tuple[Tensor, int] | None = None
        self._was_empty: bool | None = None

    def accumulated(self, loop: Loop) -> None:
        """The first backward pass since the update: is it the same gradient, one addition later?"""
        witness = loop.witness
        if self._used is None or witness is None:
            return
        (gradient, version), self._used = self._used, None
        if witness.grad is not gradient or gradient._version != version + 1:
            self.saw_nothing()
        elif self._was_empty is None:  # emptied through .data it would look the same: from now on its content is looked at before additions
            self._was_empty = True
            loop.handles.append(witness.register_hook(loop.guard(lambda _: self._look_at_content(witness))))
        elif not self._was_empty:
            self.saw(
                loop, "the gradient that the update before had used was not cleared, and the backward pass added to it", loop.witness_name
            )

    def updated(self, loop: Loop) -> None:
        """Remember the gradient that was used."""
        gradient = loop.witness.grad if loop.witness is not None else None
        self._used = None if gradient is None else (gradient, gradient._version)

    def _look_at_content(self, parameter: nn.Parameter) -> None:
        if self._used is not None and self.held is None:
            self._was_empty = parameter.grad is None or not bool((parameter.grad != 0).any())
