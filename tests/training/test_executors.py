"""One suite for every executor; what only processes can survive is asked of them alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from programs import (
    RECIPE,
    Hanging,
    Hungry,
    Killed,
    Leaving,
    Net,
    Noisy,
    OnlyHere,
    Raising,
    Starving,
    Talking,
    broken_callbacks,
    digits,
    job,
    task,
)

from traindx import InputError, Outcome, Recipe
from traindx.probes import default_probes
from traindx.remedies import StandardizeInputs, SwapActivations
from traindx.training import Fitted, Job
from traindx.training.executors import Executor, Processes, Serial, processes


@pytest.fixture(scope="module", params=[Serial, Processes])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made: Any = request.param()
    yield made
    made.close()


@pytest.fixture(scope="module")
def one_worker() -> Iterator[Processes]:
    made = Processes(workers=1)
    yield made
    made.close()


def workers() -> set[int | None]:
    return {child.pid for child in multiprocessing.active_children() if child.name == "traindx worker"}


def gone(pid: int) -> bool:
    """Whether there is no such process, or soon will be none."""
    for _ in range(100):
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat")
            if not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return True
    return False


def same_numbers(a: Fitted, b: Fitted) -> bool:
    """Bit-equal curves and weights; the clock aside."""
    assert a.weights is not None and b.weights is not None
    curves = [{name: curve for name, curve in f.run.curves.items() if name != "step_seconds"} for f in (a, b)]
    return curves[0] == curves[1] and all(torch.equal(value, b.weights[name]) for name, value in a.weights.items())


# --- Every executor ----------------------------------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_jobs(executor: Executor) -> None:
    jobs = [job(recipe=RECIPE.replace(seed=seed, epochs=1 + (seed == 0) * 5)) for seed in range(4)]
    assert [f.run.key for f in executor.run(jobs)] == [j.key for j in jobs]
    assert list(executor.run([])) == []


def test_outcomes_are_values(executor: Executor) -> None:
    patient = Recipe(optimizer="adam", lr=0.05, epochs=200, early_stopping=2)
    jobs = [job(), job(recipe=Recipe(lr=1e30, epochs=2)), job(recipe=patient), job(Raising), job(Hungry)]
    runs = [f.run for f in executor.run(jobs)]
    assert [run.outcome for run in runs] == [Outcome.FINISHED, Outcome.DIVERGED, Outcome.STOPPED, Outcome.FAILED, Outcome.FAILED]
    assert "early stopping" in runs[2].reason
    assert "a planted error" in runs[3].reason and "misbehave" in runs[3].reason
    assert runs[4].reason == "out of memory"


def test_every_executor_gives_the_same_numbers(executor: Executor) -> None:
    jobs = [job(keep_weights=True), job(recipe=Recipe(optimizer="adamw", lr=0.01, epochs=2, clip_norm=1.0), keep_weights=True)]
    for here, there in zip(Serial().run(jobs, default_probes), executor.run(jobs, default_probes), strict=True):
        assert here.run.key == there.run.key and here.run.task == there.run.task
        assert same_numbers(here, there)


def test_the_thread_count_is_that_of_the_moment(executor: Executor) -> None:
    kept, short = torch.get_num_threads(), job(recipe=RECIPE.replace(max_steps=2))
    try:
        torch.set_num_threads(2)
        (fitted,) = executor.run([short])
        assert fitted.run.key == short.key and fitted.run.threads == 2
    finally:
        torch.set_num_threads(kept)
    (fitted,) = executor.run([short])
    assert fitted.run.key == short.key and fitted.run.threads == kept


def test_remedies_travel(executor: Executor) -> None:
    """With the test set sealed by a function that cannot be sent, also where a remedy holds the task it was made of."""
    sealed = task(test=digits(50))
    assert sealed.test is not None
    sealed.test.on_open = lambda question: None
    changed, recipe = SwapActivations(to="tanh").apply(*StandardizeInputs().apply(sealed, RECIPE))
    (fitted,) = executor.run([Job(changed, recipe, keep_weights=True)])
    (here,) = Serial().run([Job(changed, recipe, keep_weights=True)])
    assert fitted.run.outcome is Outcome.FINISHED and fitted.run.remedies == changed.remedies
    assert same_numbers(fitted, here)
    assert sealed.test is not None and sealed.test.openings == 0


def test_rows_that_are_never_the_same_twice_keep_their_key(executor: Executor) -> None:
    noisy = Job(task(train=Noisy()), RECIPE)
    (fitted,) = executor.run([noisy])
    assert fitted.run.outcome is Outcome.FINISHED
    assert fitted.run.key == noisy.key


def test_a_limit_in_seconds_stops_a_run(executor: Executor) -> None:
    (fitted,) = executor.run([job(recipe=RECIPE.replace(epochs=100_000))], limit_s=1.0)
    assert fitted.run.outcome is Outcome.STOPPED and fitted.run.out_of_time
    assert fitted.run.steps > 0


def test_a_recipe_that_cannot_be_followed_is_refused(executor: Executor) -> None:
    for recipe in (RECIPE.replace(optimizer="sgdd"), RECIPE.replace(schedule="cosinus"), RECIPE.replace(device="abacus")):
        with pytest.raises(InputError, match=r"Recipe\((optimizer|schedule|device)"):
            list(executor.run([Job(task(), recipe)]))


def test_what_is_no_failure_of_the_run_is_raised(executor: Executor) -> None:
    with pytest.raises(RuntimeError, match="a broken callback"):
        list(executor.run([job()], broken_callbacks))
    (fitted,) = executor.run([job()])
    assert fitted.run.outcome is Outcome.FINISHED


# --- Processes ---------------------------------------------------------------------------------------------------------------------


def test_a_run_that_hangs_is_killed_and_the_others_go_on(one_worker: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.2)
    list(one_worker.run([job()]))  # what is imported on first use is there
    hung, sound = one_worker.run([job(Hanging), job()], limit_s=12.0)
    assert hung.run.outcome is Outcome.STOPPED and hung.run.out_of_time and "it hung" in hung.run.reason
    assert hung.run.key == job(Hanging).key
    assert sound.run.outcome is Outcome.FINISHED


def test_runs_that_take_their_process_with_them_have_failed_and_the_others_go_on(one_worker: Processes) -> None:
    jobs = [job(Leaving), job(), job(Starving), job(Killed), job()]
    left, first, starved, killed, last = (f.run for f in one_worker.run(jobs))
    assert [left.outcome, killed.outcome, starved.outcome] == [Outcome.FAILED] * 3
    assert "exit code 3" in left.reason and "signal 9 (Killed)" in killed.reason and starved.reason == "out of memory"
    assert left.key == jobs[0].key and left.recipe == RECIPE and left.task_name == "digits" and left.seconds > 0
    assert first.outcome is last.outcome is Outcome.FINISHED


def test_a_worker_that_was_killed_between_two_calls_is_replaced(one_worker: Processes) -> None:
    list(one_worker.run([job()]))
    (worker,) = one_worker._pool
    worker.process.kill()
    worker.process.join()
    (fitted,) = one_worker.run([job()])
    assert fitted.run.outcome is Outcome.FINISHED


def test_workers_are_kept(one_worker: Processes) -> None:
    pids = []
    for _ in range(2):
        list(one_worker.run([job()]))
        pids += [worker.process.pid for worker in one_worker._pool]
    assert len(pids) == 2 and len(set(pids)) == 1


def test_what_a_run_prints_disturbs_nobody(one_worker: Processes, capfd: pytest.CaptureFixture[str]) -> None:
    (fitted,) = one_worker.run([job(Talking)])
    assert fitted.run.outcome is Outcome.FINISHED
    assert tuple(capfd.readouterr()) == ("", "")


def test_what_cannot_be_sent_is_refused(one_worker: Processes) -> None:
    with pytest.raises(InputError, match=r"^model: the task cannot be sent .*; give functions defined in a module, or use the serial"):
        list(one_worker.run([job(lambda: Net())]))


def test_what_cannot_be_read_over_there_is_refused(one_worker: Processes) -> None:
    strange = task()
    strange.strange = OnlyHere()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="no such class over here"):
        list(one_worker.run([Job(strange, RECIPE)]))


def test_workers_must_be_some() -> None:
    with pytest.raises(InputError, match="workers: found 0"):
        Processes(workers=0)


def test_no_process_is_left() -> None:
    before = workers()
    pool = Processes(workers=2)
    results: Any = pool.run([job(), job(recipe=RECIPE.replace(epochs=100_000))])
    next(results)
    assert len(workers()) == len(before) + 2
    results.close()  # the caller goes away: the run that nobody waits for ends
    assert len(workers()) == len(before) + 1
    del results, pool
    gc.collect()
    assert workers() == before


PROGRAM = """
from programs import Hanging, job
from traindx.training.executors import Processes

if __name__ == "__main__":
    pool = Processes(workers=1)
    print(pool._idle(jobs=1).process.pid, flush=True)
    next(pool.run([job(Hanging)]))
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_parent(tmp_path: Path, end: signal.Signals) -> None:
    """Neither where the parent is interrupted in the middle of a run that hangs, nor where it is killed."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as parent:
        assert parent.stdout is not None and parent.stderr is not None
        pid = int(parent.stdout.readline())
        time.sleep(1.0)  # the job is on its way
        parent.send_signal(end)
        parent.wait(20)
        assert gone(pid)
        assert parent.stderr.read().count("Traceback") == (end is signal.SIGINT)  # that of the parent alone


def test_a_script_without_a_main_part_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("from programs import job\nfrom traindx.training.executors import Processes\nlist(Processes(1).run([job()]))\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]
