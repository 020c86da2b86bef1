"""The documentation agrees with the code: a page a cause, the constants that pages name, the names and commands, the links, the lists."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import typer
from typer.main import get_command

import traindx
from traindx.cli import app
from traindx.diagnosis import RULES, Rule, conclusion, procedure, reading
from traindx.diagnosis.rules import base
from traindx.records import Comparison, Cost, Diagnosis, Evidence, Finding, Recipe, Record, RemedyRef, Run, Standing, Step, Treatment
from traindx.watching import DETECTORS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CAUSES = DOCS / "causes"
SOURCE = ROOT / "src" / "traindx"
PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
HEADINGS = (
    "What it is",
    "Why it looks like something else",
    "Signs",
    "The experiment that settles it",
    "Remedy",
    "What clears it",
    "Example",
    "Measured",
    "Sources",
)
PACKAGES = ("probes", "experiments", "remedies", "remedies/surgery", "diagnosis/rules")
UNLISTED = {
    "experiments": {
        "verification",
        "gap",
        "selection_bias",
        "surroundings",
        "convolutional",
        "layout",
        "domain",
        "cross_predictions",
        "surplus",
        "alignment",
    },
    "remedies": {"exchanged_targets"},
    "remedies/surgery": {"channels", "edit", "functional"},
}
"""Modules that are no members: what a treatment or `traindx curvature` asks instead of a diagnosis, arithmetic of races and intervals, reference models, how rows are laid out and told apart, what surgery shares."""

# `NAME = value` or `module.NAME = value` within backticks.
CONSTANT = re.compile(r"`((?:[a-z_]+\.)*)([A-Z][A-Z0-9_]*) = ([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def code(page: Path, language: str) -> list[str]:
    """The blocks of code of one language."""
    return [block for found, block in FENCE.findall(page.read_text()) if found == language]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- A page for every cause --------------------------------------------------------------------------------------------------------


def rule_id(rule: Rule) -> str:
    return rule.cause


def test_every_cause_has_a_page_and_every_page_a_cause() -> None:
    assert {page.stem for page in CAUSES.glob("*.md")} - {"README"} == {rule.cause for rule in RULES} | {kind.cause for kind in DETECTORS}


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_page_has_the_headings_in_order(rule: Rule) -> None:
    text = prose(CAUSES / f"{rule.cause}.md")
    assert re.findall(r"^# (.+)$", text, re.MULTILINE) == [rule.cause]
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == HEADINGS
    assert f"Branch: `{rule.branch}`." in text


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_page_has_an_example_that_diagnoses(rule: Rule) -> None:
    (example,) = code(CAUSES / f"{rule.cause}.md", "python")
    names = {node.id for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert {"task", "recipe", "diagnosis"} <= names
    assert "diagnosis = tdx.diagnose(task, recipe)" in example.splitlines()


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_index_names_the_cause_with_its_branch(rule: Rule) -> None:
    assert f"| [{rule.cause}]({rule.cause}.md) | `{rule.branch}` |" in (CAUSES / "README.md").read_text()


# --- Constants ---------------------------------------------------------------------------------------------------------------------


class Constant(NamedTuple):
    """A constant as a page states it."""

    page: Path
    module: str
    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.page.stem}-{self.module}{self.name}"


def stated(page: Path) -> list[Constant]:
    """The constants that a page states, each once."""
    return list(dict.fromkeys(Constant(page, *found) for found in CONSTANT.findall(page.read_text())))


def modules() -> Iterator[str]:
    """The names of all modules of traindx that may hold a page's constants, without importing them; what reads code alone has none."""
    for info in pkgutil.walk_packages([str(SOURCE)], "traindx."):
        if not any(part in info.name for part in (".migrations.", ".check.", "__main__")):
            yield info.name


def module_of(constant: Constant) -> ModuleType:
    """The module that a page means: the one it names, else the cause's rule, else the shared ones of the diagnosis or the race."""
    if constant.module:
        (found,) = [m for m in modules() if m.endswith(f".{constant.module.rstrip('.')}")]
        return importlib.import_module(found)
    rules = [importlib.import_module(type(rule).__module__) for rule in RULES if rule.cause == constant.page.stem]
    race = ["traindx.experiments.race", "traindx.experiments.gap", "traindx.experiments.base"] if constant.page.parent == DOCS else []
    shared = [base, reading, procedure, conclusion, *(importlib.import_module(m) for m in race)]
    return next((m for m in (*rules, *shared) if hasattr(m, constant.name)), reading)


