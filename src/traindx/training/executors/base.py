"""An executor runs jobs and hands back what they became; it alone knows where they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch

from traindx.records import Outcome, Run
from traindx.training.callbacks import Callback
from traindx.training.keys import resolve_device
from traindx.training.trainer import Fitted, Job

CallbackFactory = Callable[[], Sequence[Callback]]
Tick = Callable[[int], None]


def no_callbacks() -> Sequence[Callback]:
    """Nobody watches."""
    return ()


class Executor(Protocol):
    """Runs jobs. A job that raises, hangs beyond its limit, dies or runs out of memory ends as that run's outcome."""

    def run(
        self, jobs: Sequence[Job], callbacks: CallbackFactory = no_callbacks, limit_s: float | None = None, tick: Tick | None = None
    ) -> Iterator[Fitted]:
        """One `Fitted` a job, in the order of the jobs, each as soon as it and those before it are done.

        Args:
            jobs: what to train.
            callbacks: makes fresh callbacks for each job.
            limit_s: seconds a job may take.
            tick: told the updates done of the job that is running, where the executor can know.

        """

    def close(self) -> None:
        """Stop whatever still runs."""


def failed_run(job: Job, outcome: Outcome, reason: str, seconds: float) -> Fitted:
    """What a job became whose process gave no answer: its run, without any observation."""
    run = Run(
        key=job.key,
        task=job.task.fingerprint,
        task_name=job.task.name,
        recipe=job.recipe,
        remedies=job.task.remedies,
        outcome=outcome,
        reason=reason,
        steps=0,
        epochs=0.0,
        seconds=seconds,
        horizon=job.horizon,
        threads=torch.get_num_threads(),
        device=str(resolve_device(job.recipe.device)),
    )
    return Fitted(run)
