"""The audit of the rows: scales, missing values, label sets, class counts, equal inputs with different targets, copies across splits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from traindx.experiments.audit.measured import REFUSALS, evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence
from traindx.tasks import Kind, Rows, Task, labels_of, preserved_rng
from traindx.tasks.features import array_pairs
from traindx.tasks.twins import LOOKED_UP, find_twins
from traindx.training import evaluated_index

MAX_ROWS = 5000
# A label that continues its row: nearly all labels are among the tokens of the rows, and they are so many of these, and so many in all, at least.
SHARED, OF_THE_ALPHABET, LEAST_ALPHABET = 0.9, 0.5, 5
# Rows with missing values, and as many without, that a fresh model is tried on.
TRIED_ROWS = 32


def data_evidence(lab: Lab) -> Sequence[Evidence]:
    """What can be seen in the training and validation rows."""
    found = [evidence("rows", len(lab.task.train)), evidence("validation_given", float(lab.task.validation_given))]
    pairs = array_pairs(lab.task.train, evaluated_index(len(lab.task.train), MAX_ROWS))
    if pairs is not None:
        found += [*input_evidence(pairs[0]), *target_evidence(pairs[1], lab.task.kind), *continuation(*pairs, lab.task.kind)]
    found.append(pure_error(pairs, lab.task.kind))
    seed = lab.recipe.seed
    return [*found, *non_finite_rows(lab.task, seed), *label_sets(lab.task, seed), *copies(lab.task)]


def _columns(rows: Rows) -> tuple[Tensor, Tensor, Tensor] | None:
    """(index, inputs, targets) of all rows, or of the first MAX_ROWS in the fixed order where rows have to be read one by one."""
    index = torch.arange(len(rows)) if rows.inputs is not None else evaluated_index(len(rows), MAX_ROWS)
    pairs = array_pairs(rows, index)
    return None if pairs is None else (index, *pairs)


# -- missing values ----------------------------------------------------------------------------------------------------------------------


def non_finite_rows(task: Task, seed: int) -> list[Evidence]:
    """The share of rows with NaN or infinity in inputs or targets, a split and side at a time, and whether a fresh model bears them."""
    found = []
    for split, rows in (("training", task.train), ("validation", task.validation)):
        columns = _columns(rows)
        if columns is None:
            continue
        for side, values in zip(("inputs", "targets"), columns[1:], strict=True):
            finite = torch.isfinite(values.reshape(len(values), -1))
            broken = ~finite.all(1)
            if not bool(broken.any()):
                continue
            places = (~finite).any(0).nonzero().flatten().tolist()
            where = (
                ""
                if side == "targets" or values.ndim > 2
                else f" (feature {', '.join(map(str, places[:3]))}{', ...' if len(places) > 3 else ''})"
            )
            count = int(broken.sum())
            tried = torch.cat([columns[0][broken][:TRIED_ROWS], columns[0][~broken][:TRIED_ROWS]])
            text = f"{count} of {len(values)} {split} rows have NaN or infinity in their {side}{where}"
            borne = _borne(task, seed, rows, tried)
            found.append(evidence("non_finite_rows", count / len(values), f"{split} {side}", text, rows=count, borne=borne))
    return found


def _borne(task: Task, seed: int, rows: Rows, index: Tensor) -> bool:
    """Whether a fresh model gives a finite loss and finite gradients on these rows: it has its own way with missing values."""
    model = task.build(seed).eval()
    batch = next(iter(rows.batches([index], torch.device("cpu"))))
    try:
        with preserved_rng():
            outputs, targets = task.forward(model, batch)
            loss = task.loss(outputs, targets)
            loss.backward()
    except REFUSALS:
        return False
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return bool(torch.isfinite(loss)) and all(bool(torch.isfinite(g).all()) for g in gradients)


# -- label sets --------------------------------------------------------------------------------------------------------------------------


def label_sets(task: Task, seed: int) -> list[Evidence]:
    """Labels that the loss refuses, and labels of given validation rows that training rows do not have."""
    train, validation = task.train.targets, task.validation.targets
    if train is None or validation is None or task.kind is not Kind.CLASSIFICATION:
        return []
    ignored = int(getattr(task.loss, "ignore_index", -100))
    found = _refused(task, seed, train, validation, ignored)
    mine, theirs = (labels_of(t, task.kind) for t in (train, validation))
    if mine is None or theirs is None or not task.validation_given:
        return found
    mine, theirs = (t[t != ignored].cpu() for t in (mine, theirs))
    known, shown = mine.unique(), theirs.unique()
    unseen = int((~torch.isin(theirs, known)).sum())
    if unseen:
        shift = int(shown[0] - known[0]) if len(known) == len(shown) and len((shown - known).unique()) == 1 else 0
        said = f": they are the training labels shifted by {shift:+d}" if shift else ""
        text = f"{unseen} of {len(theirs)} validation rows have labels that no training row has{said}"
        chance = (len(theirs) / (len(theirs) + len(mine))) ** unseen
        found.append(evidence("unseen_labels", unseen / len(theirs), "validation", text, shift=shift, chance=chance, rows=unseen))
    return found


def _refused(task: Task, seed: int, train: Tensor, validation: Tensor, ignored: int) -> list[Evidence]:
    """The share of labels outside what the outputs allow for, where the loss refuses them."""
    model = task.build(seed).eval()
    rows, batch_index = task.train, evaluated_index(len(task.train), 4)
    try:
        with torch.no_grad(), preserved_rng():
            outputs, targets = task.forward(model, next(iter(rows.batches([batch_index], torch.device("cpu")))))
    except REFUSALS:  # the audit of shapes tells what was raised
        return []
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor) or targets.shape[1:] != train.shape[1:]:
        return []
    both = torch.cat([train.reshape(-1).cpu(), validation.reshape(-1).cpu()])
    indices = not targets.is_floating_point() and outputs.ndim == 2 and targets.ndim == 1
    if indices:
        width, kept = outputs.shape[1], both[both != ignored]
        wrong = kept[(kept < 0) | (kept >= width)]
    elif targets.is_floating_point() and isinstance(task.loss, (nn.BCEWithLogitsLoss, nn.BCELoss)) and outputs.shape == targets.shape:
        width, kept = 2, both
        wrong = kept[(kept < 0) | (kept > 1)]
    else:
        return []
    if not len(wrong) or (indices and _accepts(task, outputs[:1], wrong[:1])):
        return []
    values = kept.unique()
    distinct = max(len(t[t != ignored].unique()) if indices else len(t.unique()) for t in (train, validation))
    low, high = float(values.min()), float(values.max())
    text = f"{len(wrong)} of {len(kept)} labels lie outside 0 to {width - 1}: they run from {low:g} to {high:g}, {distinct} different ones"
    return [evidence("refused_labels", len(wrong) / len(kept), text=text, smallest=low, largest=high, distinct=distinct, width=width)]


def _accepts(task: Task, outputs: Tensor, label: Tensor) -> bool:
    try:
        return bool(torch.isfinite(task.loss(outputs, label)))
    except REFUSALS:
        return False


# -- copies ------------------------------------------------------------------------------------------------------------------------------


def copies(task: Task) -> list[Evidence]:
    """How many validation rows are copies of training rows, in all and in the class where they are most, against copies within training."""
    mine, theirs = _columns(task.train), _columns(task.validation)
    if mine is None or theirs is None or mine[1].shape[1:] != theirs[1].shape[1:]:
        return []
    return compared(mine[1], mine[2], theirs[1], theirs[2], task.kind, "validation")


def compared(train: Tensor, targets: Tensor | None, rows: Tensor, labels: Tensor | None, kind: Kind, subject: str) -> list[Evidence]:
    """``copied_share`` of the rows with the share expected by what training rows share among themselves."""
    index = evaluated_index(len(rows), LOOKED_UP)
    twins = find_twins(train, rows[index])
    own = evaluated_index(len(train), LOOKED_UP)
    within = float(find_twins(train, train[own], own.numpy()).copied.mean())
    copied, agreeing, most = twins.copied, 1.0, 0.0
    if targets is not None and labels is not None and copied.any() and targets.shape[1:] == labels.shape[1:]:
        found = torch.from_numpy(np.flatnonzero(copied))
        first, second = labels[index][found], targets[torch.from_numpy(twins.twin)[found]]
        agreeing = float((first == second).reshape(len(found), -1).all(1).float().mean())
        classes = labels_of(labels[index], kind)
        if classes is not None:
            most = max(
                (float(copied[classes.numpy() == c].mean()) for c in classes.unique().tolist() if int((classes == c).sum()) >= 10),
                default=0.0,
            )
    share, count = float(copied.mean()), int(copied.sum())
    text = (
        f"{share:.0%} of the {subject} rows are copies or near copies of training rows,"
        f" where {within:.0%} of the training rows are of one another"
    )
    error = float(np.sqrt(max(share * (1 - share), 1 / len(index)) / len(index) + max(within * (1 - within), 1 / len(own)) / len(own)))
    return [
        evidence(
            "copied_share",
            share,
            subject,
            text,
            within=within,
            error=error,
            agreeing=agreeing,
            most_in_a_class=most,
            rows=count,
            looked_up=len(index),
        )
    ]


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
        targets = targets[torch.isfinite(targets.reshape(len(targets), -1)).all(1)]
    if kind is Kind.REGRESSION and len(targets) > 1:
        whole = targets.reshape(len(targets), -1)
        if whole.shape[1] == 1 and bool((whole == whole.round()).all()):
            found.append(evidence("whole_targets", len(whole.unique())))
        found += [evidence("target_mean", float(targets.double().mean())), evidence("target_std", float(targets.double().std()))]
    labels = labels_of(targets, kind)
    if labels is not None and bool(torch.isfinite(targets.float()).all()):
        counts = torch.bincount(labels[labels >= 0])
        counts = counts[counts > 0]
        if len(counts):
            found.append(evidence("rarest_class_share", float(counts.min() / counts.sum())))
            found.append(evidence("class_ratio", float(counts.max() / counts.min()), rarest=int(counts.min()), classes=len(counts)))
    return found


def continuation(inputs: Tensor, targets: Tensor, kind: Kind) -> list[Evidence]:
    """Whether labels are of the alphabet of their rows' tokens: what follows a sequence, as in a model of language. Not where part of every row is blank."""
    labels = labels_of(targets, kind)
    if labels is None or inputs.is_floating_point() or inputs.ndim != 2:
        return []
    tokens, names = inputs.unique(), labels.unique()
    shared, blank = float(torch.isin(names, tokens).float().mean()), bool((inputs == inputs[0]).all(0).any())
    alphabet = len(names) >= max(LEAST_ALPHABET, OF_THE_ALPHABET * len(tokens))
    return [evidence("continues", float(shared >= SHARED and alphabet and not blank))]


