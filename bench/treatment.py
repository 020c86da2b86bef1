"""What a treatment is worth: on planted faults, and on real tasks against the usual searches at equal training compute.

    python bench/treatment.py [--part zoo real folds speakers] [--tasks NAME ...] [--methods NAME ...] [--seeds 0 1 2] [--programs NAME ...] [--held-out] [--sample N] [--diagnosis 6]
                              [--budget 40] [--shard 0/2] [--minutes M] [--label NAME] [--report] [--write]

Zoo: the share of the gap between a faulty training and its healthy twin that diagnosis and treatment bring back, on rows that neither sees.
Real: from a plainly set-up network, the test metric after diagnosis and treatment; after a TPE search and a random search over the usual
space, with pruning and early stopping, that may spend as many training updates; and after a rate finder with early stopping.
Folds: the covid homework in ten folds, treated on the rows of nine and judged on the tenth; ridge regression beside it.
Speakers: spoken digits, treated on all speakers but one, validated by speaker, and judged on the one left out.

One JSON line a result under bench/.cache/treatment: a call that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna
import torch
from torch import nn

import traindx as tdx
from data import adult, california, cifar, covid, ecg200, mnist, spoken, spoken_by, standardized, wine
from traindx.experiments.base import work
from traindx.experiments.lr_range_test import range_test
from traindx.records import Outcome, RemedyRef
from traindx.remedies import make_remedy
from traindx.training import evaluate, fit, total_steps
from zoo.cases import Case, cases, checked
from zoo.scoring import score

RESULTS = Path(__file__).parent / "results" / "treatment.md"
CACHE = Path(__file__).parent / ".cache" / "treatment"
Row = dict[str, Any]
Arrays = tuple[np.ndarray, np.ndarray]

# Trained models by which every method is judged, with seeds that no method has used.
JUDGED_SEEDS = (101, 102, 103)
# The share of the rows that is the test set; no method is shown it.
TEST_SHARE = 0.3
# Trials of the searches are looked at here, and pruned by the median rule; early stopping has this patience in epochs.
FIRST_LOOK, PATIENCE = 0.3, 5


# -- real tasks --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RealTask:
    """Rows, and the recipe that a beginner may write down."""

    rows: Callable[[], Arrays]
    outputs: int
    epochs: int
    most: int = 3000
    standard: bool = True

    @property
    def regression(self) -> bool:
        """Whether targets are numbers."""
        return self.outputs == 1


def flat_spoken() -> Arrays:
    """All speakers but one."""
    return spoken("nicolas")[0]


REAL = {
    "covid": RealTask(covid, 1, 30),
    "ecg200": RealTask(ecg200, 2, 60),
    "wine": RealTask(lambda: wine("red"), 1, 40),
    "california": RealTask(lambda: california()[:2], 1, 20),
    "adult": RealTask(adult, 2, 12),
    "spoken-digits": RealTask(flat_spoken, 10, 15),
    "fashion": RealTask(lambda: mnist("fashion-mnist", 20_000), 10, 10, most=5000, standard=False),
    "cifar10": RealTask(lambda: cifar(8000), 10, 15, most=2000, standard=False),
}
PLAIN = tdx.Recipe(optimizer="sgd", lr=0.01, momentum=0.9, batch_size=64, device="cpu")


@dataclass(frozen=True)
class Net:
    """A fully connected network; the searches set its width, depth and dropout."""

    inputs: int
    outputs: int
    widths: tuple[int, ...] = (128, 64)
    dropout: float = 0.0

    def __call__(self) -> nn.Module:
        """Torch's own initialization."""
        layers: list[nn.Module] = []
        for a, b in pairwise((self.inputs, *self.widths)):
            layers += [nn.Linear(a, b), nn.ReLU(), *([nn.Dropout(self.dropout)] if self.dropout else [])]
        return nn.Sequential(*layers, nn.Linear((self.inputs, *self.widths)[-1], self.outputs))


