"""Before against after, paired: does a treatment hold on seeds, and on sealed test rows, that played no part in choosing it?

The divisions are all five there are; a choice saw three of them, with other seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from traindx.experiments.base import Lab
from traindx.experiments.class_balance import hits
from traindx.experiments.selection_bias import error_of_each
from traindx.records import Comparison, NotApplicable, Outcome, RemedyRef, Run
from traindx.training import Evaluation, Job, evaluate, evaluated_index

# Repeats that no race uses: other seeds, each on one of the five divisions where the validation rows were split off by traindx.
REPEATS = (11, 12, 13, 14, 15)
# Where the budget has more, so many further ones: a small effect takes more pairs to be seen.
FURTHER_REPEATS = (16, 17, 18, 19, 20)
LEAST_PAIRS = 2
# A further remedy is chosen on repeats of its own, so that those of the verification play no part.
CHOOSING = (21, 22, 23)
FINAL = "does the treatment hold?"
MEAN_RECALL = "validation mean recall"


def helps(lab: Lab, chosen: Sequence[RemedyRef], further: RemedyRef) -> bool:
    """Whether the remedy lowers the validation loss on top of those chosen, on every repeat. Cost: two trainings a repeat.

    Raises:
        NotApplicable: when it cannot be applied on top of them.

    """
    jobs = [lab.job(*refs, repeat=r, refold=True) for refs in (chosen, (*chosen, further)) for r in CHOOSING]
    if sum(lab.cost(job) for job in jobs) > lab.left:
        return False
    losses = [final_loss(run) for run in lab.train(jobs, f"{further} on top")]
    return all(after < before for before, after in zip(losses[: len(CHOOSING)], losses[len(CHOOSING) :], strict=True))


class Pair(NamedTuple):
    """The same seed and division, without and with the remedies."""

    before: Job
    after: Job


def pairs(lab: Lab, remedies: Sequence[RemedyRef], kept_back: float = 0.0) -> list[Pair]:
    """One pair a repeat to whose rows the remedies apply, as many as the budget pays for, at least LEAST_PAIRS.

    What was trained already costs nothing; for FURTHER_REPEATS there is only what is left beyond the baseline runs that are ``kept_back``.

    Raises:
        NotApplicable: when they apply to fewer repeats than LEAST_PAIRS.

    """
    paired, reason = list[Pair](), NotApplicable("there are no repeats")
    for repeat in (*REPEATS, *FURTHER_REPEATS):
        try:
            paired.append(Pair(*(lab.job(*refs, repeat=repeat, refold=True, keep_weights=True) for refs in ((), tuple(remedies)))))
        except NotApplicable as found:
            reason = found
    if len(paired) < LEAST_PAIRS:
        raise reason
    costs = np.cumsum([sum(lab.cost(job) for job in pair if job.key not in lab.runs) for pair in paired])
    limits = np.where(np.arange(len(paired)) < len(REPEATS), lab.left, lab.left - kept_back)
    return paired[: max(LEAST_PAIRS, int((costs <= limits + 1e-9).sum()))]


def compare_on_validation(lab: Lab, paired: Sequence[Pair]) -> list[Comparison]:
    """Validation loss and metric, and the recall averaged over classes where the metric is accuracy, trained afresh for every pair.

    Cost: two trainings a pair.
    """
    runs = [lab.train(pair, f"verification with seed {pair.before.recipe.seed}") for pair in paired]
    found = [_comparison("validation_loss", False, runs, [tuple(final_loss(run) for run in two) for two in runs])]
    metric = lab.task.metric
    if metric is not None:
        values = [tuple(run.last("validation_metric") if _ended(run) else math.nan for run in two) for two in runs]
        found.append(_comparison(f"validation {metric.name}", metric.higher_is_better, runs, values))
    if metric is not None and metric.name == "accuracy" and all(_ended(run) for two in runs for run in two):
        recalls = [tuple(_mean_recall(lab, job) for job in pair) for pair in paired]
        found.append(_comparison(MEAN_RECALL, True, runs, recalls))
    return found


def _mean_recall(lab: Lab, job: Job) -> float:
    recalls = [float(hit.mean()) for hit in hits(lab, job).values()]
    return float(np.mean(recalls)) if recalls else math.nan


def _ended(run: Run) -> bool:
    return run.outcome in (Outcome.FINISHED, Outcome.STOPPED)


def asked_of_test(remedies: Sequence[RemedyRef]) -> str:
    """The question that opens the sealed test set: another treatment is another question."""
    return f"{FINAL} ({', '.join(map(str, remedies))})"


def compare_on_test(lab: Lab, paired: Sequence[Pair], remedies: Sequence[RemedyRef]) -> list[Comparison]:
    """The same trained models on the sealed test set, opened once for this question; its intervals hold for all openings together.

    Cost: forward passes only.
    """
    task = lab.task
    if task.test is None or not task.test.has_labels:
        return []
    runs = [[lab.runs[job.key] for job in pair] for pair in paired]
    if not all(_ended(run) for two in runs for run in two):
        return []
    question = asked_of_test(remedies)
    results = [tuple(_on_test(lab, job, question) for job in pair) for pair in paired]
    looks = lab.memory.test_openings(task.fingerprint)
    found = [_comparison("test_loss", False, runs, [tuple(r.loss for r in two) for two in results], looks)]
    if task.metric is not None:
        values = [tuple(r.metric for r in two) for two in results]
        found.append(_comparison(f"test {task.metric.name}", task.metric.higher_is_better, runs, values, looks))
    return found


def _on_test(lab: Lab, job: Job, question: str) -> Evaluation:
    assert job.task.test is not None, "remedies keep the test set"
    rows = job.task.test.rows(question)
    return evaluate(job.task, lab.trained_model(job), rows, torch.device("cpu"), evaluated_index(len(rows)))


def final_loss(run: Run) -> float:
    """The validation loss at the end of a run; infinite where it diverged or failed."""
    return run.last("validation_loss") if _ended(run) else math.inf


def paired_gains(before: Sequence[float], after: Sequence[float]) -> NDArray[np.float64]:
    """How much lower each pair's second value is: the logarithm of their ratio where all are positive, else the difference.

    One division of the rows may be several times as hard as another, and what a treatment does is to take a share off.
    """
    pairs = np.array([before, after], dtype=float)
    first, second = np.log(pairs) if bool((pairs > 0).all()) else pairs
    gains: NDArray[np.float64] = first - second
    return gains


def _comparison(
    measure: str, higher_is_better: bool, runs: Sequence[Sequence[Run]], values: Sequence[Sequence[float]], looks: int = 1
) -> Comparison:
    """The mean paired gain with Student's interval and the probability that it is above zero; and what ranks say, without a model."""
    from scipy.stats import wilcoxon

    before, after = (tuple(float(v) for v in column) for column in zip(*values, strict=True))
    differences = np.array(after) - np.array(before) if higher_is_better else np.array(before) - np.array(after)
    if np.isfinite(differences).all():
        gain, low, high, probability = _student(before, after, higher_is_better, looks)
    else:
        rescued = all(math.isfinite(a) for a in after)
        gain, low, high, probability = (math.inf, math.inf, math.inf, 1.0) if rescued else (math.nan, math.nan, math.nan, 0.0)
    differs = not np.isnan(differences).any() and bool((differences != 0).any())
    return Comparison(
        measure=measure,
        higher_is_better=higher_is_better,
        before=before,
        after=after,
        seeds=tuple(two[0].seed for two in runs),
        gain=gain,
        low=low,
        high=high,
        looks=max(1, looks),
        probability=probability,
        wins=float((differences > 0).mean()),
        p_value=float(wilcoxon(differences, alternative="greater", method="exact").pvalue) if differs else None,
    )


def _student(before: Sequence[float], after: Sequence[float], higher_is_better: bool, looks: int) -> tuple[float, float, float, float]:
    """(gain, low, high, probability above zero) in the unit of the values; where gains are logarithms of ratios, as shares of the mean before."""
    from scipy.stats import t

    ratios = not higher_is_better and min(*before, *after) > 0
    gains = np.array(after) - np.array(before) if higher_is_better else paired_gains(before, after)
    mean, error, freedom = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains)), len(gains) - 1
    margin = float(t.ppf(1 - error_of_each(looks) / 2, freedom)) * error
    bounds = (mean, mean - margin, mean + margin)
    gain, low, high = (float(np.mean(before)) * -math.expm1(-bound) for bound in bounds) if ratios else bounds
    return gain, low, high, float(t.cdf(mean / error, freedom)) if error > 0 else float(mean > 0)
