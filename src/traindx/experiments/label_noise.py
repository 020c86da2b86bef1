"""Are labels contradicted where a held-out prediction is surest?

Where classes overlap, errors gather at the border, and the surest predictions are right. Wrong labels are spread over all rows alike: they
leave errors among the surest too. So there are two signs of label noise: the share of contradicted labels in the surest half, and how little
more often than over all rows the surest predictions agree with the labels. Numbers that were noted wrongly lie far from what a robust held-out
prediction says, with few in between, where the tails of noise thin out; numbers that belong to other rows are drawn like all of them, whatever is
predicted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from traindx.experiments.base import Lab
from traindx.experiments.references import predictions, reference_rows, reference_targets
from traindx.records import Evidence, Question
from traindx.remedies.drop_suspect_labels import FAR, best_judges, robust_residuals, suspects
from traindx.remedies.exchanged_targets import exchange
from traindx.tasks import Form, Kind, Task, labels_of
from traindx.tasks.features import one_thread

LEAST_ROWS = 100
# Where classes overlap, predictions of the surest fifth of the rows agree with labels far more often than those of all; of wrong labels each
# part has its share.
TOP = 5
# Of rows with more numbers, such as pictures, no number is looked at by itself.
MOST_NUMBERS = 16


class LabelNoise:
    """Held-out predictions of the best references against labels; of boosting for the absolute error against numbers."""

    name, title, version, reads_test = "label_noise", "labels against held-out predictions", 6, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``contradicted_among_surest``, ``agreement`` and ``concentration`` with intervals, ``suspect_share`` and ``paired``.

        Of a regression ``outlying_targets`` and ``exchanged_targets``.
        Cost: that of the reference models, where they were not asked in this process before.
        """
        if lab.task.kind is Kind.REGRESSION:
            return _of_numbers(lab)
        targets = reference_targets(lab.task) if lab.task.kind is Kind.CLASSIFICATION else None
        if targets is None or len(targets) < LEAST_ROWS:
            return [_missing(f"needs {LEAST_ROWS} rows with one class each")]
        found = labels_of(targets, lab.task.kind)
        assert found is not None, "reference rows of a classification have labels"
        classes, labels, counts = np.unique(found.numpy(), return_inverse=True, return_counts=True)
        if counts.min() < 2:
            return [_missing("a class has a single row")]
        return _of_labels(judging(lab.task, labels, classes), labels)


def judging(task: Task, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N, C) held-out probabilities of the classes: the mean of the best references, by the log loss of (N,) labels."""
    return best_judges([p[:, classes] for name, p in predictions(task).items() if name != "constant"], labels)


def _of_labels(probabilities: np.ndarray, labels: np.ndarray) -> list[Evidence]:
    """What (N, C) held-out probabilities say of (N,) labels."""
    predicted, order = probabilities.argmax(1), np.argsort(-probabilities.max(1), kind="stable")
    surest, top = order[: len(labels) // 2], order[: len(labels) // TOP]
    wrong = int((predicted != labels)[surest].sum())
    low, high = _wilson(wrong, len(surest))
    shares = np.bincount(labels) / len(labels)
    chance = shares[predicted]  # how often a prediction without any skill is right (Cohen 1960)
    gain = (predicted == labels) - chance
    (agreement, error), (at_the_top, top_error) = _mean_and_error(gain), _mean_and_error(gain[top])
    most = 1 - float((shares**2).sum())  # the agreement of perfect predictions
    details = {"rows": len(labels), "classes": len(shares), "most": most}
    shared: dict[str, Any] = {"experiment": "label_noise", "details": details}
    evidence = [
        Evidence(measure="contradicted_among_surest", value=wrong / len(surest), low=low, high=high, **shared),
        Evidence(measure="agreement", value=agreement, low=agreement - 1.96 * error, high=agreement + 1.96 * error, **shared),
        Evidence(measure="suspect_share", value=float(suspects(probabilities, labels).mean()), **shared),
    ]
    if math.isfinite(together := paired(predicted[surest], labels[surest], len(shares))):
        evidence.append(Evidence(measure="paired", value=together, **shared))
    if agreement <= error:  # no skill that could be concentrated anywhere
        return evidence
    ends = {"low": (at_the_top - 1.96 * top_error) / agreement, "high": (at_the_top + 1.96 * top_error) / agreement}
    return [*evidence, Evidence(measure="concentration", value=at_the_top / agreement, **ends, **shared)]


def paired(predicted: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Whether contradictions of one predicted class share their label: 0 where they are spread over the other classes, 1 where all have the same.

    The chance that two of them do (Simpson's index, without bias), a mean over the classes by their contradictions. NaN of two classes, and
    where no class has two contradictions.
    """
    if classes < 3:
        return math.nan
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predicted, labels), 1)
    np.fill_diagonal(counts, 0)
    wrong = counts.sum(1)
    counts, wrong = counts[wrong > 1], wrong[wrong > 1]
    if not len(wrong):
        return math.nan
    alike = float(((counts * (counts - 1)).sum(1) / (wrong - 1)).sum() / wrong.sum())
    even = 1 / (classes - 1)
    return (alike - even) / (1 - even)


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std()) / math.sqrt(len(values))


def _missing(reason: str) -> Evidence:
    return Evidence(experiment="label_noise", measure="not-applicable", value=math.nan, text=reason)


def _of_numbers(lab: Lab) -> list[Evidence]:
    """The share of numbers far from a held-out prediction, beside those less far; and that of numbers that seem to be other rows'."""
    sample = reference_rows(lab.task)
    if sample is None or sample[2] is not Form.NUMBERS or len(sample[1]) < LEAST_ROWS:
        return [_missing(f"needs {LEAST_ROWS} rows with numbers")]
    if sample[1][0].numel() != 1:
        numbers = sample[1].reshape(len(sample[1]), -1).double().numpy()
        return _exchanged(lab.task, numbers) or [_missing("rows have too many numbers, or no model that predicts them")]
    numbers = sample[1].reshape(len(sample[1])).double().numpy()
    with one_thread():
        distances = robust_residuals(sample[0], numbers)
    far, less = float((distances > FAR).mean()), float(((distances > FAR / 2) & (distances <= FAR)).mean())
    commonest = float(np.unique(numbers, return_counts=True)[1].max()) / len(numbers)
    details = {"less_far": less, "commonest": commonest, "rows": len(numbers), "growth": _growth(lab.task, sample[1])}
    outlying = Evidence(experiment="label_noise", measure="outlying_targets", value=far, details=details)
    return [outlying, *_exchanged(lab.task, numbers[:, None])]


def _exchanged(task: Task, numbers: np.ndarray) -> list[Evidence]:
    """What the held-out predictions that explain the numbers (N, k) best say of an exchange between rows: of the column that tells most of it.

    Nearest neighbours smooth, which looks like an exchange.
    """
    if numbers.shape[1] > MOST_NUMBERS:
        return []
    models = [p for name, p in predictions(task).items() if name not in ("constant", "nearest-neighbours")]
    columns = [exchange(numbers[:, j], [p[:, j] for p in models]) for j in range(numbers.shape[1])]
    found = max((c for c in columns if c is not None), key=lambda c: (c.shown, c.errors), default=None)
    if found is None:
        return []
    details = {name: getattr(found, name) for name in ("slope", "errors", "inside", "outside", "shown")}
    details["single"] = numbers.shape[1] == 1
    return [Evidence(experiment="label_noise", measure="exchanged_targets", value=found.share, details=details)]


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
