"""Jobs in processes of this machine, where a run that hangs, dies or eats the memory takes only its own process with it."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import util
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Literal

import torch

from traindx.records import OUT_OF_TIME, InputError, Outcome
from traindx.tasks import SealedTest
from traindx.training.executors.base import CallbackFactory, Tick, failed_run, no_callbacks
from traindx.training.trainer import OUT_OF_MEMORY, Fitted, Job, check_recipe, fit

# A run is stopped between two updates when its limit is over; a process that has not answered so many seconds later hangs, and is killed.
GRACE_S = 5.0
# A new process must have imported what it needs within so many seconds.
START_S = 120.0
# How often the limits are looked at.
POLL_S = 0.2


@dataclass(frozen=True)
class _Trouble:
    """What a worker answers when it has no run to answer with."""

    kind: Literal["memory", "unreadable job", "defect of traindx"]
    text: str = ""


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int | None = None
    started: float = 0.0


class Processes:
    """Runs jobs in ``workers`` processes that live until `close`. What a task is made of must be importable: no lambdas.

    Workers use as many threads as this process does when it hands a job out, so a run has the same key and the same numbers wherever it is
    trained. What a worker prints is thrown away. One call of `run` at a time; the processes also end with this object and with this
    process, however it ends.
    """

    def __init__(self, workers: int = 2) -> None:
        if workers < 1:
            raise InputError("workers", f"found {workers}", "give at least 1")
        self.workers = workers
        self._pool: list[_Worker] = []
        util.Finalize(self, _dismiss_all, args=(self._pool,), exitpriority=10)  # before multiprocessing waits for its children

    def run(
        self, jobs: Sequence[Job], callbacks: CallbackFactory = no_callbacks, limit_s: float | None = None, tick: Tick | None = None
    ) -> Iterator[Fitted]:
        """Results in the order of the jobs. ``tick`` is not called: a worker cannot say how far it is.

        Raises:
            InputError: when a recipe cannot be followed, a task cannot be sent to another process, or no process can be started.

        """
        waiting, done = deque(enumerate(jobs)), dict[int, Fitted]()
        try:
            for wanted in range(len(jobs)):
                while wanted not in done:
                    self._hand_out(waiting, callbacks, limit_s)
                    done |= self._collect(jobs, limit_s)
                yield done.pop(wanted)
        finally:
            for worker in [w for w in self._pool if w.index is not None]:  # the caller went away: what still runs is of no use
                _dismiss(self._pool, worker)

    def close(self) -> None:
        """End all workers."""
        _dismiss_all(self._pool)

    def _hand_out(self, waiting: deque[tuple[int, Job]], callbacks: CallbackFactory, limit_s: float | None) -> None:
        while waiting and sum(w.index is not None for w in self._pool) < self.workers:
            order = _packed(waiting[0][1], callbacks, limit_s)
            worker = self._idle(len(waiting))
            worker.index, worker.started = waiting.popleft()[0], time.monotonic()
            with suppress(OSError):  # a process that died just now is found out when its answer is read
                worker.pipe.send_bytes(order)

    def _idle(self, jobs: int) -> _Worker:
        """A worker without a job. Where there is none, as many are started at once as there is work for."""
        for worker in [w for w in self._pool if not w.process.is_alive() and w.index is None]:
            _dismiss(self._pool, worker)
        idle = [w for w in self._pool if w.index is None]
        if not idle:
            idle = [_started() for _ in range(min(jobs, self.workers - len(self._pool)))]
            self._pool += idle
            for worker in idle:
                _await_start(worker)
        return idle[0]

    def _collect(self, jobs: Sequence[Job], limit_s: float | None) -> dict[int, Fitted]:
        """What came back, or will never come back, by the index of the job."""
        busy = [(w, w.index) for w in self._pool if w.index is not None]
        ready = set(wait([w.pipe for w, _ in busy], timeout=POLL_S))
        found = {}
        for worker, index in busy:
            seconds = time.monotonic() - worker.started
            if worker.pipe in ready:
                found[index] = self._received(worker, jobs[index], seconds)
            elif limit_s is not None and seconds > limit_s + GRACE_S:
                _dismiss(self._pool, worker)
                reason = f"{OUT_OF_TIME} of {limit_s:.0f} s was reached: it hung and was killed"
                found[index] = failed_run(jobs[index], Outcome.STOPPED, reason, seconds)
        return found

    def _received(self, worker: _Worker, job: Job, seconds: float) -> Fitted:
        try:
            answer: Fitted | _Trouble = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            worker.process.join(GRACE_S)
            reason = _cause_of_death(worker.process.exitcode)
            _dismiss(self._pool, worker)
            return failed_run(job, Outcome.FAILED, reason, seconds)
        worker.index = None
        if isinstance(answer, Fitted):
            # The same training under the same key, also where a task's content cannot be read twice alike (rows augmented at random).
            return replace(answer, run=answer.run.model_copy(update={"key": job.key, "task": job.task.fingerprint}))
        match answer.kind:
            case "memory":
                return failed_run(job, Outcome.FAILED, OUT_OF_MEMORY, seconds)
            case "unreadable job":
                raise _not_sendable(answer.text)
            case "defect of traindx":
                raise RuntimeError(f"a worker process raised\n{answer.text}")


def _dismiss(pool: list[_Worker], worker: _Worker) -> None:
    pool.remove(worker)
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _dismiss_all(pool: list[_Worker]) -> None:
    for worker in list(pool):
        _dismiss(pool, worker)


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"its process was killed by signal {-exit_code} ({signal.strsignal(-exit_code)}): for want of memory, or by somebody"
    return f"its process ended itself (exit code {exit_code})"


def _started() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name="traindx worker")  # no daemon: a DataLoader may need children
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _await_start(worker: _Worker) -> None:
    with suppress(EOFError, OSError):
        if worker.pipe.poll(START_S) and worker.pipe.recv_bytes():
            return
    raise InputError(
        "executor",
        "its worker processes do not start",
        "put the script's own doing under if __name__ == '__main__':, or use the serial executor",
    )


class _Packer(pickle.Pickler):
    """Leaves the sealed test set out, wherever it is held: no training needs it, and its ledger is kept in one process."""

    def reducer_override(self, value: object) -> Any:
        return (type(None), ()) if isinstance(value, SealedTest) else NotImplemented


def _packed(job: Job, callbacks: CallbackFactory, limit_s: float | None) -> bytes:
    check_recipe(job.recipe)
    packed = io.BytesIO()
    try:
        _Packer(packed).dump((torch.get_num_threads(), job, callbacks, limit_s))
    except Exception as error:  # whatever the objects of a task raise when they are asked to be bytes
        raise _not_sendable(str(error)) from None
    return packed.getvalue()


def _not_sendable(why: str) -> InputError:
    return InputError(
        "model", f"the task cannot be sent to another process ({why})", "give functions defined in a module, or use the serial executor"
    )


# -- in the worker -----------------------------------------------------------------------------------------------------------------------


def _serve(pipe: Connection) -> None:
    """The life of a worker: jobs in, answers out, until the pipe is closed."""
    _leave_the_terminal_alone()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send_bytes(b"ready")
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(order: bytes) -> bytes:
    try:
        return pickle.dumps(_fitted(order))
    except MemoryError:
        return pickle.dumps(_Trouble("memory"))
    except Exception:  # nothing of the user's comes through `fit`: it is raised again in the process of the caller
        return pickle.dumps(_Trouble("defect of traindx", traceback.format_exc()))


def _fitted(order: bytes) -> Fitted | _Trouble:
    try:
        threads, job, callbacks, limit_s = pickle.loads(order)
    except MemoryError:
        raise
    except Exception as error:  # as the caller's classes raise it
        return _Trouble("unreadable job", f"{type(error).__name__}: {error}")
    torch.set_num_threads(threads)
    return fit(job.task, job.recipe, callbacks(), job.horizon, limit_s, job.keep_weights)


def _leave_the_terminal_alone() -> None:
    """Print nowhere, and leave Ctrl-C to the parent, which ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def _end_with_parent() -> None:
    """A parent that is killed cannot end its workers: a run that goes on for nobody is ended here."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
