"""The loss, or a gradient, is not a finite number."""

from __future__ import annotations

import cmath
import math

import torch
from torch import Tensor

from traindx.records import Branch
from traindx.watching import origin
from traindx.watching.defects.base import Detector
from traindx.watching.loop import Forward, Loop, number
from traindx.watching.places import Place

# On an accelerator, to read a number is to wait: finiteness is gathered there, and read once in so many updates.
READ_EVERY = 16


class NonFiniteLoss(Detector):
    """Seen in the gradient of the witness before every update, and in every reported loss. While the weights are still finite, the forward
    pass is computed once more to find the operation and the layer where the first such number arose.
    """

    cause = "non-finite-loss"
    needed = 1
    lasting = True
    patient = True
    of_the_loop = False
    settles = "run the batch again with the named operation kept within its domain (an epsilon, a clamp, a smaller rate)"

    def __init__(self) -> None:
        super().__init__()
        self._flag: Tensor | None = None
        self._gathered = 0
        self._fresh, self._backward = False, False
        self._sound = False  # whether the weights were finite before the update that has spoilt them
        self._origin: origin.Origin | None = None

    def updating(self, loop: Loop) -> None:
        """Gradients are complete, weights not yet changed."""
        gradient = loop.witness.grad if loop.witness is not None else None
        if gradient is None or loop.broken_gradient or self.held is not None:
            return
        if gradient.is_cpu:
            # The sum of halves is soon too large for a half. No wait: the number is here.
            total = gradient.sum(dtype=torch.float32) if gradient.dtype is torch.float16 else gradient.sum()
            if cmath.isfinite(total.item()) or loop.is_left_to_a_scaler:
                return
            loop.broken_gradient = self._fresh = True
            self._sound = not _broken_parameters(loop)
        elif not loop.is_left_to_a_scaler:
            bad = ~gradient.isfinite().all()
            self._flag = bad if self._flag is None else self._flag | bad
            self._gathered += 1
            if self._gathered >= READ_EVERY:
                self._read(loop)
        if self._fresh and loop.forward is not None and not loop.compiled:
            self._search(loop, loop.forward)

    def _read(self, loop: Loop) -> None:
        """What was gathered on the device."""
        if self._flag is not None:
            loop.broken_gradient = loop.broken_gradient or bool(self._flag)
        self._flag, self._gathered = None, 0

    def _search(self, loop: Loop, forward: Forward) -> None:
        """On the way to the outputs; where these are finite, on the way back from them."""
        args, kwargs = forward.args, forward.kwargs
        loop.broken_inputs = not origin.is_finite((args, kwargs))
        loop.paused = True
        try:
            self._origin = origin.in_model(loop.module, args, kwargs)
            self._backward = self._origin is None
            self._origin = self._origin or origin.on_the_way_back(loop.module, args, kwargs)
        finally:
            loop.paused = False

    def reported(self, loop: Loop) -> None:
        """Say it, with what is known of its origin."""
        if self.held is not None or not (loop.broken_gradient or loop.broken_loss):
            return
        loop.broken_inputs = loop.broken_inputs or not origin.is_finite(loop.targets)
        if loop.broken_inputs:
            return
        text, place = self._said(loop)
        self.saw(loop, text, self._origin.layer if self._origin else "", place=place)

    def ended(self, loop: Loop) -> None:
        """The last losses and gradients are read at the end."""
        self._read(loop)
        self.reported(loop)

    def _said(self, loop: Loop) -> tuple[str, Place | None]:
        what = "the loss" if loop.broken_loss or not _finite_loss(loop) else "a gradient"
        if self._origin is None and loop.loss_fn is not None and what == "the loss" and origin.is_finite(loop.outputs):
            self._origin = _in_loss(loop)
        if self._origin is not None:
            way = "the first NaN arose on the way back through" if self._backward else "the first such number arose in"
            return f"{what} is not finite: {way} {self._origin}{self._steep(loop)}", self._origin.place or loop.place
        said = f"{what} is not finite"
        broken = _broken_parameters(loop)
        if broken and not self._sound:
            said += f"; {len(broken)} parameters are no longer finite, {broken[0]} among them"
        elif isinstance(loop.loss, Tensor) and loop.loss.grad_fn is not None:
            names = origin.on_the_way(loop.loss, steep=what == "a gradient")
            said += f", although the weights of the model {'were' if broken else 'are'}" + (
                f"; on the way to the loss lie {', '.join(names[:4])}" if names else ""
            )
        return said, loop.place

    def _steep(self, loop: Loop) -> str:
        """Infinite slopes before the first NaN on the way back: infinity minus infinity is none."""
        in_graph = self._backward and isinstance(loop.loss, Tensor) and loop.loss.grad_fn is not None
        names = origin.on_the_way(loop.loss, steep=True) if in_graph and isinstance(loop.loss, Tensor) else []
        return f" (on the way there: {', '.join(names[:4])})" if names else ""


class NonFiniteData(Detector):
    """Seen in a batch behind a loss or a gradient that is not finite."""

    cause = "non-finite-data"
    branch = Branch.DATA
    needed = 1
    lasting = True
    patient = True
    of_the_loop = False
    settles = "impute or drop the rows with values that are not finite"

    def reported(self, loop: Loop) -> None:
        """Told by the search for the origin."""
        if loop.broken_inputs and self.held is None:
            self.saw(loop, "the batch holds numbers that are not finite", place=loop.place)

    def ended(self, loop: Loop) -> None:
        """Also where the training ended before its report."""
        self.reported(loop)


def _broken_parameters(loop: Loop) -> list[str]:
    return [name for name, p in loop.parameters if not bool(p.isfinite().all())]


def _finite_loss(loop: Loop) -> bool:
    return loop.loss is None or math.isfinite(number(loop.loss))


def _in_loss(loop: Loop) -> origin.Origin | None:
    outputs = loop.outputs.detach() if isinstance(loop.outputs, torch.Tensor) else loop.outputs
    return None if outputs is None or loop.targets is None else origin.in_loss(loop.loss_fn, outputs, loop.targets)
