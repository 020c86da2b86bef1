"""The audit: what can be seen in data, model and recipe without any training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from traindx.experiments.base import Lab
from traindx.records import Evidence, Question
from traindx.tasks import Kind
from traindx.tasks.features import array_pairs
from traindx.training import evaluated_index

MAX_ROWS = 5000


class Audit:
    """Looks at the training rows and at one fresh model."""

    name, title, version, reads_test = "audit", "audit of data and model", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """Scales, missing values, pure error, class counts, layer widths."""
        found = [_evidence("rows", len(lab.task.train)), _evidence("pretrained", float(lab.task.pretrained))]
        pairs = array_pairs(lab.task.train, evaluated_index(len(lab.task.train), MAX_ROWS))
        if pairs is not None:
            found += [*_input_evidence(pairs[0]), *_target_evidence(pairs[1], lab.task.kind), *_pure_error(*pairs, lab.task.kind)]
        return [*found, *_model_evidence(lab.task.build(lab.recipe.seed))]


def _evidence(measure: str, value: float, subject: str = "", **details: float) -> Evidence:
    return Evidence(experiment="audit", measure=measure, value=float(value), subject=subject, details=dict(details))


def _input_evidence(inputs: Tensor) -> list[Evidence]:
    """The features' scales: largest absolute mean over its deviation, ratio of largest to smallest deviation, deviation over all."""
    if not inputs.is_floating_point():
        return []
    rows = inputs.double().flatten(1) if inputs.ndim < 3 else inputs.double().flatten(2).transpose(1, 2).flatten(0, 1)
    finite = torch.isfinite(rows)
    found = [_evidence("non_finite_inputs", float((~finite).float().mean()))]
    rows = rows[finite.all(1)]
    if len(rows) < 2:
        return found
    std, mean = rows.std(0), rows.mean(0)
    varying = std > 1e-12 * mean.abs().clamp_min(1e-12)
    if not bool(varying.any()):
        return [*found, _evidence("constant_inputs", 1.0)]
    root_mean_square = rows[:, varying].square().mean(0).sqrt()
    return [
        *found,
        _evidence("constant_inputs", float((~varying).float().mean())),
        _evidence("feature_scale_largest", float(root_mean_square.max())),
        _evidence("feature_scale_median", float(root_mean_square.median())),
        _evidence("feature_scale_spread", float(std[varying].max() / std[varying].min())),
        _evidence("feature_offset", float((mean[varying].abs() / std[varying]).max())),
    ]


def _target_evidence(targets: Tensor, kind: Kind) -> list[Evidence]:
    found = []
    if targets.is_floating_point():
        found.append(_evidence("non_finite_targets", float((~torch.isfinite(targets)).float().mean())))
    if kind is Kind.REGRESSION and len(targets) > 1:
        found += [_evidence("target_mean", float(targets.double().mean())), _evidence("target_std", float(targets.double().std()))]
    if kind is Kind.CLASSIFICATION and targets.ndim == 1 and bool(torch.isfinite(targets.float()).all()):
        counts = torch.bincount(targets.long().clamp_min(0))
        counts = counts[counts > 0]
        found.append(_evidence("rarest_class_share", float(counts.min() / counts.sum())))
    return found


def _pure_error(inputs: Tensor, targets: Tensor, kind: Kind) -> list[Evidence]:
    """Equal inputs with different targets: the share of rows, or of the target's variance, that no function of the inputs can explain."""
    rows = np.ascontiguousarray(inputs.reshape(len(inputs), -1).numpy())
    _, group, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    repeated = counts[group] > 1
    share = float(repeated.mean())
    if kind is Kind.CLASSIFICATION and targets.ndim == 1:
        labels = targets.long().numpy()
        pairs, pair_counts = np.unique(np.stack([group, labels]), axis=1, return_counts=True)
        most = np.zeros(len(counts), dtype=np.int64)
        np.maximum.at(most, pairs[0], pair_counts)
        error = float((counts - most).sum() / len(rows))
    elif kind is Kind.REGRESSION:
        y = targets.reshape(len(targets), -1).double().mean(1).numpy()
        means = np.bincount(group, weights=y) / counts
        freedom = max(1, int((counts - 1).sum()))
        variance = float(((y - means[group]) ** 2).sum() / freedom)
        error = variance / max(float(y.var()), 1e-300)
    else:
        return []
    return [_evidence("pure_error", error, repeated_rows=share)]


def _model_evidence(model: nn.Module) -> list[Evidence]:
    """Parameters, frozen share, and the narrowest hidden layer against its neighbours."""
    total = sum(p.numel() for p in model.parameters())
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    found = [_evidence("parameters", total), _evidence("frozen_share", frozen / total if total else math.nan)]
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d))]
    found.append(_evidence("linear_layers", len(layers)))
    widths = [(name, *_widths(layer)) for name, layer in layers]
    for (name, inputs, outputs), (_, _, after) in pairwise(widths):
        needed = min(inputs, after)
        found.append(_evidence("narrowing", needed / outputs, subject=name, width=outputs, inputs=inputs, after=after))
    return found


def _widths(layer: nn.Module) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, (nn.Conv1d, nn.Conv2d))
    return layer.in_channels, layer.out_channels
