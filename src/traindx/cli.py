"""The command line: the functions of `traindx.api` as commands.

Results go to standard output, everything else (progress, errors, whatever a task prints) to standard error. Exit status: 0 done,
1 failed, 2 bad input (one line ``traindx: ARGUMENT: FOUND; WHAT TO DO``), 3 when ``--fail-on`` matches, 130 interrupted. Nothing heavy is
imported before a command needs it.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from traindx import __version__

if TYPE_CHECKING:
    from traindx.records import Branch, Curvature, Diagnosis, Recipe, RemedyRef, Run, Treatment
    from traindx.report.progress import ProgressCallback
    from traindx.store import Store
    from traindx.tasks import Task

DONE, FAILED, BAD_INPUT, MATCHED, INTERRUPTED = 0, 1, 2, 3, 130
DEFAULT_STORE: Final = Path(".traindx", "traindx.db")
DEMO_SOURCE: Final = "example:stuck-digits"
DEMO_REPORT: Final = Path("traindx-demo", "report.html")
RUNS_SEARCHED = 10_000
"""Newest runs among which ``show`` looks for the beginning of a key."""

app = typer.Typer(
    name="traindx",
    help="Finds out why a neural network does not train or does not generalise, by controlled experiments, and proves its remedy.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

SOURCE_HELP = (
    "FILE.py:NAME (a Task, a (Task, Recipe) pair or a function that returns one), a table (.csv, .tsv, .txt, .data, .dat, .parquet, "
    ".arff), .npz, "
    "a folder of images by class, IDX files, or example:NAME. `diagnose` also reads logs: TensorBoard event files, CSV logs, their folder."
)

Source = Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP, show_default=False)]
Target = Annotated[str | None, typer.Option("--target", metavar="NAME|INDEX", help="The column to predict.", show_default=False)]
Drop = Annotated[str | None, typer.Option("--drop", metavar="A,B", help="Columns to leave out.", show_default=False)]
Header = Annotated[bool | None, typer.Option("--header/--no-header", help="Whether the first row names the columns.", show_default=False)]
Test = Annotated[
    str | None, typer.Option("--test", metavar="FILE", help="A test set of the same form; it stays sealed.", show_default=False)
]
Validation = Annotated[
    str | None, typer.Option("--validation", metavar="FILE", help="A validation set of the same form.", show_default=False)
]
Seconds = Annotated[float | None, typer.Option("--seconds", help="Wall seconds at most; gives up reproducibility.", show_default=False)]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a report, .html or .json.", show_default=False)]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on", metavar="BRANCH|any", help="Exit with 3 on this branch, or on any but healthy. Repeatable.", show_default=False
    ),
]
Lr = Annotated[float | None, typer.Option("--lr", help="Learning rate.", show_default=False, rich_help_panel="Recipe")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Epochs.", show_default=False, rich_help_panel="Recipe")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Rows in a batch.", show_default=False, rich_help_panel="Recipe")]
Optimizer = Annotated[
    str | None, typer.Option("--optimizer", help="A class of torch.optim, lower-case.", show_default=False, rich_help_panel="Recipe")
]
AsJson = Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and the sentence only.")]
QuietCheck = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing where no mistake is found.")]
KeysOnly = Annotated[bool, typer.Option("--quiet", "-q", help="The keys only.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="TRAINDX_STORE",
        help=f"Where records are kept: a file or a database; else {DEFAULT_STORE}.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of weights and data order.", show_default=False)]
OfSeed = Annotated[int | None, typer.Option("--seed", help="Only records of this seed.", show_default=False)]


# --- Commands ----------------------------------------------------------------------------------------------------------------------


@app.command()
def diagnose(
    source: Source,
    target: Target = None,
    drop: Drop = None,
    header: Header = None,
    test: Test = None,
    validation: Validation = None,
    budget: Annotated[float, typer.Option("--budget", help="Baseline runs to spend.")] = 8.0,
    seconds: Seconds = None,
    report: Report = None,
    fail_on: FailOn = None,
    lr: Lr = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: StoreUrl = None,
    seed: Seed = None,
) -> None:
    """Find out why a network does not train or does not generalise."""
    recipe_changes = {"lr": lr, "epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "seed": seed}
    output = Output(as_json, quiet, _report_path(report))
    branches = _branches(fail_on)
    _positive("--budget", budget)
    _positive("--seconds", seconds)
    if target is None and _is_log(source):
        from traindx.watching.logs import diagnose_logs

        diagnosis = diagnose_logs(source)
        output.show(diagnosis)
        _exit_on(diagnosis.branch, branches)
        return
    with working(quiet, "diagnosis") as progress:
        from traindx import api

        task, recipe = _read(source, recipe_changes, target=target, drop=drop, header=header, test=test, validation=validation)
        diagnosis = api.diagnose(task, recipe, budget=budget, seconds=seconds, store=_writable(store), progress=progress)
    output.show(diagnosis)
    _exit_on(diagnosis.branch, branches)


@app.command()
def treat(
    source: Source,
    target: Target = None,
    drop: Drop = None,
    header: Header = None,
    test: Test = None,
    validation: Validation = None,
    budget: Annotated[float, typer.Option("--budget", help="Baseline runs to spend on the treatment.")] = 20.0,
    diagnosis_budget: Annotated[float, typer.Option("--diagnosis-budget", help="Baseline runs to spend on the diagnosis before.")] = 8.0,
    seconds: Seconds = None,
    report: Report = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE.py", help="Write the treated training as a plain PyTorch script.", show_default=False),
    ] = None,
    fail_on: FailOn = None,
    lr: Lr = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: StoreUrl = None,
    seed: Seed = None,
) -> None:
    """Diagnose, apply the remedies, and verify that they work. Of --seconds, the diagnosis has half at most."""
    recipe_changes = {"lr": lr, "epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "seed": seed}
    output = Output(as_json, quiet, _report_path(report))
    branches = _branches(fail_on)
    _script_path(export)
    for name, value in (("--budget", budget), ("--diagnosis-budget", diagnosis_budget), ("--seconds", seconds)):
        _positive(name, value)
    with working(quiet, "treatment") as progress:
        task, recipe = _read(source, recipe_changes, target=target, drop=drop, header=header, test=test, validation=validation)
        treatment = _treated(task, recipe, diagnosis_budget, budget, seconds, _writable(store), progress)
    output.show(treatment)
    if export is not None:
        if not treatment.remedies and not quiet:
            typer.echo("traindx: nothing was changed, so the script is the training as it was", err=True)
        with _printing_to_stderr():
            exported = treatment.export(export)
        for file in exported.files:
            if not quiet:
                typer.echo(f"traindx: wrote {file}", err=True)
    _exit_on(treatment.diagnosis.branch, branches)


lab_app = typer.Typer(help="Put claims of the guide to the test on this machine.", no_args_is_help=True)
app.add_typer(lab_app, name="lab")


@lab_app.command("list")
def lab_list(as_json: AsJson = False) -> None:
    """The labs, with their claims."""
    from traindx.labs import LABS

    if as_json:
        _print_json([{"name": lab.name, "claims": lab.claims, "question": lab.question, "claim": lab.claim} for lab in LABS.values()])
        return
    for lab in LABS.values():
        typer.echo(f"{lab.name:<16} claims {', '.join(map(str, lab.claims)):<11} {lab.question}")


@lab_app.command("run")
def lab_run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Labs; see `traindx lab list`.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All labs.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Where data sets lie.", envvar="TRAINDX_DATA", show_default=False)
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The large version.")] = False,
    seeds: Annotated[int, typer.Option("--seeds", help="How many seeds.", min=1)] = 3,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="FOLDER", help="Write the figures there, as PNG files.", show_default=False)
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a report, .html.", show_default=False)] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: StoreUrl = None,
) -> None:
    """Run labs and say what became of their claims. What is finished is taken from the store, runs and whole labs."""
    from traindx.labs import LABS, Context, conduct
    from traindx.records import InputError
    from traindx.report import labs as shown

    chosen = list(LABS) if every else names or []
    unknown = [name for name in chosen if name not in LABS]
    if unknown or not chosen:
        raise InputError("NAME", f"found {unknown[0]!r}" if unknown else "found none", f"use --all, or some of {', '.join(LABS)}")
    report = _report_path(report)
    if report is not None and report.suffix != ".html":
        raise InputError("--report", f"found {report}", "give a path that ends in .html")
    for option, folder in (("--data", data), ("--pictures", pictures)):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise InputError(option, f"found the file {folder}", "name a folder")
    if data is not None and not data.exists():
        raise InputError("--data", f"found no folder {data}", "name the one in which the data sets lie")

    def tell(text: str) -> None:
        if not quiet and not as_json:
            typer.echo(f"traindx: {text}", err=True)

    results = []
    for i, name in enumerate(chosen, 1):
        tell(f"lab {i} of {len(chosen)}: {name}")
        results.append(conduct(LABS[name], Context(tuple(range(seeds)), data, full, _writable(store), tell)))
        if not quiet and not as_json:
            typer.echo(shown.details(results[-1]) + "\n")
    if as_json:
        _print_json([r.to_dict() for r in results])
    else:
        typer.echo(shown.scoreboard(results))
    for path in (*([shown.save(results, report)] if report is not None else []), *(shown.pictures(results, pictures) if pictures else ())):
        tell(f"wrote {path}")


@app.command()
def curvature(
    source: Source,
    target: Target = None,
    drop: Drop = None,
    header: Header = None,
    validation: Validation = None,
    step: Annotated[int | None, typer.Option("--step", metavar="N", help="Look after N updates.", show_default="at the end")] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="FOLDER", help="Write the figures there, as PNG files.", show_default=False)
    ] = None,
    report: Report = None,
    lr: Lr = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    seed: Seed = None,
) -> None:
    """Train, and look at the loss around the weights: saddle or minimum, eigenvalues, lines and planes."""
    recipe_changes = {"lr": lr, "epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "seed": seed}
    output = Output(as_json, quiet, _report_path(report))
    _positive("--step", step)
    with working(quiet, "curvature") as progress:
        from traindx import api

        task, recipe = _read(source, recipe_changes, target=target, drop=drop, header=header, validation=validation)
        drawn = pictures is not None or report is not None or as_json
        record = api.curvature_of(task, recipe, step=step, pictures=drawn, progress=progress)
    output.show(record)
    if pictures is not None:
        from traindx.report import pictures as write

        for path in write(record, pictures):
            typer.echo(f"traindx: wrote {path}", err=True)


@app.command()
def check(
    scripts: Annotated[
        list[Path], typer.Argument(metavar="SCRIPT...", help="Python files, notebooks, or folders of both.", show_default=False)
    ],
    format_: Annotated[str, typer.Option("--format", metavar="text|json|sarif|github", help="How violations are written.")] = "text",
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="A code or name to leave out. Repeatable.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    quiet: QuietCheck = False,
) -> None:
    """Read training scripts without running them, and report mistakes; exit with 3 when there are any."""
    from traindx.check import check as checked_scripts
    from traindx.check.formats import FORMATS
    from traindx.records import InputError

    write = FORMATS.get("json" if as_json else format_)
    if write is None:
        raise InputError("--format", f"found {format_!r}", f"use one of {', '.join(FORMATS)}")
    checked = checked_scripts(scripts, ignore=ignore or ())
    for reason in checked.unreadable:
        typer.echo(f"traindx: {_one_line(reason)}", err=True)
    written = write(checked)
    if written and not (quiet and not checked.violations and format_ == "text" and not as_json):
        typer.echo(written)
    if checked.unreadable:
        raise typer.Exit(BAD_INPUT)
    if checked.failed:
        raise typer.Exit(MATCHED)


@app.command()
def runs(
    limit: Annotated[int, typer.Option("--limit", help="Newest records of each kind to list.")] = 20,
    as_json: AsJson = False,
    quiet: KeysOnly = False,
    store: StoreUrl = None,
    seed: OfSeed = None,
) -> None:
    """List the stored diagnoses, treatments and runs, newest first."""
    with _readable(store) as records:
        found: dict[str, tuple[Callable[[Any], dict[str, Any]], list[Any]]] = {
            "diagnoses": (_diagnosis_row, [d for d in records.diagnoses(limit) if seed in (None, d.recipe.seed)]),
            "treatments": (_treatment_row, [t for t in records.treatments(limit) if seed in (None, t.recipe.seed)]),
            "runs": (_run_row, [r for r in records.runs(limit=limit) if seed in (None, r.seed)]),
        }
        dates = records.stored_at([record.key for _, kind in found.values() for record in kind])
    listed = {
        title: [{"key": record.key, "date": dates[record.key].isoformat(timespec="seconds"), **row(record)} for record in kind]
        for title, (row, kind) in found.items()
    }
    if as_json:
        _print_json(listed)
    else:
        _print_tables(listed, keys_only=quiet)


@app.command()
def show(
    key: Annotated[
        str, typer.Argument(metavar="KEY|latest", help="The key of a diagnosis, a treatment or a run, or its beginning.")
    ] = "latest",
    report: Report = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: StoreUrl = None,
    seed: OfSeed = None,
) -> None:
    """Show a stored diagnosis, treatment or run; "latest" is the newest diagnosis or its treatment."""
    output = Output(as_json, quiet, _report_path(report))
    with _readable(store) as records:
        record = _latest(records, seed) if key == "latest" else _found(records, key)
    output.show(record)


@app.command()
def demo(
    report: Annotated[Path, typer.Option("--report", metavar="FILE", help="Where the report goes.")] = DEMO_REPORT,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: StoreUrl = None,
    seed: Seed = None,
) -> None:
    """Diagnose and treat a broken network on handwritten digits; prints the path of the report."""
    if report == DEMO_REPORT:
        report.parent.mkdir(exist_ok=True)
    _report_path(report)
    with working(quiet, "demo") as progress:
        task, recipe = _read(DEMO_SOURCE, {"seed": seed})
        treatment = _treated(task, recipe, 8.0, 20.0, None, _writable(store), progress)
    if as_json:
        _write_report(treatment, report, quiet)
        _print_json({"report": str(report.resolve()), "treatment": treatment.to_dict()})
        return
    Output(as_json=False, quiet=quiet, report=None).show(treatment)
    typer.echo(_write_report(treatment, report, quiet).resolve())


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda wanted: _print_version(wanted), is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Finds out why a neural network does not train or does not generalise, by controlled experiments, and proves its remedy."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"traindx {__version__}")
        raise typer.Exit


# --- What goes in ------------------------------------------------------------------------------------------------------------------


def _read(source: str, recipe_changes: dict[str, Any], drop: str | None = None, **options: Any) -> tuple[Task, Recipe]:
    from traindx.records import InputError
    from traindx.tasks import read

    columns = tuple(name.strip() for name in drop.split(",") if name.strip()) if drop else ()
    task, recipe = read(source, drop=columns, **options)
    for name, value in recipe_changes.items():
        if value is not None:
            try:
                recipe = recipe.replace(**{name: value})
            except InputError as error:
                raise InputError(f"--{name.replace('_', '-')}", error.found, error.remedy) from None
    return task, recipe


def _is_log(source: str) -> bool:
    """Whether the source is a folder or a file of logged curves rather than of data."""
    path = Path(source)
    if not path.is_dir() and path.suffix != ".csv" and "tfevents" not in path.name:
        return False
    from traindx.watching.logs import is_log

    return is_log(path)


def _branches(names: Sequence[str] | None) -> frozenset[Branch]:
    """The branches that ``--fail-on`` names; "any" is every one but healthy."""
    from traindx.records import Branch, InputError

    chosen: set[Branch] = set()
    for name in names or ():
        if name == "any":
            chosen |= set(Branch) - {Branch.HEALTHY}
        elif name in [b.value for b in Branch]:
            chosen.add(Branch(name))
        else:
            raise InputError("--fail-on", f"found {name!r}", f"use any or one of {', '.join(Branch)}")
    return frozenset(chosen)


def _positive(argument: str, value: float | None) -> None:
    from traindx.records import InputError

    if value is not None and not value > 0:
        raise InputError(argument, f"found {value:g}", "give a number above 0")


def _report_path(path: Path | None) -> Path | None:
    """Asked before the work, so that no hour of training ends in a report that cannot be written."""
    if path is not None:
        from traindx import report

        report.destination(path, "--report")
    return path


def _script_path(path: Path | None) -> None:
    """The same for a script."""
    if path is not None:
        from traindx import handover

        handover.destination(path, "--export")


def _writable(url: str | None) -> str:
    if url:
        return url
    DEFAULT_STORE.parent.mkdir(exist_ok=True)
    return str(DEFAULT_STORE)


@contextmanager
def _readable(url: str | None) -> Iterator[Store]:
    """A store that is there already; looking at it makes none."""
    from traindx.records import InputError
    from traindx.store import open_store

    url = url or str(DEFAULT_STORE)
    path = url.removeprefix("sqlite:///")
    if "://" not in path and path not in ("memory:", ":memory:") and not Path(path).expanduser().exists():
        raise InputError("--store", f"no store at {path}", "run `traindx diagnose` first, or name the store with --store")
    with open_store(url) as store:
        yield store


def _latest(store: Store, seed: int | None) -> Diagnosis | Treatment:
    """The newest diagnosis or, where there is one, its treatment."""
    from traindx.records import InputError

    limit = 1 if seed is None else RUNS_SEARCHED
    diagnosis = next((d for d in store.diagnoses(limit) if seed in (None, d.recipe.seed)), None)
    treatment = next((t for t in store.treatments(limit) if seed in (None, t.recipe.seed)), None)
    if treatment and (diagnosis is None or treatment.diagnosis.key == diagnosis.key):
        return treatment
    if diagnosis is None:
        raise InputError(
            "KEY", "no diagnosis is stored" + (f" with seed {seed}" if seed is not None else ""), "run `traindx diagnose` first"
        )
    return diagnosis


def _found(store: Store, key: str) -> Diagnosis | Treatment | Run:
    from traindx.records import InputError

    record = store.get_diagnosis(key) or store.get_treatment(key) or store.get_run(key)
    if record is not None:
        return record
    begun = [run for run in store.runs(limit=RUNS_SEARCHED) if run.key.startswith(key)]
    if len(begun) != 1:
        found = f"{len(begun)} runs begin with {key!r}" if begun else f"nothing is stored under {key!r}"
        raise InputError("KEY", found, "give more of the key" if begun else "see `traindx runs` for the keys")
    return begun[0]


def _treated(
    task: Task,
    recipe: Recipe,
    diagnosis_budget: float,
    budget: float,
    seconds: float | None,
    store: str,
    progress: ProgressCallback | bool,
) -> Treatment:
    from traindx import api

    began = time.monotonic()
    half = None if seconds is None else seconds / 2
    diagnosis = api.diagnose(task, recipe, budget=diagnosis_budget, seconds=half, store=store, progress=progress)
    left = None if seconds is None else max(seconds - (time.monotonic() - began), 0.001)
    return api.treat(diagnosis, budget=budget, seconds=left, store=store, progress=progress)


# --- What comes out ----------------------------------------------------------------------------------------------------------------


class Output(NamedTuple):
    """How a command shows its record."""

    as_json: bool
    quiet: bool
    report: Path | None

    def show(self, record: Diagnosis | Treatment | Run | Curvature) -> None:
        """Write the report, if one was asked for, and the record on standard output."""
        if self.report is not None:
            path = _write_report(record, self.report, self.quiet)
            if not self.quiet:
                typer.echo(f"traindx: wrote {path}", err=True)
        if self.as_json:
            _print_json(record.to_dict())
        elif self.quiet:
            from traindx import report

            typer.echo(report.sentence(record))
        else:
            _print_record(record)


def _write_report(record: Diagnosis | Treatment | Run | Curvature, path: Path, quiet: bool) -> Path:
    from traindx import report

    if path.suffix == ".html" and not quiet:
        typer.echo("traindx: drawing the report", err=True)
    return report.save(record, path)


def _print_record(record: Diagnosis | Treatment | Run | Curvature) -> None:
    from traindx import report

    if not sys.stdout.isatty():
        sys.stdout.write(f"{report.to_text(record)}\n")  # no colours, and no spaces at the ends of lines
        return
    from rich.console import Console

    report.print_to(Console(highlight=False), record)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


def _print_tables(listed: dict[str, list[dict[str, Any]]], keys_only: bool) -> None:
    from traindx import report

    for title, rows in listed.items():
        if keys_only:
            for row in rows:
                typer.echo(row["key"])
        elif rows:
            typer.echo(report.listing(title, [{**row, "date": _local(row["date"])} for row in rows]))
    if not keys_only and not any(listed.values()):
        typer.echo("The store is empty.")


def _local(date: str) -> str:
    """The date on the clock of this machine, to the minute."""
    return datetime.fromisoformat(date).astimezone().strftime("%Y-%m-%d %H:%M")


def _diagnosis_row(d: Diagnosis) -> dict[str, Any]:
    top = d.top
    return {
        "task": d.task_name,
        "branch": d.branch.value,
        "top": top.cause if top else "",
        "seconds": round(d.cost.seconds, 1),
    }


def _treatment_row(t: Treatment) -> dict[str, Any]:
    remedies = _listed(t.remedies)
    return {"task": t.diagnosis.task_name, "verified": t.verified, "remedies": remedies, "seconds": round(t.cost.seconds, 1)}


def _run_row(r: Run) -> dict[str, Any]:
    losses = {name: _plain(r.last(name)) for name in ("train_loss", "validation_loss")}
    return {
        "task": r.task_name,
        "outcome": r.outcome.value,
        "seed": r.seed,
        "steps": r.steps,
        **losses,
        "remedies": _listed(r.remedies),
        "seconds": round(r.seconds, 1),
    }


def _listed(remedies: Sequence[RemedyRef]) -> str:
    return ", ".join(str(r) for r in remedies)


def _plain(value: float) -> float | str:
    """The value as JSON can hold it, written as in the records."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _exit_on(branch: Branch, branches: frozenset[Branch]) -> None:
    if branch in branches:
        raise typer.Exit(MATCHED)


