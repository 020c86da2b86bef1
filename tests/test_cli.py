from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from traindx import cli
from traindx.records import (
    Branch,
    Comparison,
    Cost,
    Diagnosis,
    Finding,
    InputError,
    Outcome,
    Recipe,
    RemedyRef,
    Run,
    Standing,
    TraindxError,
    Treatment,
)
from traindx.report.progress import Progress
from traindx.store import open_store

COMMANDS = ("diagnose", "treat", "runs", "show", "demo")
HELP_SECONDS = 0.6
HEAVY = {"torch", "numpy", "pydantic", "sqlalchemy", "matplotlib", "jinja2", "sklearn", "scipy", "traindx.records"}


def run_of(recipe: Recipe) -> Run:
    return Run(
        key=f"run-{recipe.seed}",
        task="f00d",
        task_name="digits",
        recipe=recipe,
        outcome=Outcome.FINISHED,
        steps=10,
        epochs=1.0,
        seconds=0.1,
    )


def diagnosis_of(recipe: Recipe, branch: Branch = Branch.OPTIMIZATION) -> Diagnosis:
    finding = Finding(
        cause="learning-rate-too-high", branch=branch, standing=Standing.CONFIRMED, confidence=0.9, summary="A lower rate trains."
    )
    return Diagnosis(
        key=f"d1a9{recipe.seed}",
        task_name="digits",
        task_fingerprint="f00d",
        recipe=recipe,
        branch=branch,
        sentence="The learning rate is too high.",
        findings=(finding,),
        runs=(run_of(recipe),),
        cost=Cost(runs=2.0, seconds=3.0),
    )


def treatment_of(diagnosis: Diagnosis) -> Treatment:
    gain = Comparison(
        measure="validation_loss",
        higher_is_better=False,
        before=(2.0,),
        after=(1.0,),
        seeds=(0,),
        gain=1.0,
        low=0.9,
        high=1.1,
        probability=0.99,
    )
    return Treatment(
        key="7ea7",
        diagnosis=diagnosis,
        recipe=diagnosis.recipe.replace(lr=0.01),
        verified=True,
        sentence="Cured by a lower rate.",
        comparisons=(gain,),
    )


class Api:
    """Stands for `traindx.api`: notes what it is called with, prints as a task's own code may, and reports progress."""

    def __init__(self) -> None:
        self.branch = Branch.OPTIMIZATION
        self.called: dict[str, Any] = {}
        self.fails: BaseException | None = None

    def diagnose(self, task: object, recipe: Recipe, **options: Any) -> Diagnosis:
        self.called["diagnose"] = {"task": task, "recipe": recipe, **options}
        sys.stdout.write("a print of the task\n")
        if options["progress"]:
            for done in (0.0, 1.0):
                options["progress"](Progress(stage="race: learning-rate x 0.1", done=done, total=8.0, seconds=1.0, remaining=7.0))
        if self.fails:
            raise self.fails
        diagnosis = diagnosis_of(recipe, self.branch)
        with open_store(options["store"]) as store:
            store.put_diagnosis(diagnosis)
        return diagnosis

    def treat(self, diagnosis: Diagnosis, **options: Any) -> Treatment:
        self.called["treat"] = options
        treatment = treatment_of(diagnosis)
        with open_store(options["store"]) as store:
            store.put_treatment(treatment)
        return treatment


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    import traindx
    from traindx import tasks

    fake = Api()
    module = ModuleType("traindx.api")
    module.__dict__.update(diagnose=fake.diagnose, treat=fake.treat)
    monkeypatch.setitem(sys.modules, "traindx.api", module)
    monkeypatch.setattr(traindx, "api", module, raising=False)

    def read(source: str, **options: Any) -> tuple[str, Recipe]:
        fake.called["read"] = {"source": source, **options}
        if source == "missing.csv":
            raise InputError("SOURCE", "no file\n'missing.csv'", "name a file that is there")
        return "task", Recipe(lr=0.1)

    monkeypatch.setattr(tasks, "read", read)
    return fake


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRAINDX_STORE", raising=False)

    def call(*arguments: str) -> Ended:
        status = cli.main(arguments)
        return Ended(status, *capsys.readouterr())

    return call


# --- Diagnose and treat ------------------------------------------------------------------------------------------------------------


def test_diagnose_prints_the_report_and_keeps_it(api: Api, command: Command, tmp_path: Path) -> None:
    ended = command("diagnose", "digits.csv")
    assert ended.status == 0
    assert ended.out.startswith("The learning rate is too high.\n")
    assert "learning-rate-too-high" in ended.out
    assert "a print of the task" in ended.err
    assert (tmp_path / ".traindx" / "traindx.db").exists()


