"""The cosine between the gradients of two successive updates: against each other when steps overshoot, alike when they are short."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from traindx.probes.base import Probe, total_norm
from traindx.training import TrainingState


class GradientCosine(Probe):
    """Records ``gradient_cosine`` at the update after each scheduled one. Cost: a copy of the gradients there."""

    name = "gradient_cosine"

    def __init__(self) -> None:
        super().__init__()
        self._previous: dict[str, Tensor] = {}

    def before_step(self, state: TrainingState) -> None:
        """Compare with the remembered gradients, or remember these. A parameter without one, as of a layer that was left out, has zero."""
        now = _by_name(state.model) if self._previous or self.is_due(state) else {}
        if self._previous and now:
            products = [gradient.flatten() @ self._previous[name].flatten() for name, gradient in now.items() if name in self._previous]
            dot = torch.stack(products).sum() if products else torch.zeros(())
            norms = total_norm(list(now.values())) * total_norm(list(self._previous.values()))
            self.record(state, dot / norms.clamp_min(1e-30))
        self._previous = {name: gradient.clone() for name, gradient in now.items()} if self.is_due(state) else {}


def _by_name(model: nn.Module) -> dict[str, Tensor]:
    """The gradients that are there, sparse ones left out."""
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None and not p.grad.is_sparse}