# --- While it works ----------------------------------------------------------------------------------------------------------------


@contextmanager
def working(quiet: bool, what: str) -> Iterator[ProgressCallback | bool]:
    """Long work: its prints go to standard error, its progress is shown there, and an interruption says how to go on."""
    try:
        with _progress(quiet) as progress, _printing_to_stderr(), _logged(quiet):
            yield progress
    except KeyboardInterrupt:
        typer.echo(f"traindx: interrupted; the {what} resumes with the same command", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Standard output is for the result: what a task's code, a library or a worker process prints goes to standard error."""
    sys.stdout.flush()
    try:
        out, err = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, ValueError):  # not the process's own streams: a test, or a notebook
        with redirect_stdout(sys.stderr):
            yield
        return
    kept = os.dup(out)
    os.dup2(err, out)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, out)
        os.close(kept)


@contextmanager
def _progress(quiet: bool) -> Iterator[ProgressCallback | bool]:
    from traindx.report.progress import Lines, told

    with told(not quiet) as show:
        yield show or (False if quiet else Lines(sys.stderr))


@contextmanager
def _logged(quiet: bool) -> Iterator[None]:
    """What is logged on the way stands on standard error like every other line; quiet leaves out warnings."""
    log, handler = logging.getLogger("traindx"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("traindx: %(message)s"))
    handler.setLevel(logging.ERROR if quiet else logging.WARNING)
    propagated, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagated


