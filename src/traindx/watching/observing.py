"""The probes of a diagnosis, driven from the hooks of a watch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traindx.probes import LayerActivations, Probe, default_probes
from traindx.training import TrainingState
from traindx.watching.loop import Loop


class _GuardedActivations(LayerActivations):
    """Its hooks run inside the user's forward pass: what goes wrong there must not stop it."""

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        super().__init__()
        self._fail = fail

    def _hook(self, state: TrainingState, name: str) -> Any:
        observe = super()._hook(state, name)

        def guarded(*args: Any) -> None:
            try:
                observe(*args)
            except Exception as error:
                self._fail(error)

        return guarded


def watching_probes(fail: Callable[[Exception], None], loop: Loop) -> list[Probe]:
    """One of every kind, each due whenever an update is looked at. Inside a compiled model no hook is set."""
    probes = [_GuardedActivations(fail) if isinstance(p, LayerActivations) else p for p in default_probes()]
    if loop.compiled:
        probes = [p for p in probes if not isinstance(p, LayerActivations)]
    for probe in probes:
        probe.due = lambda step, total: loop.looking
    return probes