def test_json_is_all_of_standard_output(api: Api, command: Command) -> None:
    ended = command("diagnose", "digits.csv", "--json", "--report", "out.html")
    assert Diagnosis.model_validate(json.loads(ended.out)) == diagnosis_of(Recipe(lr=0.1))
    assert "a print of the task" in ended.err


def test_quiet_says_the_sentence_only(api: Api, command: Command) -> None:
    ended = command("diagnose", "digits.csv", "--quiet", "--report", "out.html")
    assert ended.out == "The learning rate is too high.\n"
    assert api.called["diagnose"]["progress"] is False
    assert Path("out.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(("quiet", "said"), [(False, "traindx: column 'id' is left out\n"), (True, "")])
def test_what_is_logged_is_a_line_of_ours_and_quiet_leaves_it_out(quiet: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with cli.working(quiet, "diagnosis"):
        logging.getLogger("traindx").warning("column 'id' is left out")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", said)


def test_options_reach_the_reader_the_recipe_and_the_api(api: Api, command: Command) -> None:
    options = "--target 3 --drop a,b, --no-header --test t.csv --validation v.csv --budget 3 --seconds 60 --store kept.db --seed 7"
    command("diagnose", "x.csv", *options.split(), *["--lr", "0.5", "--epochs", "2", "--batch-size", "16", "--optimizer", "adam"])
    assert api.called["read"] == {
        "source": "x.csv",
        "target": "3",
        "drop": ("a", "b"),
        "header": False,
        "test": "t.csv",
        "validation": "v.csv",
    }
    called = api.called["diagnose"]
    assert called["recipe"] == Recipe(lr=0.5, epochs=2, batch_size=16, optimizer="adam", seed=7)
    assert (called["budget"], called["seconds"], called["store"]) == (3.0, 60.0, "kept.db")


def test_the_store_may_come_from_the_environment(api: Api, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRAINDX_STORE", "elsewhere.db")
    assert command("diagnose", "x.csv").status == 0
    assert api.called["diagnose"]["store"] == "elsewhere.db"
    assert not (tmp_path / ".traindx").exists()


def test_treat_diagnoses_first(api: Api, command: Command) -> None:
    ended = command("treat", "x.csv", "--seconds", "100", "--budget", "5")
    assert ended.status == 0
    assert ended.out.startswith("Cured by a lower rate.\n")
    assert api.called["diagnose"]["seconds"] == 50
    assert api.called["diagnose"]["budget"] == 8.0
    assert 90 < api.called["treat"]["seconds"] <= 100
    assert api.called["treat"]["budget"] == 5


@pytest.mark.parametrize("path", ["fixed.txt", "no/such/folder/fixed.py"])
def test_a_script_that_cannot_be_written_is_refused_before_the_work(path: str, api: Api, command: Command) -> None:
    ended = command("treat", "x.csv", "--export", path)
    assert ended.status == 2 and "--export" in ended.err and not api.called


def test_treat_as_json(api: Api, command: Command) -> None:
    assert Treatment.model_validate_json(command("treat", "x.csv", "--json").out).verified


@pytest.mark.parametrize(
    ("branch", "asked", "status"),
    [
        (Branch.OPTIMIZATION, ["any"], 3),
        (Branch.HEALTHY, ["any"], 0),
        (Branch.UNDECIDED, ["any"], 3),
        (Branch.OPTIMIZATION, ["data", "optimization"], 3),
        (Branch.OPTIMIZATION, ["data"], 0),
        (Branch.HEALTHY, ["healthy"], 3),
    ],
)
def test_fail_on(branch: Branch, asked: list[str], status: int, api: Api, command: Command) -> None:
    api.branch = branch
    options = [part for name in asked for part in ("--fail-on", name)]
    for name in ("diagnose", "treat"):
        ended = command(name, "x.csv", *options)
        assert ended.status == status
        assert ended.out


# --- Errors ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["diagnose", "missing.csv"], "SOURCE: no file 'missing.csv'; name a file that is there"),
        (["diagnose"], "SOURCE: not given; see `traindx diagnose --help`"),
        (["diagnose", "x.csv", "--budgt", "1"], "--budgt: no such option; see `traindx diagnose --help`"),
        (["diagnose", "x.csv", "--budget", "0"], "--budget: found 0; give a number above 0"),
        (["diagnose", "x.csv", "--seconds", "nan"], "--seconds: found nan; give a number above 0"),
        (["treat", "x.csv", "--diagnosis-budget", "-1"], "--diagnosis-budget: found -1; give a number above 0"),
        (["diagnose", "x.csv", "--report", "out.pdf"], "--report: found 'out.pdf'; end it in .html or .json"),
        (["diagnose", "x.csv", "--batch-size", "0"], "--batch-size: found 0; input should be greater than or equal to 1"),
        (["show"], "--store: no store at .traindx/traindx.db; run `traindx diagnose` first, or name the store with --store"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], line: str, api: Api, command: Command, tmp_path: Path) -> None:
    ended = command(*arguments)
    assert ended == Ended(2, "", f"traindx: {line}\n")


@pytest.mark.parametrize(
    "arguments", [["diagnos", "x"], ["diagnose", "x", "--budget", "q"], ["diagnose", "x", "y"], ["diagnose", "x", "--fail-on", "y"]]
)
def test_any_misuse_is_one_line(arguments: list[str], api: Api, command: Command) -> None:
    ended = command(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("traindx: ")
    assert ended.err.count("\n") == 1
    assert "; " in ended.err


def test_a_failure_on_purpose_is_one_line(api: Api, command: Command) -> None:
    api.fails = TraindxError("the disk is full")
    ended = command("diagnose", "x.csv", "--quiet")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.endswith("traindx: the disk is full\n")


def test_a_bug_shows_as_one(api: Api, command: Command) -> None:
    api.fails = KeyError("bug")
    ended = command("diagnose", "x.csv")
    assert (ended.status, ended.out) == (1, "")
    assert "Traceback" in ended.err


def test_an_interruption_says_how_to_go_on(api: Api, command: Command) -> None:
    api.fails = KeyboardInterrupt()
    ended = command("diagnose", "x.csv", "--quiet", "--json")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.endswith("traindx: interrupted; the diagnosis resumes with the same command\n")


# --- Runs, show, demo --------------------------------------------------------------------------------------------------------------


def test_runs_lists_what_is_stored(api: Api, command: Command) -> None:
    command("treat", "x.csv")
    text = command("runs").out
    for part in ("diagnoses", "d1a90", "treatments", "7ea7", "runs", "run-0", "optimization"):
        assert part in text
    assert time.strftime("%Y-%m-%d ") in text
    listed = json.loads(command("runs", "--json").out)
    assert all(datetime.fromisoformat(row["date"]).tzinfo for rows in listed.values() for row in rows)
    assert [row["key"] for row in listed["runs"]] == ["run-0"]
    assert listed["runs"][0]["train_loss"] == "NaN"
    assert json.loads(command("runs", "--json", "--seed", "9").out) == {"diagnoses": [], "treatments": [], "runs": []}
    assert command("runs", "--quiet").out.split() == ["d1a90", "7ea7", "run-0"]
    assert command("runs", "--limit", "-1").err == "traindx: limit: found -1; give 0 or more\n"


def test_runs_say_what_was_changed_under_whole_keys(command: Command) -> None:
    key, remedies = "c0ffee" * 6, (RemedyRef(id="scale-rate", params={"factor": 0.1}), RemedyRef(id="stop-early", params={"patience": 5}))
    with open_store("runs.db") as store:
        store.put_run(run_of(Recipe()).replace(key=key, remedies=remedies, task_name="digits of people who write badly " * 4))
    lines = command("runs", "--store", "runs.db").out.splitlines()
    assert any(key in line and "scale-rate(factor=0.1), stop-early(patience=5)" in line for line in lines)


def test_help_tells_what_quiet_means_for_each(command: Command) -> None:
    helps = {name: " ".join(command(name, "--help").out.split()) for name in ("check", "runs", "show", "diagnose")}
    assert "sentence only" in helps["show"] and "sentence only" not in helps["check"] + helps["runs"]
    assert "no mistake is found" in helps["check"] and "keys only" in helps["runs"]
    assert ".tsv" in helps["diagnose"] and ".txt" in helps["diagnose"]


def test_an_empty_store_is_said(command: Command) -> None:
    with open_store("empty.db"):
        pass
    assert command("runs", "--store", "empty.db").out == "The store is empty.\n"
    assert "no diagnosis is stored" in command("show", "--store", "empty.db").err


def test_looking_makes_no_store(command: Command, tmp_path: Path) -> None:
    assert command("runs", "--store", "sqlite:///none.db").status == 2
    assert list(tmp_path.iterdir()) == []


def test_show_latest_and_by_key(api: Api, command: Command) -> None:
    command("treat", "x.csv", "--seed", "1")
    assert command("show").out.startswith("Cured")
    command("diagnose", "x.csv", "--seed", "2")
    assert command("show", "latest", "--quiet").out == "The learning rate is too high.\n"
    assert command("show", "latest", "--seed", "1").out.startswith("Cured")
    assert json.loads(command("show", "d1a92", "--json").out)["key"] == "d1a92"
    assert command("show", "7e").out.startswith("Cured")
    assert command("show", "run-1").out.startswith("A run of digits with seed 1")
    assert "2 runs begin with 'run'; give more" in command("show", "run").err
    assert command("show", "zzz").err == "traindx: KEY: nothing is stored under 'zzz'; see `traindx runs` for the keys\n"
    assert command("show", "d1a9").err.startswith("traindx: key: 'd1a9' begins several keys")


def test_show_writes_a_report(api: Api, command: Command) -> None:
    command("diagnose", "x.csv")
    ended = command("show", "--report", "out.json")
    assert "wrote out.json" in ended.err
    assert json.loads(Path("out.json").read_text())["key"] == "d1a90"


def test_demo_ends_with_the_path_of_its_report(api: Api, command: Command, tmp_path: Path) -> None:
    ended = command("demo")
    path = tmp_path / "traindx-demo" / "report.html"
    assert ended.status == 0
    assert ended.out.splitlines()[-1] == str(path)
    assert api.called["read"]["source"] == "example:stuck-digits"
    assert "Cured" in path.read_text()
    told = json.loads(command("demo", "--json", "--report", "a.json").out)
    assert told["report"] == str(tmp_path / "a.json")
    assert told["treatment"]["verified"]


# --- Progress ----------------------------------------------------------------------------------------------------------------------


def test_the_report_is_said_to_be_drawn(command: Command, api: Api) -> None:
    assert "traindx: drawing the report\n" in command("diagnose", "digits.csv", "--report", "a.html").err
    assert "drawing" not in command("diagnose", "digits.csv", "--report", "a.json").err
    assert "drawing" not in command("diagnose", "digits.csv", "--report", "a.html", "--quiet").err


# --- The process -------------------------------------------------------------------------------------------------------------------


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "traindx", *arguments], capture_output=True, text=True, **options)


def processor_seconds() -> float:
    """Of all processes that were waited for: unlike the clock's, they do not grow while other tests run beside."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_and_version_are_fast() -> None:
    for argument in ("--help", "--version"):
        seconds = []
        for _ in range(5):
            began = processor_seconds()
            assert process(argument).returncode == 0
            seconds.append(processor_seconds() - began)
        assert min(seconds) < HELP_SECONDS


def test_help_and_version_load_nothing_heavy() -> None:
    for argument in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-X", "importtime", "-m", "traindx", argument], capture_output=True, text=True, check=True)
        loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
        assert not loaded & HEAVY


def test_version() -> None:
    assert process("--version").stdout == "traindx 0.1.0\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_common_options(name: str, command: Command) -> None:
    ended = command(name, "--help")
    assert ended.status == 0
    for option in ("--help", "--json", "--quiet", "--store", "--seed"):
        assert option in ended.out


def test_no_arguments_show_the_help() -> None:
    done = process()
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_misuse_of_the_process_is_one_line() -> None:
    done = process("diagnose", "--nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "traindx: --nonsense: no such option; see `traindx diagnose --help`\n"


STAND_IN = """
import os, sys, time, types
import traindx
from traindx import cli, tasks
from traindx.records import Branch, Diagnosis, Recipe

def diagnose(task, recipe, **options):
    print("printed by the task")
    os.write(1, b"written by a library\\n")
    if "wait" in sys.argv:
        print("waiting", file=sys.stderr, flush=True)
        time.sleep(60)
    said = "T\\u00fcr is healthy."
    return Diagnosis(key="k", task_name="t", task_fingerprint="f", recipe=recipe, branch=Branch.HEALTHY, sentence=said)

module = types.ModuleType("traindx.api")
module.diagnose = diagnose
sys.modules["traindx.api"] = traindx.api = module
tasks.read = lambda source, **options: ("task", Recipe())
sys.exit(cli.main([a for a in sys.argv[1:] if a != "wait"]))
"""


def test_json_stays_pure_whatever_the_work_prints(tmp_path: Path) -> None:
    call = [sys.executable, "-c", STAND_IN, "diagnose", "x.csv", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(done.stdout)["branch"] == "healthy"
    assert "printed by the task" in done.stderr
    assert "written by a library" in done.stderr


def test_a_terminal_without_unicode_is_no_crash(tmp_path: Path) -> None:
    call = [sys.executable, "-c", STAND_IN, "diagnose", "x.csv"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert done.stdout.startswith("T\\xfcr is healthy.")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a process on Windows")
def test_ctrl_c(tmp_path: Path) -> None:
    call = [sys.executable, "-c", STAND_IN, "diagnose", "x.csv", "--json", "wait"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as started:
        assert started.stderr is not None
        while "waiting" not in started.stderr.readline():
            pass
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=30)
    assert (started.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "traindx: interrupted; the diagnosis resumes with the same command"
