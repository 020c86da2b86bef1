"""Does a rare class go unlearned because it is rare? Trainings on rows drawn as they come against rows drawn class by class.

The accuracy, and most losses, hardly notice a rare class. So the measure is the recall, averaged over classes, on validation rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from traindx.experiments.base import Lab
from traindx.records import Evidence, Outcome, Question
from traindx.remedies.balance_classes import BalanceClasses
from traindx.tasks import labels_of
from traindx.tasks.kinds import predicted_labels
from traindx.training import Job, evaluated_index, predict

# By class, 1 for each row that was predicted rightly and 0 for the others.
Hits: TypeAlias = Mapping[int, NDArray[np.float64]]
MAX_ROWS = 8192
# Rows of rare classes that validation needs for the baseline's recall to say that all is well.
LEAST_ROWS = 3
# Divisions of the rows, whose validation rows are taken together: a class of a handful of rows has one of them in each. As many as the
# budget pays, and at least the second number.
DIVISIONS, LEAST_DIVISIONS = 4, 2
# Runs are this long, in shares of the training; both sides of a pair alike.
SHARE = 0.5
# Classes that are this many times rarer than the largest are the rare ones; where their recall is within this of the others', all is well.
RARE, RECALL_GAP = 8.0, 0.15


class ClassBalance:
    """Recall by class of the baseline; where rare classes lag, paired trainings with and without balanced classes."""

    name, title, version, reads_test = "class_balance", "balanced classes", 3, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``rare_recall`` against the other classes', and ``recall_gain`` with its interval over the validation rows of all divisions."""
        labels = lab.task.labels
        if labels is None or lab.baseline().outcome not in (Outcome.FINISHED, Outcome.STOPPED):
            return [_missing("needs one class a row and a training that ended")]
        counts = torch.bincount(labels.clamp_min(0).cpu()).numpy()
        rare = {c for c, n in enumerate(counts) if 0 < n * RARE <= counts.max()}
        first = hits(lab, lab.job())
        lagging, others = ([np.concatenate([first[c] for c in side])] if side else [] for side in (rare & set(first), set(first) - rare))
        found = []
        if lagging and others and len(lagging[0]) >= LEAST_ROWS:
            found = [_evidence("rare_recall", float(lagging[0].mean()), others=float(others[0].mean()), classes=len(rare))]
            if lagging[0].mean() >= others[0].mean() - RECALL_GAP:
                return found
        return [*found, _gain(lab, rare)] if rare else [_missing("no class is rare among the training rows")]


def _gain(lab: Lab, rare: set[int]) -> Evidence:
    """What drawing classes equally often does for the mean recall, on rows that no side was trained on."""
    horizon, remedy = lab.horizon(SHARE), BalanceClasses().ref
    pair = sum(lab.cost(lab.job(*side, horizon=horizon)) for side in ((), (remedy,)))
    divisions = min(DIVISIONS, int((lab.left + 1e-9) / pair))
    if divisions < LEAST_DIVISIONS:
        return _missing("the budget is spent")
    jobs = [
        [lab.job(*side, repeat=k, refold=True, horizon=horizon, keep_weights=True) for k in range(divisions)] for side in ((), (remedy,))
    ]
    said = (f"{divisions} divisions, rows as they come", f"{divisions} divisions, classes balanced")
    runs = [lab.train(side, stage) for side, stage in zip(jobs, said, strict=True)]
    if any(run.outcome not in (Outcome.FINISHED, Outcome.STOPPED) for side in runs for run in side):
        return _missing("a training diverged")
    before, after = (_pooled([hits(lab, job) for job in side]) for side in jobs)
    if not rare & set(before):
        return _missing("no row of a rare class is in validation")
    copies = divisions / len({job.task.fingerprint for job in jobs[0]})
    gain, margin = mean_gain(before, after, copies)
    keys, seeds = tuple(run.key for side in runs for run in side), tuple(run.seed for run in runs[0])
    rows = sum(len(before[c]) for c in rare & set(before)) / copies
    others = _rare(before, set(before) - rare) if set(before) - rare else math.nan
    told = _evidence("recall_gain", gain, before=_rare(before, rare), after=_rare(after, rare), others=others, rows=rows)
    return told.replace(low=gain - margin, high=gain + margin, runs=keys, seeds=seeds, remedy=remedy)


def hits(lab: Lab, job: Job) -> dict[int, NDArray[np.float64]]:
    """Which validation rows of every class the job's model predicts rightly: 1 or 0 a row."""
    task = job.task
    index = evaluated_index(len(task.validation), MAX_ROWS)
    outputs, targets = predict(task, lab.trained_model(job), task.validation, torch.device("cpu"), index)
    wanted = labels_of(torch.cat(targets), task.kind)
    if wanted is None or not all(isinstance(o, Tensor) for o in outputs):
        return {}
    hit = predicted_labels(torch.cat(outputs), wanted, task.loss).reshape(-1) == wanted
    return {c: hit[wanted == c].double().numpy() for c in wanted.unique().tolist() if c >= 0}


def mean_gain(before: Hits, after: Hits, copies: float = 1.0) -> tuple[float, float]:
    """The gain of the recall averaged over classes, with two standard errors of paired rows, each of which stands there ``copies`` times.

    A class of few rows that all gained might have had one that did not: half a row of each kind is added to its variance.
    """
    gains, variances = [], []
    for c in before:
        changes, rows = after[c] - before[c], len(before[c]) / copies
        gains.append(float(changes.mean()))
        variances.append((float((changes**2).mean()) * rows + 0.5) / (rows + 1) - float(changes.mean()) ** 2 * rows / (rows + 1))
    errors = [max(v, 0.0) / (len(before[c]) / copies) for c, v in zip(before, variances, strict=True)]
    return float(np.mean(gains)), 2 * math.sqrt(sum(errors)) / len(errors)


def _pooled(found: Sequence[Hits]) -> dict[int, NDArray[np.float64]]:
    return {c: np.concatenate([f[c] for f in found if c in f]) for c in sorted({c for f in found for c in f})}


def _rare(found: Hits, rare: set[int]) -> float:
    return float(np.mean([found[c].mean() for c in found if c in rare]))


def _evidence(measure: str, value: float, **details: float) -> Evidence:
    return Evidence(experiment="class_balance", measure=measure, value=value, details=dict(details))


def _missing(reason: str) -> Evidence:
    return Evidence(experiment="class_balance", measure="not-applicable", value=math.nan, text=reason)
