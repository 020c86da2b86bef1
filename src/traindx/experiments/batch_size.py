"""Which batch size pays here? Gradient noise says how large a batch may be before its rows repeat one another; a clock says what it costs.

The simple noise scale of McCandlish et al. (An Empirical Model of Large-Batch Training, 2018, eq. 2.9 and appendix A.1) is the trace of the
covariance of a row's gradient over the squared norm of the mean gradient: batches far below it waste nothing, batches far above it waste
rows. What is proposed was tried: each size trains for as many epochs, at the rate that goes with it, and is timed on this device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from traindx.experiments.base import Lab
from traindx.records import Curve, Evidence, Outcome, Question, Recipe, Run
from traindx.tasks import Task
from traindx.training import Job, TrainingState, fit, resolve_device, steps_per_epoch, total_steps
from traindx.training.descended import descended
from traindx.training.trainer import OUT_OF_MEMORY

# Sizes that are tried, as factors of the recipe's; batches are not made smaller than SMALLEST.
FACTORS, SMALLEST = (0.25, 1.0, 4.0, 16.0), 8
# The share of the training that each size is tried for.
SHARE = 0.25
# Updates that are timed for each size, after some that warm up caches and memory.
TIMED, WARM_UP = 8, 3
# Optimizers whose step does not grow with the gradient: the rate goes with the root of the batch (Malladi et al. 2022); else in proportion
# to it (Goyal et al. 2017).
RESCALING = ("adam", "adamw", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta")
# A size is as good as the best when its loss is above it by no more than so many standard errors over rows.
ERRORS = 1.0


@dataclass(frozen=True)
class Tried:
    """One batch size, tried: its rate, what its short training reached, and seconds an update and an epoch, NaN where it did not fit."""

    batch_size: int
    lr: float
    loss: float
    error: float
    update_s: float
    epoch_s: float
    run: Run | None
    reason: str = ""


class _Clock:
    """Seconds an update, with the device waited for at both ends."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._started = 0.0

    def start(self, state: TrainingState) -> None:
        """Nothing to prepare."""

    def before_forward(self, state: TrainingState) -> None:
        """The clock starts."""
        _wait()
        self._started = time.perf_counter()

    def before_step(self, state: TrainingState) -> None:
        """In the middle of what is timed."""

    def after_step(self, state: TrainingState) -> None:
        """The clock stops."""
        _wait()
        self._seconds.append(time.perf_counter() - self._started)

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        """``update_seconds``."""
        return {"update_seconds": Curve(steps=tuple(range(1, len(self._seconds) + 1)), values=tuple(self._seconds))}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def noise_scale(task: Task, recipe: Recipe, model: nn.Module) -> float:
    """The simple noise scale in rows at the weights of ``model``; infinite where the mean gradient is lost in its noise.

    Cost: one pass over the training rows that are evaluated.
    """
    measured = list(descended(task, recipe, model.to(resolve_device(recipe.device))).batch_gradients())
    rows = np.array([n for n, _ in measured], dtype=float)
    gradients = torch.stack([g.double().cpu() for _, g in measured])
    if len(rows) < 2:
        return math.nan
    mean = (gradients * torch.from_numpy(rows / rows.sum())[:, None]).sum(0)
    # Of k batches of b rows each, b times the variance of their gradients is that of a row, and a k-th of the variance is in their mean.
    variance = float(rows.mean() * (gradients - mean).square().sum() / (len(rows) - 1))
    signal = float(mean.square().sum()) - variance / float(rows.sum())
    return variance / signal if signal > 0 else math.inf


def scaled(recipe: Recipe, size: int, rows: int) -> Recipe:
    """The recipe with this batch size, the rate that goes with it, and as many epochs."""
    factor = size / min(recipe.batch_size, rows)
    if factor == 1:
        return recipe.replace(batch_size=size)
    optimizer = recipe.optimizer.rpartition(":")[2].lower()  # a class is told as module:Class
    rate = recipe.lr * (math.sqrt(factor) if optimizer in RESCALING else factor)
    longest = None if recipe.max_steps is None else max(1, math.ceil(recipe.max_steps / factor))
    return recipe.replace(batch_size=size, lr=float(f"{rate:.4g}"), max_steps=longest, warmup_steps=round(recipe.warmup_steps / factor))


