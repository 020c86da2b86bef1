"""Do small shifts of an image, or its mirror image, change what the trained network says? No training is needed to see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from traindx.experiments.base import Lab
from traindx.records import Evidence, Outcome, Question
from traindx.remedies.augment import image_shape, mirrored, moved
from traindx.tasks import Rows
from traindx.training import chunk_losses, mean_and_error, predict

# Pixels of the shifts that are tried: one for small images, two for others.
SMALL_SIDE = 12


class Consistency:
    """The trained baseline on validation rows as they are, shifted in four directions, and mirrored."""

    name, title, version, reads_test = "consistency", "predictions under shifts", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """Validation loss of each: ``loss`` as they are, ``shifted_loss`` (the mean over directions), ``mirrored_loss``."""
        shape = image_shape(lab.task)
        if shape is None or lab.baseline().outcome not in (Outcome.FINISHED, Outcome.STOPPED):
            text = "inputs are not images that a convolution, or a network of two-dimensional inputs, reads"
            return [Evidence(experiment=self.name, measure="not-applicable", value=math.nan, text=text)]
        by = 1 if min(shape[1:]) < SMALL_SIDE else 2
        model, rows = lab.trained_model(), lab.task.validation

        def loss(change: Callable[[Tensor], Tensor] | None = None) -> float:
            return _loss(lab, model, rows if change is None else rows.map_inputs(change))

        def shift(dy: int, dx: int) -> Callable[[Tensor], Tensor]:
            return lambda x: moved(x, shape, torch.full((len(x),), dy), torch.full((len(x),), dx))

        shifted = [loss(shift(dy, dx)) for dy, dx in ((by, 0), (-by, 0), (0, by), (0, -by))]
        values = {"loss": loss(), "shifted_loss": sum(shifted) / 4, "mirrored_loss": loss(lambda x: mirrored(x, shape))}
        details = {"pixels": by, "side": min(shape[1:])}
        return [Evidence(experiment=self.name, measure=m, value=v, details=details) for m, v in values.items()]


def _loss(lab: Lab, model: torch.nn.Module, rows: Rows) -> float:
    return mean_and_error(*chunk_losses(lab.task, *predict(lab.task, model, rows, torch.device("cpu"))))[0]
