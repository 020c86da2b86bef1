"""Are labels contradicted where a held-out prediction is surest?

Where classes overlap, errors gather at the border, and the surest predictions are right. Wrong labels are spread over all rows alike: they
leave errors among the surest too. So the sign of label noise is the share of contradicted labels in the surest half. Numbers that were noted
wrongly lie far from what a robust held-out prediction says, with few in between, where the tails of noise thin out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from traindx.experiments.base import Lab
from traindx.experiments.references import reference_rows
from traindx.records import Evidence, Question
from traindx.remedies.drop_suspect_labels import FAR, held_out_probabilities, robust_residuals, suspects
from traindx.tasks import Form, Kind, Task, labels_of
from traindx.tasks.features import one_thread

LEAST_ROWS = 100
# The surest fifth of all rows: wrong labels are as frequent there as in the surest half, errors where classes overlap are not.
TOP = 5


class LabelNoise:
    """Held-out predictions of logistic regression and nearest neighbours against labels; of boosting for the absolute error against numbers."""

    name, title, version, reads_test = "label_noise", "labels against held-out predictions", 3, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``contradicted_among_surest`` with a Wilson interval, and ``suspect_share``; ``outlying_targets`` of a regression."""
        if lab.task.kind is Kind.REGRESSION:
            return _of_numbers(lab)
        sample = reference_rows(lab.task) if lab.task.kind is Kind.CLASSIFICATION else None
        if sample is None or len(sample[1]) < LEAST_ROWS:
            return [
                Evidence(
                    experiment="label_noise", measure="not-applicable", value=math.nan, text=f"needs {LEAST_ROWS} rows with one class each"
                )
            ]
        features, targets, _ = sample
        found = labels_of(targets, lab.task.kind)
        assert found is not None, "reference rows of a classification have labels"
        labels = found.numpy()
        if np.bincount(labels)[np.unique(labels)].min() < 2:
            return [Evidence(experiment="label_noise", measure="not-applicable", value=math.nan, text="a class has a single row")]
        with one_thread():
            probabilities = held_out_probabilities(features, labels)
        predicted, position = probabilities.argmax(1), np.searchsorted(np.unique(labels), labels)
        surest = np.argsort(-probabilities.max(1), kind="stable")[: len(labels) // 2]
        wrong = int((predicted[surest] != position[surest]).sum())
        low, high = _wilson(wrong, len(surest))
        at_the_top = float((predicted != position)[surest[: max(1, len(labels) // TOP)]].mean())
        share = float(suspects(probabilities, labels).mean())
        return [
            Evidence(
                experiment="label_noise",
                measure="contradicted_among_surest",
                value=wrong / len(surest),
                low=low,
                high=high,
                details={"rows": len(surest)},
            ),
            Evidence(experiment="label_noise", measure="contradicted_at_the_top", value=at_the_top),
            Evidence(experiment="label_noise", measure="contradicted", value=float((predicted != position).mean())),
            Evidence(experiment="label_noise", measure="suspect_share", value=share),
        ]


def _of_numbers(lab: Lab) -> list[Evidence]:
    """The share of numbers far from a held-out prediction, beside those less far."""
    sample = reference_rows(lab.task)
    if sample is None or sample[2] is not Form.NUMBERS or len(sample[1]) < LEAST_ROWS or sample[1][0].numel() != 1:
        return [
            Evidence(
                experiment="label_noise", measure="not-applicable", value=math.nan, text=f"needs {LEAST_ROWS} rows with one number each"
            )
        ]
    numbers = sample[1].reshape(len(sample[1])).double().numpy()
    with one_thread():
        distances = robust_residuals(sample[0], numbers)
    far, less = float((distances > FAR).mean()), float(((distances > FAR / 2) & (distances <= FAR)).mean())
    commonest = float(np.unique(numbers, return_counts=True)[1].max()) / len(numbers)
    details = {"less_far": less, "commonest": commonest, "rows": len(numbers), "growth": _growth(lab.task, sample[1])}
    return [Evidence(experiment="label_noise", measure="outlying_targets", value=far, details=details)]


def _growth(task: Task, targets: Tensor) -> float:
    """How many times the loss of an error twice as large is: 4 for a squared error, 2 for an absolute one."""
    step = float(targets.double().std())
    once, twice = (float(task.loss(targets + n * step, targets)) for n in (1, 2))
    return twice / once if once > 0 else math.nan


def _wilson(hits: int, rows: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, p = 1.96, hits / rows
    centre = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return max(0.0, centre - half), min(1.0, centre + half)