def sizes(recipe: Recipe, rows: int) -> list[int]:
    """The batch sizes to try, the recipe's own among them."""
    own = min(recipe.batch_size, rows)
    return sorted({own, *(size for factor in FACTORS if SMALLEST <= (size := round(own * factor)) <= rows)})


def seconds_per_update(task: Task, recipe: Recipe) -> tuple[float, str]:
    """(median seconds of an update on this device, "") or (NaN, why there is none). Cost: TIMED + WARM_UP updates."""
    updates = TIMED + WARM_UP
    run = fit(task, recipe.replace(epochs=updates, max_steps=updates, early_stopping=None), [_Clock()], horizon=updates).run
    if run.outcome is Outcome.FAILED:
        return math.nan, run.reason
    timed = run.curves["update_seconds"].values[WARM_UP:]
    return (float(np.median(timed)), "") if timed else (math.nan, run.reason)


def best(tried: Sequence[Tried]) -> Tried | None:
    """The size of the shortest epoch among those whose loss is as good as the best one's; None where none ended with a finite loss."""
    ended = [t for t in tried if math.isfinite(t.loss)]
    if not ended:
        return None
    lowest = min(ended, key=lambda t: t.loss)
    within = lowest.loss + ERRORS * (lowest.error if math.isfinite(lowest.error) else 0.0)
    return min((t for t in ended if t.loss <= within), key=lambda t: t.epoch_s)


class BatchSize:
    """The noise scale where the baseline begins and ends, and batch sizes tried and timed."""

    name, title, version, reads_test = "batch_size", "batch sizes, tried and timed", 2, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``noise_scale`` in rows at the "start" and the "end"; one ``tried`` a size, its loss; ``proposed_batch_size``."""
        found = self._noise(lab)
        tried: list[Tried] = []
        for size in sizes(lab.recipe, len(lab.task.train)):
            tried.append(self._try(lab, size))
            if tried[-1].reason == OUT_OF_MEMORY:  # a larger one does not fit either
                break
        found += [_evidence(t) for t in tried]
        chosen = best(tried)
        if chosen is not None and chosen.run is not None:
            details = {"lr": chosen.lr, "update_seconds": chosen.update_s, "epoch_seconds": chosen.epoch_s, "device": chosen.run.device}
            keys = tuple(t.run.key for t in tried if t.run is not None)
            found.append(
                Evidence(
                    experiment=self.name,
                    measure="proposed_batch_size",
                    value=float(chosen.batch_size),
                    runs=keys,
                    seeds=(lab.recipe.seed,),
                    details=details,
                )
            )
        return found

    def _noise(self, lab: Lab) -> list[Evidence]:
        run = lab.baseline()
        models = {"start": lab.task.build(lab.recipe.seed)}
        if run.outcome in (Outcome.FINISHED, Outcome.STOPPED):
            models["end"] = lab.trained_model()
        values = {where: noise_scale(lab.task, lab.recipe, model) for where, model in models.items()}
        own = float(min(lab.recipe.batch_size * lab.recipe.accumulate, len(lab.task.train)))
        return [
            Evidence(experiment=self.name, measure="noise_scale", value=v, subject=where, details={"batch_size": own}, runs=(run.key,))
            for where, v in values.items()
        ]

    def _try(self, lab: Lab, size: int) -> Tried:
        recipe, rows = scaled(lab.recipe, size, len(lab.task.train)), len(lab.task.train)
        update_s, reason = seconds_per_update(lab.task, recipe)
        if reason:
            return Tried(size, recipe.lr, math.nan, math.nan, math.nan, math.nan, None, reason)
        horizon = max(1, math.ceil(SHARE * total_steps(rows, recipe)))
        (run,) = lab.train([Job(lab.task, recipe, horizon)], f"batches of {size} rows")
        ended = run.outcome in (Outcome.FINISHED, Outcome.STOPPED)
        loss, error = (run.last("validation_loss"), run.spread.get("validation_loss", math.nan)) if ended else (math.nan, math.nan)
        return Tried(size, recipe.lr, loss, error, update_s, update_s * steps_per_epoch(rows, recipe), run, run.reason)


def _evidence(tried: Tried) -> Evidence:
    return Evidence(
        experiment=BatchSize.name,
        measure="tried",
        value=tried.loss,
        subject=str(tried.batch_size),
        text=tried.reason,
        runs=() if tried.run is None else (tried.run.key,),
        details={"lr": tried.lr, "error": tried.error, "update_seconds": tried.update_s, "epoch_seconds": tried.epoch_s},
    )
