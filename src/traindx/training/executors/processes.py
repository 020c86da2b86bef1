"""Jobs in processes of this machine, where a run that hangs, dies or eats the memory takes only its own process with it."""

from __future__ import annotations

import atexit
import copy
import multiprocessing
import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from traindx.records import OUT_OF_TIME, InputError, Outcome, Run
from traindx.training.executors.base import CallbackFactory, Tick, no_callbacks
from traindx.training.keys import resolve_device
from traindx.training.trainer import Fitted, Job, fit

# A run is stopped between two updates when its limit is over; a process that has not answered so many seconds later hangs, and is killed.
GRACE_S = 5.0


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int | None = None
    started: float = field(default_factory=time.monotonic)

    def late(self, limit_s: float | None) -> bool:
        return limit_s is not None and self.index is not None and time.monotonic() - self.started > limit_s + GRACE_S


class Processes:
    """Runs jobs in ``workers`` processes that live until `close`. What a task is made of must be importable: no lambdas.

    Workers use as many threads as this process, so a run has the same key and the same numbers wherever it is trained.
    """

    def __init__(self, workers: int = 2) -> None:
        if workers < 1:
            raise InputError("workers", f"found {workers}", "give at least 1")
        self.workers = workers
        self._pool: list[_Worker] = []
        atexit.register(self.close)

    def run(
        self, jobs: Sequence[Job], callbacks: CallbackFactory = no_callbacks, limit_s: float | None = None, tick: Tick | None = None
    ) -> Iterator[Fitted]:
        """Results in the order of the jobs. ``tick`` is not called: a worker cannot say how far it is.

        Raises:
            InputError: when a task cannot be sent to another process.

        """
        orders = deque((i, _packed(job, callbacks, limit_s)) for i, job in enumerate(jobs))
        done: dict[int, Fitted] = {}
        try:
            for wanted in range(len(jobs)):
                while wanted not in done:
                    self._hand_out(orders)
                    done |= self._collect(jobs, limit_s)
                yield done.pop(wanted)
        finally:
            for worker in [w for w in self._pool if w.index is not None]:  # the caller went away: what still runs is of no use
                self._dismiss(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._pool):
            self._dismiss(worker)
        atexit.unregister(self.close)

    def _hand_out(self, orders: deque[tuple[int, bytes]]) -> None:
        while orders and (worker := self._idle()) is not None:
            worker.index, order = orders.popleft()
            worker.started = time.monotonic()
            worker.pipe.send_bytes(order)

    def _idle(self) -> _Worker | None:
        idle = next((w for w in self._pool if w.index is None), None)
        if idle is None and len(self._pool) < self.workers:
            idle = _hired()
            self._pool.append(idle)
        return idle

    def _collect(self, jobs: Sequence[Job], limit_s: float | None) -> dict[int, Fitted]:
        """What came back, or will never come back, by the index of the job."""
        busy = [w for w in self._pool if w.index is not None]
        ready = set(wait([w.pipe for w in busy], timeout=0.2))
        found = {}
        for worker in busy:
            index = worker.index
            assert index is not None, "busy workers have a job"
            job, seconds = jobs[index], time.monotonic() - worker.started
            if worker.pipe in ready:
                found[index] = self._received(worker, job, seconds)
            elif worker.late(limit_s):
                found[index] = _without_result(job, Outcome.STOPPED, f"{OUT_OF_TIME} of {limit_s:.0f} s was reached: it hung", seconds)
                self._dismiss(worker)
        return found

    def _received(self, worker: _Worker, job: Job, seconds: float) -> Fitted:
        try:
            fitted: Fitted = pickle.loads(worker.pipe.recv_bytes())
        except EOFError:
            worker.process.join(GRACE_S)
            reason = f"its process died (exit code {worker.process.exitcode}): out of memory, or ended by its own code"
            self._dismiss(worker)
            return _without_result(job, Outcome.FAILED, reason, seconds)
        worker.index = None
        return fitted

    def _dismiss(self, worker: _Worker) -> None:
        self._pool.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()


def _hired() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, torch.get_num_threads()), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(pipe: Connection, threads: int) -> None:
    """The life of a worker: jobs in, results out, until the pipe is closed."""
    torch.set_num_threads(threads)
    while True:
        try:
            order = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        job, callbacks, limit_s = pickle.loads(order)
        pipe.send_bytes(pickle.dumps(fit(job.task, job.recipe, callbacks(), job.horizon, limit_s, job.keep_weights)))


def _packed(job: Job, callbacks: CallbackFactory, limit_s: float | None) -> bytes:
    """The job for another process: without the sealed test set, which no training needs."""
    task = copy.copy(job.task)
    task.test = None
    try:
        return pickle.dumps((replace(job, task=task), callbacks, limit_s))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            "model",
            f"it cannot be sent to another process ({error})",
            "define what the task is made of in a module, or run in this process",
        ) from None


def _without_result(job: Job, outcome: Outcome, reason: str, seconds: float) -> Fitted:
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
