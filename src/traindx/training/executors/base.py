"""An executor runs jobs and hands back what they became; it alone knows where they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from traindx.training.callbacks import Callback
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
