"""Inputs meet targets that are not theirs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from traindx.watching.defects.base import LIKELY, Detector
from traindx.watching.loop import Loop

# Rows that are remembered, rows of a batch that are looked at, and numbers of a row that go into its key.
MOST_ROWS, ROWS_A_BATCH, NUMBERS = 8192, 64, 4096
# So many rows must be met again, and with another target this share of those that targets drawn by chance would give; after enough rows no
# more are looked at.
LEAST_MET, ENOUGH_MET, DIFFERENT_SHARE = 48, 512, 0.5
# The first batches are looked at in any case, later ones once in so many and as the budget allows: a look takes about a tenth of a millisecond.
FIRST_BATCHES, EVERY = 24, 8
# More than this share of equal rows with different targets within single batches: the data are ambiguous, and nothing can be said.
AMBIGUOUS_SHARE = 0.1


class TargetsMisaligned(Detector):
    """Seen where the same input row comes back, epochs later, with another target: inputs and targets are shuffled apart, or out of step.

    Rows that were augmented never come back, and then nothing is seen; nor is a misalignment that is the same in every epoch.
    """

    cause = "targets-misaligned"
    needed = 1
    confidence = LIKELY
    lasting = True
    patient = True
    of_the_loop = False
    settles = "index inputs and targets by one and the same permutation, and hand each batch's own targets to the loss"

    def __init__(self) -> None:
        super().__init__()
        self._targets: dict[float, tuple[int, float]] = {}
        self._met, self._different, self._within, self._ambiguous = 0, 0, 0, 0
        self._weights: dict[int, Tensor] = {}

    def reported(self, loop: Loop) -> None:
        """Meet the rows of this batch."""
        if self._met >= ENOUGH_MET or self.held is not None or loop.forward is None:
            return
        if loop.step >= FIRST_BATCHES and ((loop.step + 1) % EVERY or not loop.affords_more()):
            return
        inputs = next((a for a in (*loop.forward.args, *loop.forward.kwargs.values()) if isinstance(a, Tensor) and a.ndim >= 2), None)
        targets = loop.targets
        if inputs is None or not isinstance(targets, Tensor) or not targets.ndim or len(targets) != len(inputs):
            return
        for row, target in zip(self._keys(inputs), self._keys(targets), strict=True):
            self._meet(loop.step, row, target)
        if self._met >= LEAST_MET and self._ambiguous <= AMBIGUOUS_SHARE * self._within and self._too_many_differ():
            said = f"{self._different} of {self._met} input rows that came back had another target than before"
            self.saw(loop, said, value=self._different / self._met, place=loop.place)

    def _too_many_differ(self) -> bool:
        counts = Counter(target for _, target in self._targets.values())
        by_chance = 1 - sum((count / len(self._targets)) ** 2 for count in counts.values())
        return by_chance > 0 and self._different > DIFFERENT_SHARE * by_chance * self._met

    def _meet(self, step: int, row: float, target: float) -> None:
        if row not in self._targets:
            if len(self._targets) < MOST_ROWS:
                self._targets[row] = (step, target)
            return
        when, before = self._targets[row]
        if when == step:
            self._within += 1
            self._ambiguous += target != before
        else:
            self._met += 1
            self._different += target != before
            self._targets[row] = (step, target)

    def _keys(self, rows: Tensor) -> list[float]:
        """One number a row, equal for equal rows: a fixed random combination of its entries."""
        flat: Any = rows.detach()[:ROWS_A_BATCH].reshape(min(len(rows), ROWS_A_BATCH), -1)[:, :NUMBERS]
        if flat.shape[1] not in self._weights:
            drawn = torch.rand(flat.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
            self._weights[flat.shape[1]] = drawn.to(flat.device)
        keys: list[float] = (flat.double() * self._weights[flat.shape[1]]).sum(1).tolist()
        return [round(key, 9) for key in keys]
