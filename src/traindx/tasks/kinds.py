"""What kind of task it is, and how a prediction looks in the eyes of its loss.

A reference model predicts class probabilities or numbers. To hold it against the network on the user's own loss, the prediction is turned
into the outputs which that loss expects: log-probabilities for a cross-entropy on logits, and so on. For a loss that traindx does not
know, the form is found by behaviour: the first for which right predictions cost less than the constant one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from traindx.records import InputError

Loss = Callable[[Any, Any], Tensor]

# Probabilities are kept this far from 0 and 1 when a loss takes their logarithm.
PROBABILITY_FLOOR = 1e-6
# Predictions of numbers that must be positive are at least this share of the targets' mean.
LEAST_RATE = 0.05
# Integer targets with more values than this, or whose loss measures distances, are quantities rather than classes.
MAX_CLASSES = 1000


class Kind(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"
    OTHER = "other"


class Form(StrEnum):
    """What a loss expects of the outputs."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    NUMBERS = "numbers"
    POSITIVE = "positive numbers"
    LOGARITHMS = "logarithms of positive numbers"
    UNKNOWN = "unknown"


_DISTANCES: tuple[Any, ...] = (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss)
_LOGIT_LOSSES: tuple[Any, ...] = (
    nn.CrossEntropyLoss,
    nn.NLLLoss,
    nn.BCEWithLogitsLoss,
    nn.MultiLabelSoftMarginLoss,
    F.cross_entropy,
    F.nll_loss,
    F.binary_cross_entropy_with_logits,
    F.multilabel_soft_margin_loss,
)
_PROBABILITY_LOSSES: tuple[Any, ...] = (nn.BCELoss, F.binary_cross_entropy)


def _is(loss: Loss, known: tuple[Any, ...]) -> bool:
    return type(loss) in known or any(loss is item for item in known)


def is_distance(loss: Loss) -> bool:
    """Whether the loss is one of torch's distances between numbers."""
    return _is(loss, _DISTANCES)


def infer_kind(targets: Tensor | None, loss: Loss) -> Kind:
    """From the targets' type and values, and from the loss."""
    if targets is None:
        return Kind.OTHER
    if _is(loss, _LOGIT_LOSSES) and not targets.dtype.is_floating_point:
        return Kind.CLASSIFICATION
    zero_one = bool(((targets == 0) | (targets == 1)).all())
    if targets.ndim >= 2 and targets.shape[1] > 1 and zero_one:
        return Kind.CLASSIFICATION if bool((targets.sum(1) == 1).all()) else Kind.MULTILABEL
    if _is(loss, _LOGIT_LOSSES + _PROBABILITY_LOSSES):
        return Kind.CLASSIFICATION if targets.ndim == 1 or targets.shape[1:].numel() == 1 or targets.ndim == 2 else Kind.OTHER
    if is_distance(loss):
        return Kind.REGRESSION
    if not targets.dtype.is_floating_point:
        return Kind.CLASSIFICATION if int(targets.unique().numel()) <= MAX_CLASSES else Kind.REGRESSION
    return Kind.CLASSIFICATION if zero_one and targets.shape[1:].numel() == 1 else Kind.REGRESSION


def parse_kind(kind: str) -> Kind:
    """The kind of this name."""
    try:
        return Kind(kind)
    except ValueError:
        raise InputError("kind", f"found {kind!r}", f"use one of {', '.join(Kind)}") from None


def labels_of(targets: Tensor, kind: Kind) -> Tensor | None:
    """One class index a row, shape (N,); None where the task has no single label a row."""
    if kind is not Kind.CLASSIFICATION:
        return None
    if targets.ndim == 1 or targets.shape[1:].numel() == 1:
        return targets.reshape(len(targets)).nan_to_num().long()
    if targets.ndim == 2 and targets.dtype.is_floating_point:
        return targets.argmax(1)
    return None


