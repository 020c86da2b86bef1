"""The gradient norm of each weight, relative to the weight: how much signal reaches a layer."""

from __future__ import annotations

import torch

from traindx.probes.base import LAYER_OBSERVATIONS, Probe
from traindx.training import TrainingState


class LayerGradients(Probe):
    """Records ``layer_gradient/NAME``: root mean square of the gradient of each weight of two or more dimensions."""

    name = "layer_gradient"
    observations = LAYER_OBSERVATIONS

    def before_step(self, state: TrainingState) -> None:
        """Gradients are complete."""
        if not self.is_due(state):
            return
        for name, parameter in state.model.named_parameters():
            if parameter.ndim >= 2 and parameter.grad is not None and not parameter.grad.is_sparse:
                self.record(state, torch.linalg.vector_norm(parameter.grad) / parameter.numel() ** 0.5, name)
