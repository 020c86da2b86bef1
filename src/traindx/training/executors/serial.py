"""One job after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from traindx.training.executors.base import CallbackFactory, Tick, no_callbacks
from traindx.training.trainer import Fitted, Job, fit


class Serial:
    """Runs jobs in this process: factories may be lambdas. A run is stopped between two updates, so one update that hangs hangs it."""

    def run(
        self, jobs: Sequence[Job], callbacks: CallbackFactory = no_callbacks, limit_s: float | None = None, tick: Tick | None = None
    ) -> Iterator[Fitted]:
        """One after the other."""
        for job in jobs:
            yield fit(job.task, job.recipe, callbacks(), job.horizon, limit_s, job.keep_weights, tick)

    def close(self) -> None:
        """Nothing is left running."""