@dataclass
class Setting:
    """One task and seed: training rows that every method sees, test rows that none does."""

    name: str
    seed: int
    train: Arrays = field(init=False)
    test: Arrays = field(init=False)
    groups: np.ndarray | None = field(init=False, default=None)
    judged_seeds: ClassVar[tuple[int, ...]] = JUDGED_SEEDS

    def __post_init__(self) -> None:
        real = REAL[self.name]
        x, y = real.rows()
        order = np.random.default_rng(self.seed).permutation(len(x))[: math.ceil(real.most / (1 - TEST_SHARE))]
        x, y = x[order], y[order]
        cut = round(len(x) * TEST_SHARE)
        train, test = standardized(x[cut:], x[:cut]) if real.standard else (x[cut:], x[:cut])
        targets = y.astype(np.float32)[:, None] if real.regression else y
        self.train, self.test = (train, targets[cut:]), (test, targets[:cut])

    @property
    def recipe(self) -> tdx.Recipe:
        """As it was set up."""
        return PLAIN.replace(epochs=REAL[self.name].epochs, seed=self.seed)

    def net(self, **changes: Any) -> Net:
        """The network as it was set up, or another one."""
        return Net(self.train[0].shape[1], REAL[self.name].outputs, **changes)

    def task(self, net: Net | None = None, with_test: bool = False) -> tdx.Task:
        """For a method; or with the test rows, to judge it by."""
        loss = nn.MSELoss() if REAL[self.name].regression else nn.CrossEntropyLoss()
        return tdx.Task(net or self.net(), loss, self.train, test=self.test if with_test else None, groups=self.groups, name=self.name)

    def judged(self, remedies: tuple[RemedyRef, ...] = ()) -> list[float]:
        """The test metric after these remedies."""
        return self.judge(*applied(self.task(with_test=True), self.recipe, remedies))

    def judge(self, task: tdx.Task, recipe: tdx.Recipe) -> list[float]:
        """The test metric of models trained with fresh seeds; a training that fails counts as a constant prediction."""
        return [self._judged(task, recipe.replace(seed=seed)) for seed in self.judged_seeds]

    def _judged(self, task: tdx.Task, recipe: tdx.Recipe) -> float:
        fitted = fit(task, recipe, keep_weights=True)
        assert task.test is not None
        if fitted.run.outcome not in (Outcome.FINISHED, Outcome.STOPPED) or fitted.weights is None:
            return self._constant()
        model = task.build(recipe.seed)
        model.load_state_dict(fitted.weights)
        rows = task.test.rows("score")
        return evaluate(task, model, rows, torch.device("cpu"), torch.arange(len(rows))).metric

    def _constant(self) -> float:
        y, v = self.train[1], self.test[1]
        if REAL[self.name].regression:
            return float(np.sqrt(np.mean((v - y.mean()) ** 2)))
        return float((v == np.bincount(y).argmax()).mean())


def by_treatment(setting: Setting, arguments: argparse.Namespace) -> Row:
    """Diagnosis and treatment; the work of all their runs, short ones included, is what the searches may spend."""
    diagnosis = tdx.diagnose(setting.task(), setting.recipe, budget=arguments.diagnosis)
    treatment = tdx.treat(diagnosis, budget=arguments.budget)
    rows = len(setting.task().train)
    runs = {run.key: run for run in (*diagnosis.runs, *treatment.runs)}
    return {
        "values": setting.judged(treatment.remedies),
        "work": sum(work(run.steps, run.recipe, rows, run.remedies) for run in runs.values()),
        "branch": diagnosis.branch.value,
        "top": diagnosis.top.cause if diagnosis.top else "-",
        "remedies": [str(r) for r in treatment.remedies],
        "sentence": treatment.sentence,
    }


def applied(task: tdx.Task, recipe: tdx.Recipe, remedies: tuple[RemedyRef, ...]) -> tuple[tdx.Task, tdx.Recipe]:
    """The training with these remedies."""
    for remedy in remedies:
        task, recipe = make_remedy(remedy).apply(task, recipe)
    return task, recipe


def untreated(setting: Setting, arguments: argparse.Namespace) -> Row:
    """As it was set up."""
    return {"values": setting.judged(), "work": unit(setting)}


