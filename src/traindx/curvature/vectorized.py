"""The loss of an objective at many points: in vectorized passes where the model allows it, else one by one.

The first points are evaluated both ways. A model that cannot be vectorized (recurrent layers, control flow that depends on values), or
whose vectorized losses differ by more than rounding, is visited point by point.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from traindx.curvature.graph import saved_bytes
from traindx.curvature.lending import Copies, lent
from traindx.curvature.objective import Objective

# Memory that the points of one vectorized pass may take, weights and activations together. On a CPU, what its caches hold is fastest: for
# networks of 300 to 26,000 parameters 16 MiB took 0.15 to 0.8 of the time of single passes, 256 MiB up to twice that time.
CPU_CHUNK_BYTES, DEVICE_CHUNK_BYTES = 2**24, 2**28
# Vectorized and single losses differ by rounding: by less than this share in float32, for sums over thousands of terms.
AGREEMENT = 1e-4


def loss_at(objective: Objective, point: Tensor) -> float:
    """The loss at a point (P,), infinity for what is not finite; the parameters stay where they are. Cost: a forward pass."""
    with objective.at(point):
        loss = objective.loss()
    return loss if math.isfinite(loss) else math.inf


def losses_at(objective: Objective, points: Iterable[Tensor], chunk_bytes: int | None = None) -> list[float]:
    """The loss at each point; the parameters stay where they are.

    Args:
        objective: The loss.
        points: (P,) each; they may be made one after the other, and only a chunk of them is held.
        chunk_bytes: Memory that the points of one vectorized pass may take; default: CPU_CHUNK_BYTES or DEVICE_CHUNK_BYTES.

    Returns:
        One loss a point, infinity for what is not finite. Cost: a forward pass a point, less where vectorized passes are faster.

    """
    passes = _Passes(objective, chunk_bytes)
    found: list[float] = []
    chunk: list[Tensor] = []
    for point in points:
        chunk.append(point)
        if len(chunk) == passes.room:
            found += passes.losses(chunk)
            chunk = []
    found += passes.losses(chunk) if chunk else []
    return found


class _Passes:
    """Evaluates as many points at a time as there is room for; one by one where the model cannot be vectorized."""

    def __init__(self, objective: Objective, chunk_bytes: int | None) -> None:
        self._objective, self._vectorized = objective, _Vectorized(objective)
        if chunk_bytes is None:
            chunk_bytes = CPU_CHUNK_BYTES if objective.device.type == "cpu" else DEVICE_CHUNK_BYTES
        self.room = max(1, chunk_bytes // self._vectorized.bytes_a_point())
        self._trusted = False

    def losses(self, points: Sequence[Tensor]) -> list[float]:
        """One loss a point."""
        if self.room > 1 and len(points) > 1:
            if self._trusted:
                return self._vectorized.losses(torch.stack(list(points)))
            together = self._first(points)
            if together is not None:
                return together
        return [loss_at(self._objective, point) for point in points]

    def _first(self, points: Sequence[Tensor]) -> list[float] | None:
        """The first points both ways; None, from then on, where one by one is the only way."""
        try:
            together = self._vectorized.losses(torch.stack(list(points)))
        except (RuntimeError, NotImplementedError):  # vmap refuses so; an error of the model itself shows again, point by point
            together = []
        truth = [loss_at(self._objective, point) for point in (points[0], points[-1])] if together else []
        ends = zip((together[0], together[-1]), truth, strict=True) if together else ()
        self._trusted = bool(together) and all(_agree(a, b) for a, b in ends)
        if not self._trusted:
            self.room = 1
        return together if self._trusted else None


def _agree(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= AGREEMENT * (1 + abs(b))


class _Loss(nn.Module):
    """Model and loss as one module, so that its parameters can be given by name."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.model = objective.model
        self._parts = (objective._forward, objective._loss)

    def forward(self, batch: Any) -> Tensor:
        forward, loss = self._parts
        outputs, targets = forward(self.model, batch)
        return loss(outputs, targets).reshape(())


class _Vectorized:
    """Passes of a whole batch of points."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._weights: list[float] = []

    def bytes_a_point(self) -> int:
        """Weights, and what a graph of the largest batch would save: more than a pass without gradients holds at a time."""
        objective = self._objective
        copies = Copies(objective.model, objective.parameters)
        most = 0
        self._weights = []
        for index in range(len(objective._batches)):
            with torch.enable_grad():
                evaluated = objective._evaluate(index, copies)
            most = max(most, saved_bytes([evaluated.loss], copies.leaves))
            self._weights.append(evaluated.weight)
        return most + objective.size * objective.flat().element_size()

    def losses(self, points: Tensor) -> list[float]:
        """(n, P) -> n losses."""
        objective = self._objective
        copies, whole = Copies(objective.model, []), _Loss(objective)
        stacked = _named(objective, points)
        total = torch.zeros(len(points), dtype=torch.float64, device=objective.device)
        for index, weight in enumerate(self._weights):
            batch = tree_map(objective._on_device, objective._batches[index])

            def loss(named: dict[str, Tensor], batch: Any = batch) -> Tensor:
                found: Tensor = functional_call(whole, named, (batch,))
                return found

            with torch.no_grad(), torch.inference_mode(False), lent(objective.model, copies, objective.training, objective.seed + index):
                total += weight * vmap(loss, randomness="same")(stacked).double()
        means = (total / objective._divisor(self._weights)).tolist()
        return [mean if math.isfinite(mean) else math.inf for mean in means]


def _named(objective: Objective, points: Tensor) -> dict[str, Tensor]:
    """(n, P) -> (n, ...) by the name of the parameter."""
    pieces = points.split([p.numel() for p in objective.parameters], dim=1)
    return {
        f"model.{name}": piece.reshape(-1, *p.shape).to(p.device, p.dtype)
        for name, piece, p in zip(objective.names, pieces, objective.parameters, strict=True)
    }