def pure_error(pairs: tuple[Tensor, Tensor] | None, kind: Kind) -> Evidence:
    """Equal inputs with different targets: the share of rows, or of the targets' variance, that no function of the inputs can explain.

    NaN with the reason as text where that cannot be asked.
    """
    if pairs is None:
        return _unknown("inputs and targets are not plain arrays")
    inputs, targets = pairs
    if not bool(torch.isfinite(targets.float()).all()):
        return _unknown("some targets are not finite")
    labels = _whole_labels(targets, kind)
    if labels is None and kind is not Kind.REGRESSION:
        return _unknown("targets are neither one class, nor labels, nor numbers a row")
    rows = np.ascontiguousarray(inputs.reshape(len(inputs), -1).numpy())
    _, group, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    numbers = targets.reshape(len(targets), -1).double().numpy()
    error = _variance_within(group, counts, numbers) if labels is None else _disagreement(group, counts, labels.numpy())
    return evidence("pure_error", error, repeated_rows=float((counts[group] > 1).mean()))


def _unknown(reason: str) -> Evidence:
    return evidence("pure_error", math.nan, text=reason)


def _whole_labels(targets: Tensor, kind: Kind) -> Tensor | None:
    """A number (N,) a row for its class, or for its set of labels."""
    if kind is Kind.MULTILABEL:
        _, places = np.unique(targets.reshape(len(targets), -1).numpy(), axis=0, return_inverse=True)
        return torch.from_numpy(places.reshape(-1))
    return labels_of(targets, kind)


def _disagreement(group: np.ndarray, counts: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows that do not have the commonest label of their group."""
    pairs, pair_counts = np.unique(np.stack([group, labels]), axis=1, return_counts=True)
    most = np.zeros(len(counts), dtype=np.int64)
    np.maximum.at(most, pairs[0], pair_counts)
    return float((counts - most).sum() / len(group))


def _variance_within(group: np.ndarray, counts: np.ndarray, numbers: np.ndarray) -> float:
    """The variance within groups over the whole, summed over columns."""
    sums = np.zeros((len(counts), numbers.shape[1]))
    np.add.at(sums, group, numbers)
    within = ((numbers - (sums / counts[:, None])[group]) ** 2).sum() / max(1, int((counts - 1).sum()))
    return float(within) / max(float(numbers.var(0).sum()), 1e-300)