# --- The process -------------------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = typer.main.get_command(app).main(given or ["--help"], prog_name="traindx", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        return _failed(error)
    return status if isinstance(status, int) else DONE


def _failed(error: Exception) -> int:
    """Say on standard error what went wrong; only what traindx did not raise on purpose comes with its traceback."""
    if line := _usage(error):
        typer.echo(line, err=True)
        return BAD_INPUT
    from traindx.records import InputError, TraindxError

    if isinstance(error, TraindxError):
        typer.echo(f"traindx: {_one_line(str(error))}", err=True)
        return BAD_INPUT if isinstance(error, InputError) else FAILED
    import traceback

    traceback.print_exception(error)
    return FAILED


def _usage(error: Exception) -> str:
    """The line for a wrong option or argument; empty for other errors."""
    usage_error = typer.BadParameter.__mro__[1]
    if not isinstance(error, usage_error):
        return ""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    argument, found = getattr(error, "option_name", None), "no such option"
    if parameter is not None:
        argument = parameter.opts[-1] if parameter.opts[-1].startswith("-") else parameter.opts[-1].upper()
        found = str(getattr(error, "message", "")) or "not given"
    elif argument is None:
        argument, found = "command line", str(getattr(error, "message", error))
    command = context.command_path if context is not None else "traindx"
    return f"traindx: {argument}: {_one_line(found[:1].lower() + found[1:]).rstrip('.')}; see `{command} --help`"


def _one_line(text: str) -> str:
    return " ".join(text.split())
