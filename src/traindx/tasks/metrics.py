"""Metrics: the number people care about, beside the loss that is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from traindx.records import InputError
from traindx.tasks.kinds import Kind, Loss, labels_of, predicted_labels


@dataclass(frozen=True)
class Metric:
    """``function(outputs, targets) -> float`` over all evaluated rows."""

    name: str
    function: Callable[[Any, Any], float]
    higher_is_better: bool


def accuracy(outputs: Tensor, targets: Tensor, loss: Loss) -> float:
    """Share of rows whose label is predicted."""
    labels = labels_of(targets, Kind.CLASSIFICATION)
    wanted = targets if labels is None else labels
    predicted = predicted_labels(outputs, wanted, loss)
    return float((predicted == wanted).float().mean())


def balanced_accuracy(outputs: Tensor, targets: Tensor, loss: Loss) -> float:
    """Recall averaged over the classes that occur."""
    labels = labels_of(targets, Kind.CLASSIFICATION)
    wanted = targets if labels is None else labels
    hit = predicted_labels(outputs, wanted, loss) == wanted
    return float(torch.stack([hit[wanted == label].float().mean() for label in wanted.unique()]).mean())


def rmse(outputs: Tensor, targets: Tensor) -> float:
    """Root of the mean squared error, in units of the target."""
    return float((outputs.reshape(targets.shape) - targets).double().square().mean().sqrt())


def mae(outputs: Tensor, targets: Tensor) -> float:
    """Mean absolute error, in units of the target."""
    return float((outputs.reshape(targets.shape) - targets).double().abs().mean())


def r2(outputs: Tensor, targets: Tensor) -> float:
    """Share of the target's variance that is explained."""
    error = (outputs.reshape(targets.shape) - targets).double().square().sum()
    return float(1 - error / (targets - targets.mean(0)).double().square().sum().clamp_min(1e-300))


def exact_match(outputs: Tensor, targets: Tensor, loss: Loss) -> float:
    """Share of single labels predicted, over rows and labels."""
    return float((predicted_labels(outputs.reshape(-1), targets.reshape(-1), loss) == targets.reshape(-1)).float().mean())


def find_metric(metric: str | Callable[[Any, Any], float] | None, kind: Kind, loss: Loss) -> Metric | None:
    """The metric by name, by kind, or the caller's own; None where the kind has no natural one.

    A callable may carry ``higher_is_better = False``; without it, higher is taken to be better.
    """
    if callable(metric):
        return Metric(getattr(metric, "__name__", "metric"), metric, bool(getattr(metric, "higher_is_better", True)))
    known = {
        "accuracy": Metric("accuracy", _Bound(accuracy, loss), True),
        "balanced_accuracy": Metric("balanced_accuracy", _Bound(balanced_accuracy, loss), True),
        "label_accuracy": Metric("label_accuracy", _Bound(exact_match, loss), True),
        "rmse": Metric("rmse", rmse, False),
        "mae": Metric("mae", mae, False),
        "r2": Metric("r2", r2, True),
    }
    if metric is None:
        default = {Kind.CLASSIFICATION: "accuracy", Kind.MULTILABEL: "label_accuracy", Kind.REGRESSION: "rmse"}.get(kind)
        return None if default is None else _where_it_fits(known[default])
    if metric not in known:
        raise InputError("metric", f"found {metric!r}", f"use one of {', '.join(sorted(known))}, or a function (outputs, targets) -> float")
    return known[metric]


def _where_it_fits(metric: Metric) -> Metric:
    return Metric(metric.name, _WhereItFits(metric.function), metric.higher_is_better)


@dataclass(frozen=True)
class _WhereItFits:
    """A metric that nobody asked for: NaN where the outputs are of another form, as those of a loss that wants means and variances."""

    function: Callable[[Tensor, Tensor], float]

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        try:
            return self.function(outputs, targets)
        except (RuntimeError, IndexError):
            return math.nan


@dataclass(frozen=True)
class _Bound:
    """A metric that must know the loss, to read single outputs."""

    function: Callable[[Tensor, Tensor, Loss], float]
    loss: Loss

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        return self.function(outputs, targets, self.loss)