def value_of(constant: Constant) -> Any:
    return getattr(module_of(constant), constant.name, "no such constant")


CONSTANTS = [constant for page in PAGES for constant in stated(page)]


@pytest.mark.parametrize("constant", CONSTANTS, ids=str)
def test_constant_is_stated_as_it_is(constant: Constant) -> None:
    assert ast.literal_eval(constant.value) == value_of(constant)


def test_a_wrong_constant_is_noticed() -> None:
    page = CAUSES / "vanishing-gradient.md"
    assert value_of(Constant(page, "", "DEEP", "")) == importlib.import_module("traindx.diagnosis.rules.vanishing_gradient").DEEP
    assert value_of(Constant(page, "", "NO_SUCH_NAME", "")) == "no such constant"


def named_constants(module: ModuleType) -> set[str]:
    """The constants that a module gives a value itself, rather than imports."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    names = [e.id for t in targets for e in ast.walk(t) if isinstance(e, ast.Name)]
    return {n for n in names if n.isupper() and not n.startswith("_")}


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_page_states_every_threshold_of_its_rule(rule: Rule) -> None:
    module = importlib.import_module(type(rule).__module__)
    assert named_constants(module) - {c.name for c in stated(CAUSES / f"{rule.cause}.md")} == set()


# --- Names, commands, fields -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_text() -> str:
    return "\n".join(page.read_text() for page in [*DOCS.rglob("*.md"), ROOT / "README.md"])


@pytest.mark.parametrize("public", traindx.__all__)
def test_public_name_is_documented(public: str, all_text: str) -> None:
    assert re.search(rf"\b{public}\b", all_text)


def commands() -> list[str]:
    group = get_command(app)
    return sorted(group.list_commands(typer.Context(group)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", commands())
def test_command_is_documented(command: str, all_text: str) -> None:
    assert f"traindx {command}" in all_text


@pytest.mark.parametrize("record", [Diagnosis, Finding, Evidence, Step, RemedyRef, Cost, Run, Recipe, Treatment, Comparison])
def test_every_field_of_the_json_is_documented(record: type[Record]) -> None:
    text = (DOCS / "json.md").read_text()
    assert [field for field in record.model_fields if f"`{field}`" not in text] == []


def test_every_standing_is_explained() -> None:
    text = (DOCS / "how-it-decides.md").read_text()
    assert [s.value for s in Standing if f"| `{s.value}` |" not in text] == []


def test_every_example_is_named() -> None:
    from traindx.tasks.readers import EXAMPLES

    text = (DOCS / "data.md").read_text()
    assert [e for e in EXAMPLES if f"`example:{e}`" not in text] == []


# --- Links -------------------------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are formed on code hosts."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_decision_is_listed_and_numbered_once() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [record.name[:4] for record in records] == [f"{i:04}" for i in range(1, len(records) + 1)]
    index = (DOCS / "decisions" / "README.md").read_text()
    assert [record.name for record in records if f"[{record.name[:4]}]({record.name})" not in index] == []


# --- Lists of members --------------------------------------------------------------------------------------------------------------


def imported(package: str) -> set[str]:
    """The modules of its own that a package's __init__ imports from."""
    prefix = "traindx." + package.replace("/", ".") + "."
    tree = ast.parse((SOURCE / package / "__init__.py").read_text())
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {module.removeprefix(prefix) for module in found if module.startswith(prefix)}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_lists_every_member(package: str) -> None:
    members = {file.stem for file in (SOURCE / package).glob("*.py")} - {"__init__", "base"} - UNLISTED.get(package, set())
    assert members - imported(package) == set()


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_rule_stands_in_the_file_of_its_cause(rule: Rule) -> None:
    assert type(rule).__module__.rpartition(".")[2] == rule.cause.replace("-", "_")


def test_the_parts_that_are_listed_are_there() -> None:
    listed = (ROOT / "CONTRIBUTING.md").read_text().split("only from parts above it:\n")[1].split("\n- ")[0]
    parts = {name.strip() for name in listed.split(",")}
    assert parts == {path.stem for path in SOURCE.iterdir() if not path.name.startswith("__") and path.suffix in ("", ".py")}


def test_nothing_is_installed_from_where_it_is_not_published(all_text: str) -> None:
    assert "pip install 'traindx" not in all_text