def predicted_labels(outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Class indices shaped like the targets' labels: the largest of several outputs, or one output against its threshold."""
    if outputs.ndim >= 2 and outputs.shape[1] > 1:
        return outputs.argmax(1)
    threshold = 0.5 if output_form(loss, Kind.CLASSIFICATION) in (Form.PROBABILITIES, Form.NUMBERS) else 0.0
    return (outputs.reshape(targets.shape) > threshold).long()


def output_form(loss: Loss, kind: Kind) -> Form:
    """What the loss expects; UNKNOWN for one that is not torch's."""
    if kind is Kind.REGRESSION:
        return Form.NUMBERS
    if _is(loss, _LOGIT_LOSSES):
        return Form.LOGITS
    if _is(loss, _PROBABILITY_LOSSES) or is_distance(loss):
        return Form.PROBABILITIES
    return Form.UNKNOWN


def outputs_from_probabilities(probabilities: Tensor, targets: Tensor, form: Form, single: bool) -> Tensor:
    """Outputs that mean these class probabilities (N, C): ``single`` where the network has one output for two classes."""
    p = probabilities.clamp(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    if single:
        one = p[:, 1].reshape(targets.shape)
        return torch.logit(one) if form is Form.LOGITS else one
    return p.log() if form is Form.LOGITS else p


def number_form(loss: Loss, targets: Tensor) -> Form:
    """What a loss of numbers wants: any numbers, positive ones such as rates of counts, or their logarithms; UNKNOWN where it is least elsewhere.

    Of the first it is known by what it is; else the loss must be least where outputs of the targets' shape mean the targets.
    """
    if is_distance(loss):
        return Form.NUMBERS
    targets = targets if targets.is_floating_point() else targets.float()
    step = targets.double().std().to(targets.dtype)
    if _least_at(loss, targets, lambda n: targets + n * step) and _is_finite(loss, -targets.abs() - 1, targets):
        return Form.NUMBERS
    if bool((targets < 0).any()):
        return Form.UNKNOWN
    above = targets.clamp_min(least_rate(targets))
    if _least_at(loss, above, lambda n: above * 2**n):
        return Form.POSITIVE
    return Form.LOGARITHMS if _least_at(loss, above, lambda n: above.log() + n) else Form.UNKNOWN


def least_rate(targets: Tensor) -> float:
    """What a prediction of positive numbers is raised to: a share of their mean."""
    return max(LEAST_RATE * float(targets.double().mean()), 1e-12)


def _least_at(loss: Loss, targets: Tensor, at: Callable[[int], Tensor]) -> bool:
    """Whether the loss is less at 0 than at -1 and at 1."""
    try:
        right, above, below = (float(loss(at(n), targets)) for n in (0, 1, -1))
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False  # the loss refuses outputs of this shape: it wants more than one number for each
    return right < above < math.inf and right < below < math.inf


def _is_finite(loss: Loss, outputs: Tensor, targets: Tensor) -> bool:
    return math.isfinite(float(loss(outputs, targets)))


def outputs_from_numbers(numbers: Tensor, targets: Tensor, form: Form) -> Tensor:
    """Outputs that mean these numbers, of the targets' shape; what must be positive is at least `least_rate`."""
    shaped = numbers.reshape(targets.shape).to(targets.dtype if targets.is_floating_point() else torch.float32)
    if form is Form.NUMBERS:
        return shaped
    positive = shaped.clamp_min(least_rate(targets))
    return positive.log() if form is Form.LOGARITHMS else positive


def find_form(loss: Loss, kind: Kind, targets: Tensor, single: bool, classes: int) -> Form:
    """The form the loss expects, by what it is or else by how it behaves on the given targets; UNKNOWN when no form makes sense."""
    form = output_form(loss, kind)
    if form is not Form.UNKNOWN or kind is not Kind.CLASSIFICATION:
        return form
    labels = labels_of(targets, kind)
    if labels is None:
        return Form.UNKNOWN
    right = F.one_hot(labels, classes).float() * 0.9 + 0.1 / classes
    flat = torch.full_like(right, 1 / classes)
    for candidate in (Form.LOGITS, Form.PROBABILITIES):
        try:
            good = loss(outputs_from_probabilities(right, targets, candidate, single), targets)
            poor = loss(outputs_from_probabilities(flat, targets, candidate, single), targets)
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue  # the loss refuses outputs of this shape or type: not its form
        if bool(torch.isfinite(good)) and bool(good < poor):
            return candidate
    return Form.UNKNOWN
