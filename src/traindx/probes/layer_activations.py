"""What each activation layer puts out: its spread, and the shares that are zero or pinned at a bound."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from traindx.probes.base import LAYER_OBSERVATIONS, Probe
from traindx.records import Curve
from traindx.training import TrainingState

# An output this close to a bound, as a share of the distance between the bounds, counts as pinned: the slope there is below a tenth of its top.
PINNED_SHARE = 0.025
_BOUNDS: dict[type[nn.Module], tuple[float, float]] = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.Hardtanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
}
_RECTIFIERS = (nn.ReLU, nn.ReLU6)


class LayerActivations(Probe):
    """Records ``activation/std/NAME`` for every leaf layer, ``activation/zero/NAME`` for rectifiers (share of units that are zero for the
    whole batch) and ``activation/pinned/NAME`` for bounded activations. Hooks are attached for recorded updates only.
    """

    name = "activation"
    observations = LAYER_OBSERVATIONS

    def __init__(self) -> None:
        super().__init__()
        self._hooks: list[RemovableHandle] = []

    def before_forward(self, state: TrainingState) -> None:
        """Attach the hooks, in place of those of a pass that no update followed."""
        self._detach()
        if self.is_due(state):
            leaves = [(n, m) for n, m in state.model.named_modules() if n and not any(m.children()) and not isinstance(m, nn.Dropout)]
            self._hooks = [module.register_forward_hook(self._hook(state, name)) for name, module in leaves]

    def before_step(self, state: TrainingState) -> None:
        """Detach them."""
        self._detach()

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        """Detach, also after an error."""
        self._detach()
        return super().finish(state)

    def _detach(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _hook(self, state: TrainingState, name: str) -> Any:
        def observe(module: nn.Module, _: Any, output: Any) -> None:
            if not isinstance(output, Tensor) or not output.is_floating_point() or output.ndim < 2:
                return
            values = output.detach()
            self.record(state, values.float().std(correction=0), f"std/{name}")
            if isinstance(module, _RECTIFIERS):
                self.record(state, _never_active(values), f"zero/{name}")
            if type(module) in _BOUNDS:
                low, high = _BOUNDS[type(module)]
                edge = PINNED_SHARE * (high - low)
                self.record(state, ((values < low + edge) | (values > high - edge)).float().mean(), f"pinned/{name}")

        return observe


def _never_active(values: Tensor) -> Tensor:
    """Share of units (features, or channels of (N, C, ...)) that are zero for every row of the batch."""
    dims = [0, *range(2, values.ndim)]
    return (values == 0).float().amin(dims).mean() if values.numel() else values.new_zeros(())
