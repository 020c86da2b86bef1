"""A probe watches a run while it trains and records one quantity.

A probe is a training callback with a schedule. It reduces on the device, keeps scalar tensors, and moves them to the host once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from traindx.records import Curve
from traindx.training import TrainingState

# A full-gradient quantity is recorded at about this many steps a run, a per-layer one at about that many.
OBSERVATIONS, LAYER_OBSERVATIONS = 48, 12

Schedule = Callable[[int, int], bool]


def evenly(observations: int) -> Schedule:
    """(step, total steps) -> whether to record: the first steps and then evenly spaced ones, about ``observations`` in all."""
    return lambda step, total: step < 2 or step % max(1, -(-total // observations)) == 0


class Probe:
    """Base of all probes: does nothing at any moment, and hands over what `record` was given."""

    name: str = "probe"
    observations: int = OBSERVATIONS

    def __init__(self) -> None:
        self.due = evenly(self.observations)
        self._seen: dict[str, tuple[list[int], list[Tensor | float]]] = {}

    def start(self, state: TrainingState) -> None:
        """Before the first step."""

    def before_forward(self, state: TrainingState) -> None:
        """Before the forward pass."""

    def before_step(self, state: TrainingState) -> None:
        """Gradients are complete."""

    def after_step(self, state: TrainingState) -> None:
        """Parameters have changed."""

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        """Everything recorded, moved to the host in one piece a curve."""
        return {name: Curve(steps=tuple(steps), values=tuple(_on_host(values))) for name, (steps, values) in self._seen.items()}

    def is_due(self, state: TrainingState) -> bool:
        """Whether this update is recorded."""
        return self.due(state.step, state.total_steps)

    def record(self, state: TrainingState, value: Tensor | float, part: str = "") -> None:
        """Keep one number of this update; ``part`` names a layer."""
        steps, values = self._seen.setdefault(f"{self.name}/{part}" if part else self.name, ([], []))
        steps.append(state.step + 1)
        values.append(value.detach() if isinstance(value, Tensor) else value)


def _on_host(values: list[Tensor | float]) -> list[float]:
    if values and isinstance(values[0], Tensor):
        numbers: list[float] = torch.stack([torch.as_tensor(v).double().reshape(()) for v in values]).cpu().tolist()
        return numbers
    return [float(v) for v in values]


def gradients(model: nn.Module) -> list[Tensor]:
    """The gradients that are there, sparse ones left out."""
    return [p.grad for p in model.parameters() if p.grad is not None and not p.grad.is_sparse]


def total_norm(tensors: list[Tensor]) -> Tensor:
    """The Euclidean norm of all entries together, on the tensors' device."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors))) if tensors else torch.zeros(())
