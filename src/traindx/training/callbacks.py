"""The callback interface: all that training knows of whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from traindx.records import Curve
from traindx.tasks import Task


@dataclass(slots=True)
class TrainingState:
    """What a callback may look at. Live objects: read them, reduce on the device, keep numbers only."""

    task: Task
    model: nn.Module
    optimizer: Optimizer
    total_steps: int
    step: int = 0
    lr: float = 0.0
    loss: Tensor | None = None
    outputs: Any = None
    targets: Any = None


class Callback(Protocol):
    """Called by the training loop, each hook at its moment. A callback changes nothing that it is shown."""

    def start(self, state: TrainingState) -> None:
        """Before the first step."""

    def before_forward(self, state: TrainingState) -> None:
        """Before the forward passes of update ``state.step``."""

    def before_step(self, state: TrainingState) -> None:
        """Gradients are complete and not clipped."""

    def after_step(self, state: TrainingState) -> None:
        """The optimizer has stepped; ``state.step`` counts it not yet."""

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        """After the last step, also after an error: detach, and hand over what was observed."""
