"""An experiment varies one factor, keeps the rest fixed, and returns evidence.

Experiments share a `Lab`: the task and recipe under diagnosis, an executor for runs, a memory in which finished runs and evidence are found
again, and an account of what was spent. Nothing is trained twice: a run that the memory holds is taken from there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import safetensors.torch
import torch
from torch import nn

from traindx.records import Evidence, Outcome, Question, Recipe, RemedyRef, Run
from traindx.remedies import make_remedy
from traindx.tasks import FOLDS, Task, preserved_rng
from traindx.tasks.fingerprint import digest
from traindx.training import Fitted, Job, evaluation_steps, steps_per_epoch, total_steps
from traindx.training.executors import CallbackFactory, Executor
from traindx.training.keys import CODE_VERSION

# A budget above this is no budget: baseline runs.
UNLIMITED = 1e6
# The fixed cost of an update, in rows: on one core, updates of small networks on 32 rows take about twice as long as on one.
STEP_ROWS = 32
# A baseline of less work than this (as of 100 updates on 64 rows), and of less time in seconds, is a short training: see `Spending.unit`.
SHORT_WORK, SHORT_S = 10_000, 2.0
# A run may take this many times as long as the baseline did, and LEAST_LIMIT_S in any case, before it is stopped.
TIME_LIMIT_FACTOR, LEAST_LIMIT_S = 20.0, 60.0


def work(steps: int, recipe: Recipe, rows: int, remedies: Sequence[RemedyRef] = ()) -> int:
    """What so many updates cost, in rows: an update takes as long as STEP_ROWS rows, besides those it reads; and once more a further network."""
    return steps * networks(remedies) * (STEP_ROWS + min(recipe.batch_size * recipe.accumulate, rows))


def networks(remedies: Sequence[RemedyRef]) -> int:
    """How many networks are trained with these remedies."""
    return math.prod(make_remedy(remedy).networks for remedy in remedies)


class Memory(Protocol):
    """What a lab remembers by key; a store is one."""

    def get_run(self, key: str) -> Run | None:
        """A run that has ended."""

    def start_run(self, key: str, task: str, task_name: str, recipe: Recipe) -> None:
        """An attempt begins."""

    def put_run(self, run: Run) -> None:
        """A run has ended."""

    def get_evidence(self, key: str) -> tuple[Evidence, ...] | None:
        """What an experiment found."""

    def put_evidence(self, key: str, experiment: str, evidence: Sequence[Evidence]) -> None:
        """An experiment is done."""

    def test_openings(self, task: str) -> int:
        """How many questions the sealed test set of the task has answered."""

    def get_weights(self, key: str) -> bytes | None:
        """The weights a run ended with, where they were kept."""

    def put_weights(self, key: str, data: bytes) -> None:
        """Keep them."""


@dataclass
class Spending:
    """What was spent so far: baseline runs (by work, see `work`, so the same on every machine) and when the clock was started."""

    work: int = 0
    baseline_work: int = 1
    baseline_seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    @property
    def unit(self) -> float:
        """The work that counts as one baseline run: the baseline's own, or that of a short training where the baseline is shorter and quick.

        A few times a handful of updates settles nothing and costs nothing.
        """
        quick = SHORT_S / self.baseline_seconds if self.baseline_seconds else 1.0
        return self.baseline_work * max(1.0, min(SHORT_WORK / self.baseline_work, quick))

    @property
    def runs(self) -> float:
        """In baseline runs."""
        return self.work / self.unit

    @property
    def seconds(self) -> float:
        """On the wall clock."""
        return time.perf_counter() - self.started

    def runs_until(self, limit: float) -> float:
        """How many baseline runs there is time for until the clock shows ``limit`` seconds, at the pace of the baseline; below zero past it."""
        left, pace = limit - self.seconds, self.baseline_seconds * self.unit / self.baseline_work
        return left / pace if pace and math.isfinite(left) else math.copysign(math.inf, left)


class Lab:
    """Where experiments are done on one task and recipe."""

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        executor: Executor,
        memory: Memory,
        callbacks: CallbackFactory,
        progress: Callable[[str, float], None],
        budget: float = math.inf,
        limit: float = math.inf,
    ) -> None:
        self.task, self.recipe, self.executor, self.memory, self.callbacks = task, recipe, executor, memory, callbacks
        self._progress, self.budget, self.limit = progress, budget, limit
        self.total = total_steps(len(task.train), recipe)
        self.per_epoch = steps_per_epoch(len(task.train), recipe)
        self.spending = Spending(baseline_work=work(self.total, recipe, len(task.train)))
        self.runs: dict[str, Run] = {}

    @property
    def left(self) -> float:
        """Baseline runs left of the budget, and of the limit in seconds."""
        return min(min(self.budget, UNLIMITED) - self.spending.runs, self.spending.runs_until(self.limit))

    # -- runs ----------------------------------------------------------------------------------------------------------------------

    def job(
        self, *remedies: RemedyRef, repeat: int = 0, refold: bool = False, horizon: int | None = None, keep_weights: bool = False
    ) -> Job:
        """The training with these interventions. Repeat k trains with another seed, and with ``refold`` on another division of the rows.

        Raises:
            NotApplicable: when a remedy cannot be applied.

        """
        task = self.task.resplit((self.task.fold + repeat) % FOLDS) if refold and repeat else self.task
        recipe = self.recipe.replace(seed=self.recipe.seed + repeat)
        for remedy in remedies:
            changed, recipe = make_remedy(remedy).apply(task, recipe)
            task = task.changed(remedy) if changed is task else changed
        return Job(task, recipe, horizon, keep_weights or (not remedies and not repeat and horizon is None))

    def cost(self, job: Job) -> float:
        """What a job takes, in baseline runs."""
        steps = total_steps(len(job.task.train), job.recipe)
        return work(min(steps, job.horizon or steps), job.recipe, len(job.task.train), job.task.remedies) / self.spending.unit

    def baseline_cost(self, horizon: int) -> float:
        """What the baseline takes up to this update, in baseline runs."""
        return work(horizon, self.recipe, len(self.task.train)) / self.spending.unit

    def train(self, jobs: Sequence[Job], stage: str) -> list[Run]:
        """The runs of these jobs, from memory where they were done before."""
        keys = [job.key for job in jobs]
        missing = [(key, job) for key, job in zip(keys, jobs, strict=True) if key not in self.runs and not self._remember(key, job)]
        for key, job in missing:
            self.memory.start_run(key, job.task.fingerprint, job.task.name, job.recipe)
        self._progress(stage, self.spending.runs)
        done = self.spending.runs
        fitted = self.executor.run(
            [job for _, job in missing],
            self.callbacks,
            self._limit_s([job for _, job in missing]),
            lambda step: self._progress(stage, done + step / self.total),
        )
        for _ in missing:
            self._keep(next(iter(fitted)))
            done = self.spending.runs
        return [self.runs[key] for key in keys]

    def _remember(self, key: str, job: Job) -> bool:
        run = self.memory.get_run(key)
        if run is None or (job.keep_weights and self.memory.get_weights(key) is None and run.outcome is Outcome.FINISHED):
            return False
        self._account(run.replace(remedies=job.task.remedies))
        return True

    def _keep(self, fitted: Fitted) -> None:
        if fitted.weights is not None:
            self.memory.put_weights(fitted.run.key, safetensors.torch.save(fitted.weights))
        if not fitted.run.out_of_time:  # what the clock ended is no result to be found again
            self.memory.put_run(fitted.run)
        self._account(fitted.run)

    def _account(self, run: Run) -> None:
        self.runs[run.key] = run
        self.spending.work += work(run.steps, run.recipe, len(self.task.train), run.remedies)
        if not run.remedies and run.horizon is None and not self.spending.baseline_seconds:
            self.spending.baseline_seconds = run.seconds

    def _limit_s(self, jobs: Sequence[Job]) -> float | None:
        known, most = self.spending.baseline_seconds, max((networks(job.task.remedies) for job in jobs), default=1)
        return most * max(LEAST_LIMIT_S, TIME_LIMIT_FACTOR * known) if known else None

    def baseline(self) -> Run:
        """The untouched task and recipe, at full length."""
        return self.train([self.job()], "baseline")[0]

    def trained_model(self, job: Job | None = None) -> nn.Module:
        """The model of a job whose weights were kept (the baseline by default), with the weights it ended with, on the CPU."""
        job = job or self.job()
        data = self.memory.get_weights(job.key)
        assert data is not None, "the job was run with keep_weights"
        model = job.task.build(job.recipe.seed)
        model.load_state_dict(safetensors.torch.load(data))
        return model

    def horizon(self, share: float) -> int:
        """The evaluated step nearest to this share of the training, at least the first after 0."""
        steps = evaluation_steps(self.total, self.per_epoch)[1:]
        return min(steps, key=lambda step: abs(step - share * self.total))

    # -- evidence ------------------------------------------------------------------------------------------------------------------

    def answer(self, question: Question, experiment: Experiment) -> tuple[Evidence, ...]:
        """The experiment's evidence, from memory where the same question was answered before on the same task and recipe."""
        content = (
            self.task.fingerprint,
            self.recipe.model_dump_json(),
            question.model_dump_json(),
            self.budget,
            torch.get_num_threads(),
            torch.__version__,
            CODE_VERSION,
        )
        key = digest("evidence", experiment.name, experiment.version, *content, self._test_digest() if experiment.reads_test else "")
        known = self.memory.get_evidence(key)
        if known is None:
            self._progress(experiment.title, self.spending.runs)
            with preserved_rng():  # a model that is looked at may draw dropout masks
                known = tuple(experiment.run(self, question))
            self.memory.put_evidence(key, experiment.name, known)
        self._recall({run for item in known for run in item.runs})
        return known

    def _recall(self, keys: set[str]) -> None:
        """Runs behind remembered evidence belong to this diagnosis too."""
        for key in sorted(keys - self.runs.keys()):
            run = self.memory.get_run(key)
            if run is not None:
                self._account(run)

    def _test_digest(self) -> str:
        return digest(self.task.test.identity) if self.task.test else ""


class Experiment(Protocol):
    """A question answered by runs or predictions that differ in one factor."""

    name: str
    title: str
    version: int
    reads_test: bool

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """The evidence. What cannot be done is evidence too: measure ``not-applicable`` with the reason as text."""
