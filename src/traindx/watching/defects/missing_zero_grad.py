"""Gradients of earlier updates are still there when the next backward pass adds to them."""

from __future__ import annotations

from torch import Tensor, nn

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop, is_zero
from traindx.watching.places import Place, users_line


class MissingZeroGrad(Detector):
    """Seen in the gradient itself: the tensor that one update used is the one that the next update uses, and nothing but additions has changed
    it in between (every in-place change counts up a tensor's version).

    Accumulation adds before the update, not after. What another loss adds after the update, as a generator's does to its critic, may still
    be cleared before the next one: so a used gradient must have been added to and then used again.
    """

    cause = "missing-zero-grad"
    in_rows = True
    settles = "call optimizer.zero_grad() once an update, before the backward pass"

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[Tensor, int] | None = None  # the gradient and its version, after the last addition or update
        self._weights = -1  # their version then: it shows updates that no optimizer makes
        self._used = False
        self._stale_since: Place | None = None
        self._stale = False
        self._was_empty: bool | None = None
        self._of: nn.Parameter | None = None

    def accumulated(self, loop: Loop) -> None:
        """Is it the same gradient, one addition later?"""
        witness = loop.witness
        if witness is None or witness.grad is None or self.held is not None:
            return
        if witness is not self._of:  # of several optimizers, each one's gradients are followed in turn
            self._of, self._last, self._used, self._was_empty = witness, None, False, None
        used = self._used or (not loop.updates and self._weights not in (-1, witness._version))
        if not self._only_added_to(witness.grad):
            self._stale = False
            self.saw_nothing()
        elif used:
            self._used_again(loop, witness)
        self._last, self._weights, self._used = (witness.grad, witness.grad._version), witness._version, False

    def _only_added_to(self, gradient: Tensor) -> bool:
        return self._last is not None and gradient is self._last[0] and gradient._version == self._last[1] + 1 and not self._was_empty

    def _used_again(self, loop: Loop, witness: nn.Parameter) -> None:
        if self._was_empty is None:  # emptied through .data it would look the same: from now on its content is looked at before additions
            self._was_empty = False
            loop.handles.append(witness.register_hook(loop.guard(lambda _: self._look_at_content(witness))))
        if self._stale:
            said = "the gradient that the update before had used was not cleared, and the backward pass added to it"
            self.saw(loop, said, loop.witness_name, place=self._stale_since)
        self._stale, self._stale_since = True, users_line()

    def _look_at_content(self, parameter: nn.Parameter) -> None:
        if parameter is self._of and (self._used or self._stale) and self.held is None:
            self._was_empty = parameter.grad is None or is_zero(parameter.grad)

    def updated(self, loop: Loop) -> None:
        """The gradient was used, and may have been clipped or unscaled before."""
        gradient = loop.witness.grad if loop.witness is not None else None
        if loop.stepped_witness:
            self._used = True
            self._last = None if gradient is None else (gradient, gradient._version)
