"""What the mean of the late weights would lose, where the rate stays as it is: the noise floor of a constant rate.

Iterates under a constant rate wander around where they are heading; their mean is nearer to it (Polyak and Juditsky, SIAM J. Control Optim.
1992; Izmailov et al., UAI 2018). A decay of the rate would arrive there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from traindx.probes.base import Probe
from traindx.records import Curve
from traindx.training import TrainingState
from traindx.training.evaluation import evaluate

# The mean is over this share of the updates, the last ones, by at most so many looks at the weights.
WINDOW, LOOKS = 0.25, 64
# The mean of fewer is the weights themselves.
FEWEST = 4
# Rates that differ by more than this share are a schedule, and come to rest by themselves.
SAME_RATE = 0.01


class AveragedWeights(Probe):
    """Records ``averaged/train_loss`` and ``averaged/validation_loss`` once, after the last update.

    Cost: a copy of the weights, an update of it at up to LOOKS steps, and one evaluation. Nothing where the rate changes late, where the
    run does not reach its end, or in double precision.
    """

    name = "averaged"

    def __init__(self) -> None:
        super().__init__()
        self._mean: list[Tensor] = []
        self._looks, self._rates = 0, (0.0, 0.0)

    def is_due(self, state: TrainingState) -> bool:
        """Late, at most LOOKS times."""
        window = max(1, int(state.total_steps * WINDOW))
        return state.step >= state.total_steps - window and (state.total_steps - 1 - state.step) % max(1, -(-window // LOOKS)) == 0

    @torch.no_grad()
    def after_step(self, state: TrainingState) -> None:
        """The running mean of the weights, and of the statistics that belong to them."""
        if not self.is_due(state):
            return
        weights, self._looks = _floating(state.model), self._looks + 1
        if self._looks == 1:
            self._mean, self._rates = [w.detach().clone() for w in weights], (state.lr, state.lr)
        else:
            torch._foreach_lerp_(self._mean, weights, 1 / self._looks)
            self._rates = (min(self._rates[0], state.lr), max(self._rates[1], state.lr))

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        """The two losses."""
        constant = self._rates[1] - self._rates[0] <= SAME_RATE * self._rates[1]
        single = all(w.dtype != torch.float64 for w in self._mean)
        if self._looks >= FEWEST and constant and single and state.step + 1 >= state.total_steps:
            with _lent(state.model, self._mean):
                for name, rows in (("train_loss", state.task.train), ("validation_loss", state.task.validation)):
                    self.record(state, evaluate(state.task, state.model, rows, self._mean[0].device).loss, name)
        self._mean = []
        return super().finish(state)


def _floating(model: nn.Module) -> list[Tensor]:
    """Parameters and floating-point buffers, each once."""
    found = {id(t): t for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()}
    return list(found.values())


@contextmanager
def _lent(model: nn.Module, values: list[Tensor]) -> Iterator[None]:
    """The model with these weights for a while; its own come back, bit-equal."""
    weights = _floating(model)
    own = [w.detach().clone() for w in weights]
    try:
        _move(weights, values)
        yield
    finally:
        _move(weights, own)


def _move(weights: list[Tensor], values: list[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.data.copy_(value)
