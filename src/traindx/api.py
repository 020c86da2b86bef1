"""The whole product as a few short functions: train, diagnose, treat.

`diagnose` holds the only loop there is: the procedure names the question that is next, the experiment that answers it runs, and the loop
ends when no question is left or the budget is spent.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

from traindx.curvature.critical_point import critical_point
from traindx.diagnosis import conclude, next_question
from traindx.experiments import EXPERIMENTS, Lab, surroundings
from traindx.experiments.curvature import BOUND_MEASURE, evidence_of, on_device, stability
from traindx.probes import default_probes
from traindx.records import (
    Cost,
    Curvature,
    Diagnosis,
    Evidence,
    InputError,
    Outcome,
    Question,
    Recipe,
    Run,
    Treatment,
)
from traindx.report.progress import Progress, ProgressCallback, told
from traindx.store import Store, open_store
from traindx.tasks import FOLDS, Task
from traindx.tasks.fingerprint import digest
from traindx.training import Job, check_loss, check_recipe, fit
from traindx.training.executors import Executor, Serial
from traindx.treatment import compared, concluded, plan
from traindx.watching.observed import with_observed


def train(task: Task, recipe: Recipe, *, store: str | Path | Store | None = None) -> Run:
    """One run with its observations; taken from the store when the same training is there.

    A run that raises, diverges or runs out of memory is returned with that outcome.

    Raises:
        InputError: when the recipe cannot be used.

    """
    _check_task(task)
    _check_recipe(recipe)
    with _opened(store) as memory:
        lab = Lab(task, recipe, Serial(), memory, default_probes, lambda stage, done: None)
        return lab.train([Job(task, recipe)], "training")[0]


def diagnose(
    task: Task,
    recipe: Recipe,
    *,
    budget: float = 8.0,
    seconds: float | None = None,
    store: str | Path | Store | None = None,
    executor: Executor | None = None,
    progress: ProgressCallback | bool = True,
    observed: Run | None = None,
) -> Diagnosis:
    """Find out why the task does not train or does not generalise.

    Args:
        task: what is to be learned.
        recipe: how it is trained today.
        budget: at most about this many baseline runs, counted by updates trained. No question is begun that cannot be paid.
        seconds: no question is begun that would take longer than this in all, at the pace of the baseline run; the answer then depends on
            the machine, and says so.
        store: a path or URL in which runs and evidence are kept and found again; default: memory that
            lasts as long as the diagnosis.
        executor: where runs are trained; default: in this process.
        progress: shown on a line of the terminal or notebook, if there is one; False: not at all; or a function that is told.
        observed: a run of the same task and recipe in a loop of your own, from `watch`: what was seen there is settled by what the same
            training does in a sound loop.

    Raises:
        InputError: when the task, the recipe or the budget cannot be used.

    """
    _check_task(task)
    _check_recipe(recipe)
    _check_numbers(budget=budget, seconds=seconds)
    if not budget >= 1:
        raise InputError("budget", f"found {budget}", "give at least 1: the baseline run itself")
    if len(task.train) < FOLDS:
        raise InputError(
            "train", f"found {len(task.train)} rows to train on", f"give at least {FOLDS}: what is reachable is cross-validated"
        )
    with _opened(store) as memory, told(progress) as listener:
        limit = math.inf if seconds is None else seconds
        lab = Lab(task, recipe, executor or Serial(), memory, default_probes, _reporter(listener, budget, seconds), budget, limit)
        memory.put_task(task.fingerprint, task.name, task.summary())
        if task.test is not None:
            task.test.on_open = lambda question: memory.open_test(task.fingerprint, question)
        evidence = _gather(lab)
        diagnosis = _diagnosis(lab, evidence, memory)
        if observed is not None:
            diagnosis = with_observed(diagnosis, observed)
        memory.put_diagnosis(diagnosis)
    diagnosis._memory = memory if store is None else None
    return diagnosis


def _gather(lab: Lab) -> list[Evidence]:
    """The loop: ask the next question, run the experiment that answers it."""
    evidence: list[Evidence] = []
    asked: list[Question] = []
    while (question := _next(evidence, lab.left)) is not None:
        assert question not in asked, f"an answered question was asked again: {question}"
        asked.append(question)
        evidence += lab.answer(question, EXPERIMENTS[question.experiment])
    return evidence


def _next(evidence: list[Evidence], left: float) -> Question | None:
    failed = any(e.measure == "outcome" and e.details["outcome"] == Outcome.FAILED for e in evidence)
    return None if failed else next_question(evidence, left)


def _diagnosis(lab: Lab, evidence: list[Evidence], memory: Store) -> Diagnosis:
    answer = conclude(evidence)
    timed = math.isfinite(lab.limit)
    out_of_time = timed and (lab.spending.seconds > lab.limit or _next(evidence, lab.budget - lab.spending.runs) is not None)
    limits = (
        ("The limit in seconds ended the diagnosis: on another machine, or on another day, it may see more or less.",)
        if out_of_time
        else ()
    )
    diagnosis = Diagnosis(
        key=digest("diagnosis", lab.task.fingerprint, lab.recipe.model_dump_json(), [e.model_dump_json() for e in evidence]),
        task_name=lab.task.name,
        task_fingerprint=lab.task.fingerprint,
        task_summary=dict(lab.task.summary()),
        recipe=lab.recipe,
        branch=answer.branch,
        sentence=answer.sentence,
        findings=answer.findings,
        path=answer.path,
        advice=(*answer.advice, *limits),
        evidence=tuple(evidence),
        runs=tuple(lab.runs.values()),
        cost=Cost(runs=lab.spending.runs, seconds=lab.spending.seconds, baseline_seconds=lab.spending.baseline_seconds),
        test_openings=memory.test_openings(lab.task.fingerprint),
    )
    diagnosis._task = lab.task
    return diagnosis


def treat(
    diagnosis: Diagnosis,
    *,
    task: Task | None = None,
    budget: float = 20.0,
    seconds: float | None = None,
    store: str | Path | Store | None = None,
    executor: Executor | None = None,
    progress: ProgressCallback | bool = True,
) -> Treatment:
    """Apply the remedies that the diagnosis confirmed, and verify them: before against after over seeds, then once on the test set.

    The top finding's remedy comes first; a further confirmed one is added where it lowers the validation loss on top, on each of three seeds.
    While budget is left, further candidates of the branch and a search over the numbers that matter there follow, and are kept where they
    lower it by more than chance; see `traindx.treatment`. What makes an evaluation honest (copies left out of training) is verified by looking
    for its cause again.

    Args:
        diagnosis: from `diagnose`.
        task: needed when the diagnosis was loaded from a file or a store.
        budget: at most about this many baseline runs.
        seconds: choose no further remedy after this long.
        store: as for `diagnose`.
        executor: as for `diagnose`.
        progress: as for `diagnose`.

    Raises:
        InputError: when what is given is no diagnosis, when its task is missing, or is another one than was diagnosed.

    """
    if not isinstance(diagnosis, Diagnosis):
        raise InputError("diagnosis", f"found a {type(diagnosis).__name__}", "give what tdx.diagnose(task, recipe) returns")
    _check_numbers(budget=budget, seconds=seconds)
    task = task or diagnosis.task
    if task is None:
        raise InputError("task", "the diagnosis was loaded without its task", "give task=...")
    if task.fingerprint != diagnosis.task_fingerprint:
        raise InputError("task", "found another task than was diagnosed", "give the same model, loss and data")
    with _opened(store if store is not None else diagnosis._memory) as memory, told(progress) as listener:
        lab = Lab(task, diagnosis.recipe, executor or Serial(), memory, default_probes, _reporter(listener, budget, seconds), budget)
        if task.test is not None:
            task.test.on_open = lambda question: memory.open_test(task.fingerprint, question)
        remedies, comparisons = compared(lab, diagnosis, plan(lab, diagnosis, seconds))
        treatment = concluded(lab, diagnosis, remedies, comparisons, memory.test_openings(task.fingerprint))
        memory.put_treatment(treatment)
    return treatment


def curvature_of(
    task: Task, recipe: Recipe, *, step: int | None = None, pictures: bool = True, progress: ProgressCallback | bool = True
) -> Curvature:
    """Train, and look at the loss around the weights: what kind of point it is, its spectrum, lines and planes through it.

    Args:
        task: what is to be learned.
        recipe: how it is trained.
        step: look after this many updates; default: at the end.
        pictures: also the loss along lines and in planes, some thousand forward passes on 2,048 rows at most.
        progress: as for `diagnose`.

    Raises:
        InputError: when the recipe cannot be used, or the training ended without finite weights to look at.

    """
    _check_task(task)
    _check_recipe(recipe)
    with told(progress) as listener:
        return _curvature_of(task, recipe, step, pictures, _stages(listener, 4 if pictures else 3))


def _curvature_of(task: Task, recipe: Recipe, step: int | None, pictures: bool, report: Callable[[str], None]) -> Curvature:
    started, way = time.perf_counter(), surroundings.Way()
    report("training")
    fitted = fit(task, recipe, [*default_probes(), way], horizon=step, keep_weights=True)
    run = fitted.run
    if fitted.weights is None or run.outcome not in (Outcome.FINISHED, Outcome.STOPPED):
        raise InputError("recipe", f"the training {run.outcome.value}", "lower the rate, or look earlier with a step: there are no weights")
    model = task.build(recipe.seed)
    model.load_state_dict(fitted.weights)
    report("what kind of point")
    evidence = stability(task, recipe, task.build(recipe.seed), run, 0) + stability(task, recipe, model, run, run.steps)
    objective = on_device(task, recipe, model)
    point = critical_point(objective, seed=recipe.seed)
    evidence += evidence_of(point, run)
    report("spectrum")
    eigenvalues, spectral, found = surroundings.spectrum(objective, run)
    if pictures:
        report("lines and planes")
    followed = any(e.measure == BOUND_MEASURE for e in evidence)
    record = Curvature(
        key=digest("curvature", run.key, [e.model_dump_json() for e in (*evidence, *eigenvalues)]),
        task_name=task.name,
        task_fingerprint=task.fingerprint,
        recipe=recipe,
        step=run.steps,
        answer=point.answer.value,
        sentence=f"After {run.steps} updates: {point.answer.value.replace('-', ' ')}. {point.reason[:1].upper()}{point.reason[1:]}.",
        evidence=(*evidence, *eigenvalues),
        curves={BOUND_MEASURE: surroundings.followed(task, recipe, run, way)} if followed and pictures else {},
        density=spectral,
        profiles=surroundings.profiles(objective, found, point.escape) if pictures else (),
        surfaces=surroundings.surfaces(objective, way.points) if pictures else (),
        run=run,
        cost=Cost(runs=1.0, seconds=time.perf_counter() - started, baseline_seconds=run.seconds),
    )
    record._task = task
    return record


def _check_task(task: Task) -> None:
    if not isinstance(task, Task):
        raise InputError("task", f"found a {type(task).__name__}", "make it tdx.Task(model, loss, train)")
    check_loss(task)


def _check_numbers(**limits: float | None) -> None:
    for name, limit in limits.items():
        if limit is not None and not isinstance(limit, Real):
            raise InputError(name, f"found {limit!r}", "give a number")


def _check_recipe(recipe: Recipe) -> None:
    if not isinstance(recipe, Recipe):
        raise InputError("recipe", f"found a {type(recipe).__name__}", "make it tdx.Recipe(lr=...)")
    check_recipe(recipe)


def _stages(progress: ProgressCallback | None, count: int) -> Callable[[str], None]:
    """Tells of stages one after the other; they differ too much in length for an estimate of the rest."""
    started, done = time.perf_counter(), itertools.count()

    def report(stage: str) -> None:
        if progress is not None:
            progress(Progress(stage, next(done), count, time.perf_counter() - started, None, "stages"))

    return report


@contextmanager
def _opened(store: str | Path | Store | None) -> Iterator[Store]:
    """The store; closed afterwards if it was opened here."""
    if isinstance(store, Store):
        yield store
        return
    opened = open_store(store)
    try:
        yield opened
    finally:
        opened.close()


def _reporter(progress: ProgressCallback | None, budget: float, limit: float | None) -> Callable[[str, float], None]:
    """Tells of a stage with what is left at most: as long as the rest of the budget takes, or until the limit in seconds."""
    if progress is None:
        return lambda stage, done: None
    started = time.perf_counter()

    def report(stage: str, done: float) -> None:
        seconds = time.perf_counter() - started
        bounds = [seconds / done * (budget - done)] if done > 0.2 else []
        bounds += [limit - seconds] if limit is not None else []
        remaining = min(bounds, default=-1.0)  # below zero where something goes on beyond its bound, and nobody knows for how long
        progress(Progress(stage, done, budget, seconds, remaining if remaining >= 0 else None))

    return report
