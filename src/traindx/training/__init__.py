"""A trainer fits a task by a recipe and returns a run; executors run many."""

from __future__ import annotations

from traindx.training.callbacks import Callback, TrainingState
from traindx.training.evaluation import (
    Evaluation,
    check_loss,
    chunk_losses,
    evaluate,
    evaluated_index,
    evaluation_mode,
    mean_and_error,
    metric_of,
    predict,
)
from traindx.training.keys import resolve_device, run_key
from traindx.training.optimizers import takes
from traindx.training.trainer import Fitted, Job, check_recipe, evaluation_steps, fit, steps_per_epoch, total_steps

__all__ = [
    "Callback",
    "Evaluation",
    "Fitted",
    "Job",
    "TrainingState",
    "check_loss",
    "check_recipe",
    "chunk_losses",
    "evaluate",
    "evaluated_index",
    "evaluation_mode",
    "evaluation_steps",
    "fit",
    "mean_and_error",
    "metric_of",
    "predict",
    "resolve_device",
    "run_key",
    "steps_per_epoch",
    "takes",
    "total_steps",
]
