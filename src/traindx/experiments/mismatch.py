"""Does the test set come from elsewhere, and does that do harm?

Inputs first: a classifier tries to tell training from test rows (two-sample test, Lopez-Paz and Oquab 2017), and every feature is compared.
Labels last: the loss on the test rows, the class proportions, and the same classifier within each class, which tells a shift of inputs from
a shift of proportions. Where the test loss is higher, reference models say whether the test labels mean what the training labels mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from traindx.experiments.alignment import FAR_APART, MAX_ROWS, alignments
from traindx.experiments.audit.data import compared
from traindx.experiments.base import Lab
from traindx.experiments.domain import domain_auc
from traindx.experiments.label_map import compared_labels
from traindx.records import Evidence, Outcome, Question
from traindx.remedies.align_inputs import AlignTestInputs
from traindx.remedies.match_test import MISMATCH
from traindx.remedies.repair_labels import RepairLabels
from traindx.tasks import Rows, Task, labels_of
from traindx.tasks.features import Features
from traindx.training import chunk_losses, evaluated_index, mean_and_error, metric_of, predict

# The test set is opened for one question only, so more of its rows are worth a forward pass: its loss is often that of a few hard rows.
MAX_TEST_ROWS = 8192
# A class is compared on its own when both sides have this many rows of it.
LEAST_ROWS_A_CLASS = 15
# Test labels are held against reference models where the test loss differs from validation's at this level (Mann and Whitney's test).
DIFFERENT_P = 0.1
# Classes that cover this share of the validation rows must occur in the test set, for its loss to be re-weighted to their proportions.
KNOWN_SHARE = 0.8


class Mismatch:
    """Opens the sealed test set for one question."""

    name, title, version, reads_test = "two_sample", "training against test rows", 6, True

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """AUC of the domain classifier, per-feature tests, test loss, class proportions, test labels against reference models."""
        task = lab.task
        if task.test is None:
            return [_missing("there is no test set")]
        train, test = task.train.inputs, task.test.inputs(MISMATCH)
        found = _inputs_compared(train, test)
        found += _copies_found(task, train, test)
        far = any(e.measure == "auc" and e.value > FAR_APART for e in found)
        aligned = alignments(train, test) if far and train is not None and test is not None else []
        found += [_evidence(f"{a.measure}_auc", a.auc, a.error, "inputs", kind=a.kind) for a in aligned]
        if not task.test.has_labels:
            return [*found, _missing("the test labels are unknown", "labels")]
        rows = task.test.rows(MISMATCH)
        found += _labels_compared(task, rows)
        if lab.baseline().outcome in (Outcome.FINISHED, Outcome.STOPPED):
            model = lab.trained_model()
            harm = _harm_where_taken(task, model, rows, "inputs")
            found += harm
            for a in aligned:
                changed, mapped = task.changed(AlignTestInputs(a.kind).ref), rows.map_inputs(a.function)
                found += _renamed(_harm_where_taken(changed, model, mapped, f"{a.measure} inputs"), f"{a.measure}_test_loss")
            p_values = [float(e.details["p_value"]) for e in harm if e.measure == "test_loss"]
            if any(not DIFFERENT_P / 2 <= p <= 1 - DIFFERENT_P / 2 for p in p_values):
                found += _labels_judged(task, model, rows)
        return found


def _missing(reason: str, subject: str = "") -> Evidence:
    return Evidence(experiment="two_sample", measure="not-applicable", value=math.nan, subject=subject, text=reason)


def _evidence(measure: str, value: float, error: float = 0.0, subject: str = "", **details: float | str) -> Evidence:
    low, high = (value - 1.96 * error, value + 1.96 * error) if error else (None, None)
    return Evidence(experiment="two_sample", measure=measure, value=value, low=low, high=high, subject=subject, details=dict(details))


def _copies_found(task: Task, train: Tensor | None, test: Tensor | None) -> list[Evidence]:
    """Test rows that are copies of training rows; agreement of their labels is left unknown, so that labels stay sealed."""
    if train is None or test is None or train.shape[1:] != test.shape[1:]:
        return []
    return [e.replace(experiment="two_sample") for e in compared(train.cpu(), None, test.cpu(), None, task.kind, "test")]


def _harm_where_taken(task: Task, model: nn.Module, rows: Rows, subject: str) -> list[Evidence]:
    """The harm; ``refused`` where the model cannot take such inputs, as tokens that its embedding has no place for."""
    try:
        return _harm(task, model, rows)
    except (IndexError, RuntimeError) as error:
        return [_evidence("refused", 1.0, subject=subject).replace(text=f"{type(error).__name__}: {error}")]


def _renamed(harm: Sequence[Evidence], measure: str) -> list[Evidence]:
    """The test loss alone, under this name, or that there is none."""
    return [e.replace(measure=measure) if e.measure == "test_loss" else e for e in harm if e.measure in ("test_loss", "refused")]


def _labels_judged(task: Task, model: nn.Module, rows: Rows) -> list[Evidence]:
    """What reference models say of the test labels, and the test loss once these are read as the models suggest."""
    judged = [e.replace(experiment="two_sample", subject="labels") for e in compared_labels(task, rows, "test")]
    repair = next((r for e in judged if (r := _repair(e)) is not None), None)
    if repair is None:
        return judged
    return [*judged, *_renamed(_harm(task, model, rows.map_targets(repair.undo)), "repaired_test_loss")]


def _repair(judged: Evidence) -> RepairLabels | None:
    """What undoes the other coding or the other units, where there are any."""
    if judged.measure == "agreement_gain":
        return RepairLabels("test", order=str(judged.details.get("order", "")), columns=str(judged.details.get("columns", "")))
    if judged.measure == "affine_map" and judged.details["wrong"]:
        return RepairLabels("test", scale=float(judged.details["scale"]), offset=float(judged.details["offset"]))
    return None


# -- inputs ------------------------------------------------------------------------------------------------------------------------------


def _inputs_compared(train: Tensor | None, test: Tensor | None) -> list[Evidence]:
    if train is None or test is None or train.shape[1:] != test.shape[1:]:
        return [_missing("inputs are not arrays of one shape", "inputs")]
    features = Features(train)
    mine, theirs = (features(rows[evaluated_index(len(rows), MAX_ROWS)]) for rows in (train, test))
    auc, error = domain_auc(mine, theirs)
    return [_evidence("auc", auc, error, "inputs", rows=len(mine), test_rows=len(theirs)), _features_compared(mine, theirs)]


def _features_compared(mine: np.ndarray, theirs: np.ndarray) -> Evidence:
    """Share of features whose distributions differ by a Kolmogorov-Smirnov test at 1 %, after Bonferroni's correction."""
    from scipy.stats import ks_2samp

    results = [ks_2samp(mine[:, j], theirs[:, j]) for j in range(mine.shape[1])]
    differing = sum(float(result.pvalue) < 0.01 / len(results) for result in results)
    largest = max(float(result.statistic) for result in results)
    return _evidence("shifted_features", differing / len(results), subject="inputs", largest_distance=largest, features=len(results))


