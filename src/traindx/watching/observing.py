"""The probes of a diagnosis, driven from the hooks of a watch."""

from __future__ import annotations

from typing import Any

import torch

from traindx.probes import AveragedWeights, LayerActivations, LearningRate, Probe, StepTime, default_probes
from traindx.training import TrainingState
from traindx.watching.loop import Loop, is_transformed


class GuardedActivations(LayerActivations):
    """Its hooks run inside the user's forward passes: what goes wrong there must not stop them."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def _hook(self, state: TrainingState, name: str) -> Any:
        observe = super()._hook(state, name)

        def in_training(*args: Any) -> None:
            if torch.is_grad_enabled() and self._loop.model.training and not is_transformed():  # nor in an evaluation between two updates
                observe(*args)

        return self._loop.guard(in_training)

    def detach(self) -> None:
        """Take the hooks off."""
        self._detach()


def watching_probes(loop: Loop) -> list[Probe]:
    """One of every kind, each due whenever an update is looked at; inside a compiled model no hook is set, and nobody tells when an update
    begins, so that its seconds cannot be told. Nor when the last one has come: no weights are averaged. The rate is read at every update.
    """
    probes = [GuardedActivations(loop) if isinstance(p, LayerActivations) else p for p in default_probes()]
    left_out = (StepTime, AveragedWeights, LearningRate)
    probes = [p for p in probes if not isinstance(p, (*left_out, LayerActivations) if loop.compiled else left_out)]
    for probe in probes:
        probe.due = lambda step, total: loop.looking
    return probes
