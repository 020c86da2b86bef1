"""A search over the few numbers that matter for a diagnosis: a tree-structured Parzen estimator, asked and told.

The sampler is seeded and the runs are remembered by the store, so a search that was killed repeats its questions, finds the answers there,
and goes on: no second memory is needed (and none could contradict the first).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from traindx.experiments.lr_range_test import UPDATES, ramp, rate_range
from traindx.experiments.verification import CHOOSING
from traindx.records import InputError, NotApplicable
from traindx.remedies import ScaleRate
from traindx.training import Job, total_steps
from traindx.treatment.candidates import Number, in_order
from traindx.treatment.choosing import Choosing, Remedies, Score

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# A trial is looked at after this share of its length and after each repeat, and given up where it is not among the best of every three that
# were looked at there (successive halving, Li et al. 2020): a repeat costs a whole training.
FIRST_LOOK, OF = 0.3, 3
# So many trials are drawn at random before there is any model of them.
RANDOM = 6
# A trial is begun while so many times the trainings on every repeat can be paid: its own, and those that find what can be left out of it.
KEPT_BACK = 2
# Trials at most, whatever they cost: what cannot be applied costs nothing.
MOST = 200


def search(choosing: Choosing, chosen: Remedies, known: Score, numbers: Sequence[Number], seed: int) -> Remedies:
    """The remedies with the numbers of the lowest mean validation loss, of those that are better than what is ``known``; else those given.

    As many trials as can be paid. Cost: a part of a training for a trial that is given up, a training a repeat for one that is not.
    """
    import optuna

    with _quiet():
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM, multivariate=True),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=OF),
            direction="minimize",
        )
        space, beginnings = _space(choosing, chosen, numbers)
        for values in beginnings:
            study.enqueue_trial(values)
        best, lowest = chosen, known.mean
        while len(study.trials) < MOST and choosing.left(best) >= KEPT_BACK * choosing.cost(chosen) + FIRST_LOOK:
            trial = study.ask(space)
            remedies = with_numbers(chosen, numbers, trial.params)
            try:
                score = _tried(choosing, trial, remedies, known)
            except (NotApplicable, InputError):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            if score is None:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                continue
            study.tell(trial, _finite(score.mean))
            if score.mean < lowest and score.better(known):
                best, lowest = remedies, score.mean
    return best


def with_numbers(chosen: Remedies, numbers: Sequence[Number], values: dict[str, float]) -> Remedies:
    """The remedies with these numbers in place of those that were chosen before."""
    new = tuple(number.ref(values[number.remedy]) for number in numbers)
    return in_order((*(ref for ref in chosen if ref.id not in {r.id for r in new}), *new))


def _tried(choosing: Choosing, trial: Trial, remedies: Remedies, known: Score) -> Score | None:
    """What every repeat ends at; None where the trial was given up: behind the others, or above what is known of the first repeat.

    Raises:
        NotApplicable: when the remedies cannot be applied with these numbers; InputError when they refuse them.

    """
    stage = f"search, trial {trial.number + 1}"
    job = choosing.lab.job(*remedies)
    horizon = max(1, math.ceil(FIRST_LOOK * total_steps(len(job.task.train), job.recipe)))
    trial.report(_finite(choosing.loss(remedies, 0, stage, horizon)), 1)
    losses: list[float] = []
    for repeat in range(len(known.losses)):
        if trial.should_prune():
            return None
        losses.append(choosing.loss(remedies, repeat, stage))
        trial.report(_finite(float(np.mean(losses))), OF ** (repeat + 1))
        if losses[0] > known.losses[0]:
            return None
    return choosing.score(remedies, stage)


def _finite(loss: float) -> float:
    """A number that the sampler can order: divergence is worse than anything."""
    return loss if math.isfinite(loss) else float(np.finfo(np.float32).max)


def _space(choosing: Choosing, chosen: Remedies, numbers: Sequence[Number]) -> tuple[dict[str, BaseDistribution], list[dict[str, float]]]:
    """The bounds of every number, those of the rate by a range test; and where to begin: near what is chosen, and at the rate proposed."""
    from optuna.distributions import FloatDistribution

    bounds = {number.remedy: number.within(chosen) for number in numbers}
    nearest = {number.remedy: number.nearest(chosen) for number in numbers}
    beginnings = [nearest]
    if ScaleRate.id in bounds and (band := _factors(choosing, chosen)) is not None:
        low, high = max(bounds[ScaleRate.id][0], band[0]), min(bounds[ScaleRate.id][1], band[2])
        if low < high:
            bounds[ScaleRate.id] = low, high
            beginnings = [nearest | {ScaleRate.id: min(max(rate, low), high)} for rate in (nearest[ScaleRate.id], band[1])]
    return {name: FloatDistribution(low, high, log=True) for name, (low, high) in bounds.items()}, beginnings


def _factors(choosing: Choosing, chosen: Remedies) -> tuple[float, float, float] | None:
    """(lowest, proposed, highest) factor on the recipe's rate by a range test of the treated training; None where it finds no usable rate."""
    lab = choosing.lab
    job = lab.job(*(ref for ref in chosen if ref.id != ScaleRate.id))
    jobs = [Job(job.task, ramp(job.recipe, lab.recipe.seed + repeat), UPDATES) for repeat in CHOOSING]
    if job.recipe.lr == 0 or sum(map(lab.cost, jobs)) > choosing.left(chosen) / 2:
        return None
    found = rate_range(lab.train(jobs, "raising the learning rate"))
    if found.low is None or found.high is None or found.proposed is None:
        return None
    return found.low / job.recipe.lr, found.proposed / job.recipe.lr, found.high / job.recipe.lr


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines, and with its verbosity left as it was."""
    import warnings

    import optuna

    kept = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the multivariate sampler is marked so
            yield
    finally:
        optuna.logging.set_verbosity(kept)
