"""The audit of the rows: scales, missing values, equal inputs with different targets, class counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from traindx.experiments.audit.measured import evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence
from traindx.tasks import Kind
from traindx.tasks.features import array_pairs
from traindx.training import evaluated_index

MAX_ROWS = 5000


def data_evidence(lab: Lab) -> Sequence[Evidence]:
    """What can be seen in the training and validation rows."""
    found = [evidence("rows", len(lab.task.train))]
    pairs = array_pairs(lab.task.train, evaluated_index(len(lab.task.train), MAX_ROWS))
    if pairs is not None:
        found += [*input_evidence(pairs[0]), *target_evidence(pairs[1], lab.task.kind), *pure_error(*pairs, lab.task.kind)]
    return found


def input_evidence(inputs: Tensor) -> list[Evidence]:
    """The features' scales: largest absolute mean over its deviation, ratio of largest to smallest deviation, deviation over all."""
    if not inputs.is_floating_point():
        return []
    rows = inputs.double().flatten(1) if inputs.ndim < 3 else inputs.double().flatten(2).transpose(1, 2).flatten(0, 1)
    finite = torch.isfinite(rows)
    found = [evidence("non_finite_inputs", float((~finite).float().mean()))]
    rows = rows[finite.all(1)]
    if len(rows) < 2:
        return found
    std, mean = rows.std(0), rows.mean(0)
    varying = std > 1e-12 * mean.abs().clamp_min(1e-12)
    if not bool(varying.any()):
        return [*found, evidence("constant_inputs", 1.0)]
    root_mean_square = rows[:, varying].square().mean(0).sqrt()
    return [
        *found,
        evidence("constant_inputs", float((~varying).float().mean())),
        evidence("feature_scale_largest", float(root_mean_square.max())),
        evidence("feature_scale_median", float(root_mean_square.median())),
        evidence("feature_scale_spread", float(std[varying].max() / std[varying].min())),
        evidence("feature_offset", float((mean[varying].abs() / std[varying]).max())),
    ]


def target_evidence(targets: Tensor, kind: Kind) -> list[Evidence]:
    """Missing values, mean and deviation of numbers, the rarest class."""
    found = []
    if targets.is_floating_point():
        found.append(evidence("non_finite_targets", float((~torch.isfinite(targets)).float().mean())))
    if kind is Kind.REGRESSION and len(targets) > 1:
        found += [evidence("target_mean", float(targets.double().mean())), evidence("target_std", float(targets.double().std()))]
    if kind is Kind.CLASSIFICATION and targets.ndim == 1 and bool(torch.isfinite(targets.float()).all()):
        counts = torch.bincount(targets.long().clamp_min(0))
        counts = counts[counts > 0]
        found.append(evidence("rarest_class_share", float(counts.min() / counts.sum())))
    return found


def pure_error(inputs: Tensor, targets: Tensor, kind: Kind) -> list[Evidence]:
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
    return [evidence("pure_error", error, repeated_rows=share)]