# -- labels ------------------------------------------------------------------------------------------------------------------------------


def _labels_compared(task: Task, rows: Rows) -> list[Evidence]:
    """Total variation of the class proportions with a chi-squared test, and the domain classifier within classes."""
    mine, theirs = task.labels, None if rows.targets is None else labels_of(rows.targets, task.kind)
    if mine is None or theirs is None:
        return []
    from scipy.stats import chi2_contingency

    classes = int(max(mine.max(), theirs.max())) + 1
    counts = np.stack([torch.bincount(labels.cpu(), minlength=classes).numpy() for labels in (mine, theirs)])
    counts = counts[:, counts.sum(0) > 0]
    shares = counts / counts.sum(1, keepdims=True)
    distance = 0.5 * float(np.abs(shares[0] - shares[1]).sum())
    p_value = float(chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0
    unseen = float((theirs > mine.max()).float().mean())
    found = [_evidence("label_distance", distance, subject="labels", p_value=p_value, unseen_share=unseen)]
    return [*found, *_within_classes(task.train.inputs, mine, rows.inputs, theirs)]


def _within_classes(train: Tensor | None, mine: Tensor, test: Tensor | None, theirs: Tensor) -> list[Evidence]:
    if train is None or test is None or train.shape[1:] != test.shape[1:]:
        return []
    features = Features(train)
    results: list[tuple[float, float]] = []
    weights: list[int] = []
    for label in mine.unique().tolist():
        sides = [rows[labels.cpu() == label] for rows, labels in ((train, mine), (test, theirs))]
        sides = [side[evaluated_index(len(side), MAX_ROWS // 5)] for side in sides]
        if min(len(side) for side in sides) >= LEAST_ROWS_A_CLASS and len(results) < 10:
            results.append(domain_auc(features(sides[0]), features(sides[1])))
            weights.append(min(len(side) for side in sides))
    if not results:
        return []
    share = np.array(weights) / sum(weights)
    auc, error = float(share @ [r[0] for r in results]), math.sqrt(float(share**2 @ [r[1] ** 2 for r in results]))
    return [_evidence("auc_within_classes", auc, error, "inputs", classes=len(results))]


def _harm(task: Task, model: nn.Module, rows: Rows) -> list[Evidence]:
    """The trained model's loss and metric on the test rows, and the test loss re-weighted to the validation rows' class proportions."""
    cpu = torch.device("cpu")
    theirs = None if rows.targets is None else labels_of(rows.targets, task.kind)
    index = evaluated_index(len(rows), MAX_TEST_ROWS)
    if theirs is not None and task.labels is not None:
        index = index[theirs[index].cpu() <= task.labels.max().cpu()]
        if not len(index):
            return []
    outputs, targets = predict(task, model, rows, cpu, index)
    losses, sizes = chunk_losses(task, outputs, targets)
    loss, error = mean_and_error(losses, sizes)
    p_value = _higher_by_chance(losses, chunk_losses(task, *predict(task, model, task.validation, cpu))[0])
    found = [_evidence("test_loss", loss, error if math.isfinite(error) else 0.0, p_value=p_value)]
    metric = metric_of(task, outputs, targets)
    if not math.isnan(metric):
        found.append(_evidence("test_metric", metric))
    return found if theirs is None else [*found, *_reweighted(task, model, rows, theirs, index)]


def _higher_by_chance(test: list[float], validation: list[float]) -> float:
    """p-value of Mann and Whitney's test on chunks' mean losses: a few hard rows, which widen the interval of a mean, do not hide a shift."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(test, validation, alternative="greater").pvalue)


def _reweighted(task: Task, model: nn.Module, rows: Rows, theirs: Tensor, index: Tensor) -> list[Evidence]:
    """The test loss as it would be with the validation rows' class proportions: what is left of the harm is not theirs."""
    cpu = torch.device("cpu")
    mine = None if task.validation.targets is None else labels_of(task.validation.targets, task.kind)
    if mine is None:
        return []
    loss = variance = known = 0.0
    for label, count in zip(*mine.unique(return_counts=True), strict=True):
        chosen = index[theirs[index] == label]
        if len(chosen):
            share = float(count) / len(mine)
            mean, error = mean_and_error(*chunk_losses(task, *predict(task, model, rows, cpu, chosen[evaluated_index(len(chosen), 256)])))
            loss, known = loss + share * mean, known + share
            variance += (share * error if math.isfinite(error) else 0.0) ** 2
    if known < KNOWN_SHARE:
        return []
    return [_evidence("reweighted_test_loss", loss / known, math.sqrt(variance) / known)]
