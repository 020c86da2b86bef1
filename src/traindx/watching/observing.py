"""The probes of a diagnosis, driven from the hooks of a watch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from traindx.probes import LayerActivations, Probe, StepTime, default_probes
from traindx.training import TrainingState
from traindx.watching.loop import Loop


class _GuardedActivations(LayerActivations):
    """Its hooks run inside the user's forward passes: what goes wrong there must not stop them."""

    def __init__(self, fail: Callable[[Exception], None], loop: Loop) -> None:
        super().__init__()
        self._fail, self._loop = fail, loop

    def _hook(self, state: TrainingState, name: str) -> Any:
        observe = super()._hook(state, name)

        def guarded(*args: Any) -> None:
            if not torch.is_grad_enabled() or not self._loop.model.training:
                return  # an evaluation between two updates
            try:
                observe(*args)
            except Exception as error:
                self._fail(error)

        return guarded


def watching_probes(fail: Callable[[Exception], None], loop: Loop) -> list[Probe]:
    """One of every kind, each due whenever an update is looked at; inside a compiled model no hook is set, and nobody tells when an update
    begins, so that its seconds cannot be told.
    """
    probes = [_GuardedActivations(fail, loop) if isinstance(p, LayerActivations) else p for p in default_probes()]
    left_out = (StepTime, LayerActivations) if loop.compiled else StepTime
    probes = [p for p in probes if not isinstance(p, left_out)]
    for probe in probes:
        probe.due = lambda step, total: loop.looking
    return probes
