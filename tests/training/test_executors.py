"""One suite for every executor; what only processes can survive is asked of them alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from programs import RECIPE, Dying, Hanging, Hungry, Net, Raising, digits, job
from torch import nn

from traindx import InputError, Outcome, Recipe, Task
from traindx.probes import default_probes
from traindx.training import Job
from traindx.training.executors import Executor, Processes, Serial
from traindx.training.executors import processes as module


@pytest.fixture(scope="module", params=[Serial, Processes])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made: Any = request.param()
    yield made
    made.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes(workers=1)
    yield made
    made.close()


def test_results_come_in_the_order_of_the_jobs(executor: Executor) -> None:
    jobs = [job(recipe=RECIPE.replace(seed=seed, epochs=1 + (seed == 0) * 5)) for seed in range(3)]
    assert [f.run.key for f in executor.run(jobs)] == [j.key for j in jobs]


def test_outcomes_are_values(executor: Executor) -> None:
    wild = Recipe(lr=1e30, epochs=2)
    runs = [f.run for f in executor.run([job(), job(recipe=wild), job(Raising), job(Hungry)])]
    assert [run.outcome for run in runs] == [Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED, Outcome.FAILED]
    assert "a planted error" in runs[2].reason
    assert runs[3].reason == "out of memory"


def test_every_executor_gives_the_same_numbers(executor: Executor) -> None:
    (here,) = Serial().run([job(keep_weights=True)], default_probes)
    (there,) = executor.run([job(keep_weights=True)], default_probes)
    assert here.run.key == there.run.key
    for name, curve in here.run.curves.items():
        assert name == "step_seconds" or curve == there.run.curves[name]
    assert here.weights is not None and there.weights is not None
    assert all(torch.equal(value, there.weights[name]) for name, value in here.weights.items())


def test_a_limit_in_seconds_stops_a_run(executor: Executor) -> None:
    (fitted,) = executor.run([job(recipe=RECIPE.replace(epochs=100_000))], limit_s=1.0)
    assert fitted.run.outcome is Outcome.STOPPED
    assert fitted.run.out_of_time


def test_a_run_that_hangs_is_killed_and_the_others_go_on(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    hung, sound = processes.run([job(Hanging), job()], limit_s=12.0)
    assert hung.run.outcome is Outcome.STOPPED and "hung" in hung.run.reason
    assert sound.run.outcome is Outcome.FINISHED


def test_a_run_whose_process_dies_has_failed_and_the_others_go_on(processes: Processes) -> None:
    died, sound = processes.run([job(Dying), job()])
    assert died.run.outcome is Outcome.FAILED and "exit code 3" in died.run.reason
    assert died.run.key == job(Dying).key
    assert sound.run.outcome is Outcome.FINISHED


def test_what_cannot_be_sent_is_refused(processes: Processes) -> None:
    local = Job(Task(lambda: Net(), nn.CrossEntropyLoss(), digits()), RECIPE)
    with pytest.raises(InputError, match="another process"):
        list(processes.run([local]))


def test_no_process_is_left_when_the_caller_goes_away(processes: Processes) -> None:
    results = processes.run([job(), job(recipe=RECIPE.replace(epochs=100_000))])
    next(results)
    results.close()
    assert not any(worker.process.is_alive() for worker in processes._pool if worker.index is not None)
    processes.close()
    assert not processes._pool