def by_range_test(setting: Setting, arguments: argparse.Namespace) -> Row:
    """The rate that a finder proposes, with one seed as usual, and early stopping of a training that may be ten times as long."""
    found = range_test(setting.task(), setting.recipe, seeds=1)
    recipe = setting.recipe.replace(
        lr=found.proposed or setting.recipe.lr, early_stopping=2 * PATIENCE, epochs=10 * REAL[setting.name].epochs
    )
    run = fit(setting.task(), recipe).run
    return {
        "values": setting.judge(setting.task(with_test=True), recipe),
        "work": work(run.steps, recipe, len(setting.task().train)),
        "remedies": [f"lr={recipe.lr:.3g}"],
    }


def by_search(sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Callable[[Setting, argparse.Namespace], Row]:
    """A search over the usual space, of the validation loss, until the work of the treatment is spent."""

    def method(setting: Setting, arguments: argparse.Namespace) -> Row:
        allowed = known_rows(arguments.label)["real", setting.name, "treatment", setting.seed]["work"]
        study = optuna.create_study(sampler=sampler(setting.seed), pruner=optuna.pruners.MedianPruner(), direction="minimize")
        best, lowest, spent = (setting.net(), setting.recipe), math.inf, 0
        while spent < allowed:
            trial = study.ask()
            net, recipe = usual(trial, setting)
            task = setting.task(net)
            rows, steps = len(task.train), total_steps(len(task.train), recipe)
            first = fit(task, recipe, horizon=max(1, math.ceil(FIRST_LOOK * steps))).run
            spent += work(first.steps, recipe, rows)
            trial.report(loss_of(first), 0)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                continue
            run = fit(task, recipe).run
            spent += work(run.steps - first.steps, recipe, rows)  # a search that keeps its models would go on from there
            study.tell(trial, loss_of(run))
            if loss_of(run) < lowest:
                best, lowest = (net, recipe), loss_of(run)
        net, recipe = best
        told = [f"{k}={v}" for k, v in study.best_trial.params.items()] if math.isfinite(lowest) else []
        return {"values": setting.judge(setting.task(net, True), recipe), "work": spent, "remedies": told, "trials": len(study.trials)}

    return method


def usual(trial: optuna.Trial, setting: Setting) -> tuple[Net, tdx.Recipe]:
    """A point of the usual space: optimizer, rate, momentum, decay, batch, schedule, width, depth, dropout, with early stopping."""
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam", "adamw"])
    rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
    recipe = setting.recipe.replace(
        optimizer=optimizer,
        lr=rate if optimizer == "sgd" else rate / 10,
        momentum=trial.suggest_float("momentum", 0.0, 0.99),
        weight_decay=trial.suggest_float("weight_decay", 1e-6, 0.1, log=True),
        batch_size=trial.suggest_categorical("batch_size", [16, 32, 64, 128, 256]),
        schedule=trial.suggest_categorical("schedule", ["constant", "cosine"]),
        early_stopping=PATIENCE,
    )
    width = trial.suggest_int("width", 16, 256, log=True)
    depth = trial.suggest_int("depth", 1, 3)
    return setting.net(widths=(width,) * depth, dropout=trial.suggest_float("dropout", 0.0, 0.6)), recipe


def loss_of(run: tdx.Run) -> float:
    """What a search minimizes; a number that a sampler can order."""
    loss = run.last("validation_loss")
    return loss if run.outcome in (Outcome.FINISHED, Outcome.STOPPED) and math.isfinite(loss) else 1e30


def unit(setting: Setting) -> int:
    """The work of one training as it was set up."""
    rows = len(setting.task().train)
    return work(total_steps(rows, setting.recipe), setting.recipe, rows)


METHODS: dict[str, Callable[[Setting, argparse.Namespace], Row]] = {
    "untreated": untreated,
    "treatment": by_treatment,
    "tpe": by_search(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "random": by_search(lambda seed: optuna.samplers.RandomSampler(seed=seed)),
    "finder": by_range_test,
}


# -- folds and speakers ------------------------------------------------------------------------------------------------------------------


class HeldOut(Setting):
    """A setting whose last training, that of the chosen remedies, is on all training rows: those of the validation are put back (LECTURE, claim 9)."""

    def judged(self, remedies: tuple[RemedyRef, ...] = ()) -> list[float]:
        """The test metric after these remedies; what stops early keeps the rows to stop by."""
        task, recipe = self.task(with_test=True), self.recipe
        stopping = applied(task, recipe, remedies)[1].early_stopping is not None
        return self.judge(*applied(task if stopping else task.whole(), recipe, remedies))


class CovidFold(HeldOut):
    """A fold of the covid homework, by the recipe of its sample code for a twentieth of its 3000 epochs."""

    judged_seeds = JUDGED_SEEDS[:1]

    def __post_init__(self) -> None:
        x, y = covid()
        held = np.random.default_rng(0).permutation(len(x)) % FOLDS == self.seed
        train, test = standardized(x[~held], x[held])
        self.train, self.test = (train, y[~held, None]), (test, y[held, None])

    @property
    def recipe(self) -> tdx.Recipe:
        """As the homework's sample code has it."""
        return PLAIN.replace(lr=0.001, batch_size=270, epochs=150, seed=self.seed)


class LeftOut(HeldOut):
    """Spoken digits of all speakers but one, divided by speaker; the one left out is the test set."""

    def __post_init__(self) -> None:
        x, digits, speakers = recordings()
        theirs = speakers == SPEAKERS[self.seed]
        self.train, self.test = (x[~theirs], digits[~theirs]), (x[theirs], digits[theirs])
        self.groups = speakers[~theirs]

    def net(self, **changes: Any) -> Callable[[], nn.Module]:
        """Fully connected, over all values of a spectrum."""
        net = Net(self.train[0][0].size, REAL[self.name].outputs, **changes)
        return lambda: nn.Sequential(nn.Flatten(), net())


FOLDS = 10
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
recordings = cache(spoken_by)


def by_ridge(setting: Setting, arguments: argparse.Namespace) -> Row:
    """Ridge regression of penalty 1 on the same standardised columns."""
    from sklearn.linear_model import Ridge

    errors = Ridge(1.0).fit(*setting.train).predict(setting.test[0]).reshape(-1, 1) - setting.test[1]
    return {"values": [float(np.sqrt(np.mean(errors**2)))], "work": 0}


# Part: the task, its divisions, the settings, and what is measured in each.
DIVIDED: dict[str, tuple[str, int, type[Setting], dict[str, Callable[[Setting, argparse.Namespace], Row]]]] = {
    "folds": ("covid", FOLDS, CovidFold, {"ridge": by_ridge, "untreated": untreated, "treatment": by_treatment}),
    "speakers": ("spoken-digits", len(SPEAKERS), LeftOut, {"untreated": untreated, "treatment": by_treatment}),
}


# -- the zoo -----------------------------------------------------------------------------------------------------------------------------


def treated_case(case: Case, arguments: argparse.Namespace) -> Row:
    """Scores before and after, on the rows that the case is judged by, and of the twin."""
    task, recipe = case.build(True)
    diagnosis = tdx.diagnose(task, recipe)
    treatment = tdx.treat(diagnosis, budget=arguments.budget)
    draft, judged = case.scoring(True)
    after = applied(judged, draft.recipe, treatment.remedies)
    before = [score(draft, judged, draft.recipe.replace(seed=s)) for s in JUDGED_SEEDS]
    return {
        "before": before,
        "after": [score(draft, after[0], after[1].replace(seed=s)) for s in JUDGED_SEEDS] if treatment.remedies else before,
        "twin": float(np.mean(checked()[case.name]["twin"])),
        "cause": case.cause,
        "said": diagnosis.top.cause if diagnosis.top else "-",
        "remedies": [str(r) for r in treatment.remedies],
        "verified": treatment.verified,
    }


def zoo_cases(sample: int, programs: list[str] | None = None, held_out: bool = False) -> list[Case]:
    """Cases of the calibration programs or of those held out, every cause in turn."""
    by_cause: dict[str, list[Case]] = defaultdict(list)
    for case in cases():
        if case.held_out == held_out and (not programs or case.program in programs):
            by_cause[case.cause].append(case)
    turns = max(map(len, by_cause.values()))
    return [c for turn in range(turns) for listed in by_cause.values() for c in listed[turn : turn + 1]][: sample or None]


# -- running and the cache ---------------------------------------------------------------------------------------------------------------


Key = tuple[str, str, str, int]


def known_rows(label: str) -> dict[Key, Row]:
    """The results that are there."""
    rows = {}
    for path in sorted(CACHE.glob(f"{label}*.jsonl")):
        if path.stem == label or path.stem.startswith(f"{label}."):
            for text in path.read_text().splitlines():
                row = json.loads(text)
                rows[row["part"], row["name"], row["method"], row["seed"]] = row
    return rows


def jobs(arguments: argparse.Namespace) -> list[tuple[Key, Callable[[], Row]]]:
    """What is to be measured, in order."""
    real = [
        (("real", name, method, seed), lambda m=method, n=name, s=seed: METHODS[m](Setting(n, s), arguments))
        for seed in arguments.seeds
        for name in arguments.tasks
        for method in arguments.methods
    ]
    zoo = [
        (("zoo", case.name, "treatment", 0), lambda c=case: treated_case(c, arguments))
        for case in zoo_cases(arguments.sample, arguments.programs, arguments.held_out)
    ]
    divided = [
        ((part, name, method, k), lambda m=measure, s=setting, n=name, k=k: m(s(n, k), arguments))
        for part, (name, divisions, setting, methods) in DIVIDED.items()
        if part in arguments.part
        for k in range(divisions)
        for method, measure in methods.items()
    ]
    return [*divided, *(real if "real" in arguments.part else ()), *(zoo if "zoo" in arguments.part else ())]


def run(arguments: argparse.Namespace) -> None:
    """Measure what is missing, a line as each is done."""
    shard, of = (int(n) for n in arguments.shard.split("/"))
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / (f"{arguments.label}.jsonl" if of == 1 else f"{arguments.label}.{shard}-{of}.jsonl")
    started, known = time.perf_counter(), known_rows(arguments.label)
    listed = jobs(arguments)
    settings = list(dict.fromkeys((key[0], key[1], key[3]) for key, _ in listed))
    for key, measure in listed:
        if settings.index((key[0], key[1], key[3])) % of != shard or key in known:
            continue
        if time.perf_counter() - started > arguments.minutes * 60:
            print("the minutes are spent; call again to go on")
            return
        begun = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                row = measure()
        except Exception as error:  # a method that raises is a result, and is listed as one
            row = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()[-1500:]}
        row |= dict(zip(("part", "name", "method", "seed"), key, strict=True)) | {"seconds": round(time.perf_counter() - begun, 1)}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(told(row), flush=True)


def told(row: Row) -> str:
    """One line."""
    if "error" in row:
        return f"{row['part']} {row['name']:40} {row['method']:10} {row['seed']} {row['error']}"
    if row["part"] == "zoo":
        share = recovered(row)
        return f"zoo {row['name']:60} {np.mean(row['before']):.3f} -> {np.mean(row['after']):.3f} (twin {row['twin']:.3f}, {share:.0%}) {row['remedies']}"
    value = f"{np.mean(row['values']):.4f}"
    return f"{row['part']} {row['name']:14} {row['method']:10} seed {row['seed']} {value} {row['seconds']:6.1f} s {row.get('remedies', '')}"


# -- the report --------------------------------------------------------------------------------------------------------------------------


def recovered(row: Row) -> float:
    """The share of the gap between faulty and twin that came back; NaN where there is none."""
    gap = row["twin"] - float(np.mean(row["before"]))
    return (float(np.mean(row["after"])) - float(np.mean(row["before"]))) / gap if gap > 1e-3 else math.nan


def interval(changes: np.ndarray) -> tuple[float, float]:
    """Student's 95 % interval of the mean of paired changes."""
    from scipy.stats import t

    margin = float(t.ppf(0.975, len(changes) - 1)) * float(changes.std(ddof=1)) / math.sqrt(len(changes))
    return float(changes.mean()) - margin, float(changes.mean()) + margin


def significantly_worse(row: Row) -> bool:
    """The interval of the paired change lies below zero."""
    return interval(np.array(row["after"]) - np.array(row["before"]))[1] < 0


def real_table(rows: dict[Key, Row], arguments: argparse.Namespace) -> list[str]:
    """Mean and deviation over seeds, a task a line; the best in bold."""
    lines = ["## Real tasks", "", "| task | metric | seeds | " + " | ".join(METHODS) + " |", "|---" * (3 + len(METHODS)) + "|"]
    for name, real in REAL.items():
        seeds = [s for s in arguments.seeds if all("values" in rows.get(("real", name, m, s), {}) for m in METHODS)]
        if not seeds:
            lines.append(f"| {name} | not run |" + " |" * (1 + len(METHODS)))
            continue
        means = {m: np.array([np.mean(rows["real", name, m, s]["values"]) for s in seeds]) for m in METHODS}
        best = (min if real.regression else max)(METHODS, key=lambda m: float(means[m].mean()))
        cells = [f"{v.mean():.4f} ± {v.std():.4f}" for v in means.values()]
        shown = [f"**{c}**" if m == best else c for m, c in zip(METHODS, cells, strict=True)]
        lines.append(f"| {name} | {'RMSE' if real.regression else 'accuracy'} | {len(seeds)} | " + " | ".join(shown) + " |")
    return [*lines, "", *ranks(rows, arguments), "", *against(rows), "", *what_was_done(rows)]


def ranks(rows: dict[Key, Row], arguments: argparse.Namespace) -> list[str]:
    """The rank of the treatment among the ways to better a training, and the paired difference from the best of the others."""
    ways = [m for m in METHODS if m != "untreated"]
    lines = ["| task | rank of treatment | best other | treatment is better by (95 % interval over seeds) |", "|---|---|---|---|"]
    found, at_least_tied = [], 0
    for name, real in REAL.items():
        seeds = [s for s in arguments.seeds if all("values" in rows.get(("real", name, m, s), {}) for m in ways)]
        if len(seeds) < 2:
            continue
        sign = -1 if real.regression else 1
        scores = {m: sign * np.array([np.mean(rows["real", name, m, s]["values"]) for s in seeds]) for m in ways}
        order = sorted(ways, key=lambda m: -float(scores[m].mean()))
        found.append(order.index("treatment") + 1)
        other = next(m for m in order if m != "treatment")
        low, high = interval(scores["treatment"] - scores[other])
        at_least_tied += high >= 0
        lines.append(
            f"| {name} | {found[-1]} | {other} | {(scores['treatment'] - scores[other]).mean():+.4f} ({low:+.4f} to {high:+.4f}) |"
        )
    middle = f"{np.median(found):g}" if found else "-"
    return [
        *lines,
        "",
        f"Median rank {middle}; better than the best other, or as good within the interval, on {at_least_tied} of {len(found)} tasks.",
    ]


def against(rows: dict[Key, Row]) -> list[str]:
    """Treatment against each other method over all pairs of task and seed."""
    lines = ["| treatment against | better | worse | equal |", "|---|---|---|---|"]
    for method in (m for m in METHODS if m != "treatment"):
        signs = []
        for (part, name, m, seed), row in rows.items():
            other = rows.get(("real", name, method, seed))
            if part == "real" and m == "treatment" and other and "values" in row and "values" in other:
                change = float(np.mean(row["values"]) - np.mean(other["values"]))
                signs.append(np.sign(-change if REAL[name].regression else change))
        counts = [signs.count(s) for s in (1, -1, 0)]
        lines.append(f"| {method} | {counts[0]} | {counts[1]} | {counts[2]} |")
    return lines


def what_was_done(rows: dict[Key, Row]) -> list[str]:
    """Branch, remedies and costs of the treatments."""
    lines = ["| task | seed | branch | top | remedies | baseline runs | seconds |", "|---|---|---|---|---|---|---|"]
    for (part, name, method, seed), row in rows.items():
        if part == "real" and method == "treatment" and "values" in row:
            runs = row["work"] / unit(Setting(name, seed))
            remedies = ", ".join(row["remedies"]) or "none"
            lines.append(f"| {name} | {seed} | {row['branch']} | {row['top']} | {remedies} | {runs:.1f} | {row['seconds']:.0f} |")
    return lines


def divided_tables(rows: dict[Key, Row]) -> list[str]:
    """Every division of the parts that were measured, and the mean over those that all methods have."""
    titles = {"folds": "## Covid in ten folds (RMSE)", "speakers": "## Spoken digits of a speaker left out (accuracy)"}
    lines = list[str]()
    for part, (name, divisions, _, methods) in DIVIDED.items():
        found = {k: [rows.get((part, name, m, k), {}) for m in methods] for k in range(divisions)}
        done = {k: listed for k, listed in found.items() if all("values" in row for row in listed)}
        if not done:
            continue
        lines += [titles[part], "", "| left out | " + " | ".join(methods) + " | branch | remedies |", "|---" * (3 + len(methods)) + "|"]
        values = np.array([[np.mean(row["values"]) for row in listed] for listed in done.values()])
        for (k, listed), means in zip(done.items(), values, strict=True):
            cells = [SPEAKERS[k] if part == "speakers" else str(k), *(f"{v:.4f}" for v in means)]
            lines.append(f"| {' | '.join(cells)} | {listed[-1]['branch']} | {', '.join(listed[-1]['remedies']) or 'none'} |")
        means = " | ".join(f"**{v:.4f}**" for v in values.mean(0))
        lines += [f"| mean of {len(done)} | {means} | | |", ""]
    return lines


def zoo_table(rows: dict[Key, Row]) -> list[str]:
    """Recovery and harm over cases."""
    mine = [r for r in rows.values() if r["part"] == "zoo"]
    done = [r for r in mine if "error" not in r]
    shares = np.array([s for r in done if math.isfinite(s := recovered(r))])
    if not len(shares):
        return ["## Planted faults", "", "Not run."]
    worse = [r["name"] for r in done if significantly_worse(r)]
    lines = [
        "## Planted faults",
        "",
        "| figure | value |",
        "|---|---|",
        f"| cases | {len(done)}, {len(mine) - len(done)} raised |",
        f"| share of the gap recovered: median, mean (each at most 1) | {np.median(shares):.0%}, {np.minimum(shares, 1).mean():.0%} |",
        f"| at least 90 % recovered | {(shares >= 0.9).sum()}/{len(shares)} |",
        f"| significantly worse on rows unseen | {len(worse)}/{len(done)}{': ' + ', '.join(worse) if worse else ''} |",
        "",
        "| case | before | after | twin | recovered | said | remedies |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in sorted(done, key=lambda r: r["name"]):
        before, after = float(np.mean(r["before"])), float(np.mean(r["after"]))
        share = recovered(r)
        told_share = f"{share:.0%}" if math.isfinite(share) else "no gap"
        cells = [r["name"], f"{before:.3f}", f"{after:.3f}", f"{r['twin']:.3f}", told_share, r["said"], ", ".join(r["remedies"]) or "none"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Measure, print, and write with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", default=["real"], choices=["real", "zoo", *DIVIDED])
    parser.add_argument("--tasks", nargs="+", default=list(REAL), choices=list(REAL))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--programs", nargs="+")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--diagnosis", type=float, default=6.0)
    parser.add_argument("--budget", type=float, default=40.0)
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--label", default="latest")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not arguments.report:
        run(arguments)
    rows = known_rows(arguments.label)
    text = "\n".join([*real_table(rows, arguments), "", *divided_tables(rows), *zoo_table(rows)])
    print("\n" + text)
    if arguments.write:
        where = f"{datetime.date.today()}, torch {torch.__version__}, optuna {optuna.__version__}, one thread"
        RESULTS.write_text(f"# Treatment\n\n`python bench/treatment.py --part real zoo`, {where}\n\n{text}\n")


if __name__ == "__main__":
    main()
