"""Does a rare class go unlearned because it is rare? Trainings on rows drawn as they come against rows drawn class by class.

The accuracy, and most losses, hardly notice a rare class. So the measure is the recall, averaged over classes, on validation rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from traindx.experiments.base import Lab
from traindx.records import Evidence, Outcome, Question
from traindx.remedies.balance_classes import BalanceClasses
from traindx.tasks import labels_of
from traindx.tasks.kinds import predicted_labels
from traindx.training import Job, evaluated_index, predict

MAX_ROWS = 8192
# Rows that a class needs in validation to be counted.
LEAST_ROWS = 3
SEEDS = 3
# Runs are this long, in shares of the training; both sides of a pair alike.
SHARE = 0.5
# Classes that are this many times rarer than the largest are the rare ones; where their recall is within this of the others', all is well.
RARE, RECALL_GAP = 8.0, 0.15


class ClassBalance:
    """Recall by class of the baseline; where rare classes lag, paired trainings with and without balanced classes."""

    name, title, version, reads_test = "class_balance", "balanced classes", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``rare_recall`` against the other classes', and ``recall_gain`` with its interval over paired seeds."""
        labels = lab.task.labels
        if labels is None or lab.baseline().outcome not in (Outcome.FINISHED, Outcome.STOPPED):
            return [_missing("needs one class a row and a training that ended")]
        counts = torch.bincount(labels.clamp_min(0).cpu()).numpy()
        rare = [c for c, n in enumerate(counts) if 0 < n * RARE <= counts.max()]
        first = recalls(lab, lab.job())
        lagging, others = ([first[c] for c in first if (c in rare) == side] for side in (True, False))
        if not lagging or not others:
            return [_missing(f"no rare class has {LEAST_ROWS} validation rows")]
        found = [_evidence("rare_recall", float(np.mean(lagging)), others=float(np.mean(others)), classes=len(rare))]
        if np.mean(lagging) >= np.mean(others) - RECALL_GAP:
            return found
        horizon, remedy = lab.horizon(SHARE), BalanceClasses().ref
        jobs = [
            [lab.job(*side, repeat=k, refold=True, horizon=horizon, keep_weights=True) for k in range(SEEDS)] for side in ((), (remedy,))
        ]
        if sum(lab.cost(job) for side in jobs for job in side) > lab.left:
            return [*found, _missing("the budget is spent")]
        runs = [
            lab.train(side, f"{SEEDS} seeds, {said}") for side, said in zip(jobs, ("rows as they come", "classes balanced"), strict=True)
        ]
        if any(run.outcome not in (Outcome.FINISHED, Outcome.STOPPED) for side in runs for run in side):
            return [*found, _missing("a training diverged")]
        before, after = ([recalls(lab, job) for job in side] for side in jobs)
        gains = np.array([np.mean([b[c] for c in b]) - np.mean([a[c] for c in a]) for a, b in zip(before, after, strict=True)])
        spread = 2 * float(gains.std(ddof=1)) / math.sqrt(SEEDS)
        keys, seeds = tuple(run.key for side in runs for run in side), tuple(run.seed for run in runs[0])
        gain = _evidence("recall_gain", float(gains.mean()), before=_rare(before, rare), after=_rare(after, rare))
        return [*found, gain.replace(low=gain.value - spread, high=gain.value + spread, runs=keys, seeds=seeds, remedy=remedy)]


def recalls(lab: Lab, job: Job) -> dict[int, float]:
    """Recall on validation rows of every class that has LEAST_ROWS of them."""
    task = job.task
    index = evaluated_index(len(task.validation), MAX_ROWS)
    outputs, targets = predict(task, lab.trained_model(job), task.validation, torch.device("cpu"), index)
    wanted = labels_of(torch.cat(targets), task.kind)
    if wanted is None or not all(isinstance(o, Tensor) for o in outputs):
        return {}
    hit = predicted_labels(torch.cat(outputs), wanted, task.loss).reshape(-1) == wanted
    return {
        c: float(hit[wanted == c].float().mean()) for c in wanted.unique().tolist() if c >= 0 and int((wanted == c).sum()) >= LEAST_ROWS
    }


def _rare(found: list[dict[int, float]], rare: list[int]) -> float:
    return float(np.mean([f[c] for f in found for c in f if c in rare] or [math.nan]))


def _evidence(measure: str, value: float, **details: float) -> Evidence:
    return Evidence(experiment="class_balance", measure=measure, value=value, details=dict(details))


def _missing(reason: str) -> Evidence:
    return Evidence(experiment="class_balance", measure="not-applicable", value=math.nan, text=reason)
