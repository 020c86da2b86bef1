"""How good a trained model is, on the rows its case is judged by."""

from __future__ import annotations

import warnings

import numpy as np
import torch

import traindx as tdx
from traindx.records import Outcome
from traindx.tasks.kinds import predicted_labels
from traindx.training.evaluation import predict
from traindx.training.trainer import fit
from zoo.programs import Draft
from zoo.scripts import Training

Judged = Draft | Training


def chance(draft: Judged) -> float:
    """What a constant prediction scores."""
    if draft.regression or draft.scored == "optimism":
        return 0.0
    if isinstance(draft, Training) and draft.multilabel:
        share = draft.clean[1].mean(0)
        return float(np.maximum(share, 1 - share).mean())
    if draft.balanced:
        return 1 / draft.classes
    y = draft.clean[1]
    classes = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind == "f" else y
    labels = np.unique(classes, return_counts=True)[1]
    return float(labels.max() / labels.sum())


def _score(draft: Judged, task: tdx.Task, model: torch.nn.Module, rows: object) -> float:
    outputs, targets = (torch.cat(part) for part in predict(task, model, rows, torch.device("cpu")))  # type: ignore[arg-type]
    if not bool(torch.isfinite(outputs).all()):
        return chance(draft)
    outputs, targets = outputs.detach().float(), targets.detach()
    if draft.regression:
        return _r2(outputs, targets)
    if isinstance(draft, Training) and draft.multilabel:
        return float((predicted_labels(outputs.reshape(-1), targets.reshape(-1), task.loss) == targets.reshape(-1).long()).double().mean())
    shares = targets.ndim == 2 and targets.shape[1] > 1 and targets.is_floating_point()
    labels = targets.argmax(1) if shares else targets.reshape(-1).long()  # classes of many steps stand in one row
    return _accuracy(draft, task, outputs, labels)


def _r2(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    if outputs.numel() != targets.numel():
        return 0.0
    outputs, targets = outputs.reshape(-1).double(), targets.reshape(-1).double()
    return max(-1.0, float(1 - (outputs - targets).square().sum() / (targets - targets.mean()).square().sum()))


def _accuracy(draft: Judged, task: tdx.Task, outputs: torch.Tensor, labels: torch.Tensor) -> float:
    if draft.spare.get("indices"):
        predicted = outputs.reshape(-1).round().long()
    elif draft.classes > 2 and (outputs.ndim < 2 or outputs.shape[1] == 1):
        return chance(draft)
    else:
        predicted = predicted_labels(outputs, labels, task.loss).reshape(-1)
    hit = (predicted == labels).double()
    if not draft.balanced:
        return float(hit.mean())
    return float(torch.stack([hit[labels == label].mean() for label in labels.unique()]).mean())


def score(draft: Judged, task: tdx.Task, recipe: tdx.Recipe) -> float:
    """Train the task (made with ``scoring``) and judge the model; a training that fails or diverges scores as a constant would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = fit(task, recipe, keep_weights=True)
        if fitted.run.outcome not in (Outcome.FINISHED, Outcome.STOPPED) or fitted.weights is None:
            return chance(draft)
        model = task.build(recipe.seed)
        model.load_state_dict(fitted.weights)
        if draft.scored == "validation":
            return _score(draft, task, model, task.validation)
        assert task.test is not None
        judged = _score(draft, task, model, task.test.rows("score"))
        return judged - _score(draft, task, model, task.validation) if draft.scored == "optimism" else judged
