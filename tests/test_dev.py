"""dev.py: what is installed, when, and how it goes on after a failure. No test here installs anything."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def load_dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dev = load_dev()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's root, with a space in its path."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


class Scripted(dev.Environment):  # type: ignore[misc, name-defined]
    """An environment whose Python is not run: it notes the pip commands, and answers as the test says."""

    def __init__(self, root: Path, *, usable: bool = False, torch: str | None = None, offers: dict[str, str] | None = None) -> None:
        super().__init__(root)
        self.usable, self.torch, self.offers = usable, torch, {"torch==2.13.0+cpu": "2.13.0+cpu"} if offers is None else offers
        self.installed: list[str] = []
        self.made: list[bool] = []
        self.broken_pip = False

    def starts(self) -> bool:
        return self.usable

    def make_venv(self, share_packages: bool) -> None:
        self.folder.mkdir(exist_ok=True)
        self.made.append(share_packages)
        self.usable = True

    def torch_version(self) -> str | None:
        return self.torch

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert "install" not in arguments
        return subprocess.CompletedProcess(arguments, 0, "")

    def pip_install(self, *arguments: str) -> str:
        self.installed.append(arguments[-1])
        if arguments[-1].startswith("torch"):
            self.torch = self.offers.get(arguments[-1])
            return "" if self.torch else "no matching distribution"
        return "pip was killed" if self.broken_pip else ""


@pytest.fixture(autouse=True)
def linux_without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "has_nvidia_driver", lambda: False)


# --- Installing --------------------------------------------------------------------------------------------------------------------


def test_torch_comes_first_and_alone(root: Path) -> None:
    environment = Scripted(root)
    environment.prepare("test", "auto")
    assert environment.installed == ["torch==2.13.0+cpu", ".[test]"]


def test_demo_installs_no_test_tools(root: Path) -> None:
    environment = Scripted(root)
    environment.prepare("", "auto")
    assert environment.installed == ["torch==2.13.0+cpu", "."]


def test_second_call_installs_nothing(root: Path) -> None:
    Scripted(root).prepare("test", "auto")
    for extra in ("test", ""):
        again = Scripted(root, usable=True)
        again.prepare(extra, "auto")
        assert again.installed == again.made == []


def test_test_after_demo_installs_the_test_tools(root: Path) -> None:
    Scripted(root).prepare("", "auto")
    again = Scripted(root, usable=True, torch="2.13.0+cpu")
    again.prepare("test", "auto")
    assert again.installed == [".[test]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed(root: Path, name: str) -> None:
    Scripted(root).prepare("test", "auto")
    with (root / name).open("a") as file:
        file.write("# changed\n")
    again = Scripted(root, usable=True, torch="2.13.0+cpu")
    again.prepare("test", "auto")
    assert again.installed == [".[test]"]


def test_moved_project_is_installed_again(root: Path) -> None:
    Scripted(root).prepare("test", "auto")
    moved = root.rename(root.with_name("elsewhere"))
    assert not Scripted(moved, usable=True).is_ready("test", "auto")


def test_interrupted_installation_is_taken_up_again(root: Path) -> None:
    environment = Scripted(root)
    environment.broken_pip = True
    with pytest.raises(dev.Failure, match="pip was killed"):
        environment.prepare("test", "auto")
    again = Scripted(root, usable=True, torch="2.13.0+cpu")
    again.prepare("test", "auto")
    assert again.installed == [".[test]"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"text"', '{"fingerprint": 1}'])
def test_unreadable_stamp_is_no_stamp(root: Path, content: str) -> None:
    environment = Scripted(root, usable=True)
    environment.folder.mkdir()
    environment.stamp.write_text(content)
    assert not environment.is_ready("", "auto")


def test_stamp_of_a_python_that_does_not_start_is_not_enough(root: Path) -> None:
    Scripted(root).prepare("test", "auto")
    assert Scripted(root, usable=True).is_ready("test", "auto")
    assert not Scripted(root, usable=False).is_ready("test", "auto")


# --- The choice of torch -----------------------------------------------------------------------------------------------------------


def test_torch_that_imports_is_kept_and_the_pins_follow_it(root: Path) -> None:
    environment = Scripted(root, usable=True, torch="2.9.1+cu128")
    environment.prepare("test", "auto")
    assert environment.installed == [".[test]"]
    constraints = (environment.folder / "constraints.txt").read_text()
    assert "torch==2.9.1+cu128\n" in constraints
    assert constraints.count("torch==") == 1
    assert constraints.splitlines()[3:] != []


def test_without_a_cpu_build_the_plain_one_comes_with_a_warning(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = Scripted(root, offers={"torch==2.13.0": "2.13.0"})
    environment.prepare("", "auto")
    assert environment.installed == ["torch==2.13.0+cpu", "torch==2.13.0", "."]
    assert "several GB" in capsys.readouterr().out


def test_without_the_pinned_version_the_newest_is_taken(root: Path) -> None:
    environment = Scripted(root, offers={"torch>=2.5": "2.20.0"})
    environment.prepare("", "auto")
    assert environment.installed == ["torch==2.13.0+cpu", "torch==2.13.0", "torch>=2.5", "."]
    assert "torch==2.20.0\n" in (environment.folder / "constraints.txt").read_text()


def test_no_torch_at_all_is_a_failure_that_says_what_to_do(root: Path) -> None:
    environment = Scripted(root, offers={})
    with pytest.raises(dev.Failure, match="run the same command again"):
        environment.prepare("", "auto")
    assert not environment.stamp.exists()


@pytest.mark.parametrize(
    ("choice", "linux", "driver", "first"),
    [
        ("auto", True, False, "torch==2.13.0+cpu"),
        ("auto", True, True, "torch==2.13.0,!=2.13.0+cpu"),
        ("cpu", True, True, "torch==2.13.0+cpu"),
        ("cuda", True, False, "torch==2.13.0,!=2.13.0+cpu"),
        ("auto", False, False, "torch==2.13.0"),
    ],
)
def test_first_attempt(choice: str, linux: bool, driver: bool, first: str) -> None:
    attempts = dev.torch_attempts(choice, "2.13.0", linux, driver)
    assert attempts[0][0] == first
    for requirement, _ in attempts:
        Requirement(requirement)


@pytest.mark.parametrize(
    ("there", "choice", "replaced"), [("2.13.0+cpu", "cpu", False), ("2.13.0+cpu", "cuda", True), ("2.13.0", "cpu", True)]
)
def test_explicit_choice_replaces_the_other_build(root: Path, there: str, choice: str, replaced: bool) -> None:
    offers = {"torch==2.13.0+cpu": "2.13.0+cpu", "torch==2.13.0,!=2.13.0+cpu": "2.13.0+cu130"}
    environment = Scripted(root, usable=True, torch=there, offers=offers)
    environment.prepare("", choice)
    assert len(environment.installed) == 1 + replaced
    assert Scripted(root, usable=True).is_ready("", "auto")
    assert not Scripted(root, usable=True).is_ready("", "cuda" if choice == "cpu" else "cpu")


def test_keep_shares_the_packages_of_the_running_python(root: Path) -> None:
    environment = Scripted(root)
    with pytest.raises(dev.Failure, match="--torch keep: no torch that imports"):
        environment.prepare("", "keep")
    assert environment.made == [False, True]
    assert environment.installed == []


# --- A real virtual environment ----------------------------------------------------------------------------------------------------


def test_broken_environment_is_made_anew(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = dev.Environment(root)
    environment.scripts.mkdir(parents=True)
    environment.python.write_text("not a python")
    (environment.folder / "left over").touch()
    environment.make_venv(share_packages=False)
    assert environment.starts()
    assert not (environment.folder / "left over").exists()
    assert "making it anew" in capsys.readouterr().out
    (environment.folder / "mine").touch()
    environment.make_venv(share_packages=False)
    assert (environment.folder / "mine").exists()
    assert environment.torch_version() is None


def test_what_is_not_a_folder_is_not_removed(root: Path) -> None:
    (root / ".venv").write_text("something else")
    with pytest.raises(dev.Failure, match="remove it"):
        dev.Environment(root).make_venv(share_packages=False)
    assert (root / ".venv").read_text() == "something else"


def test_commands_see_nothing_of_another_python(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET"):
        monkeypatch.setenv(name, "elsewhere")
    environment = dev.Environment(root)
    variables = environment.variables()
    assert not {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET"} & set(variables)
    assert variables["PATH"].startswith(str(environment.scripts) + os.pathsep)


# --- The commands ------------------------------------------------------------------------------------------------------------------


class Recorded:
    """Takes the place of an environment when commands are run; the steps named fail."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.ran = failing, []

    def run(self, *arguments: str) -> int:
        self.ran.append(" ".join(arguments))
        return int(any(name in self.ran[-1] for name in self.failing))


def test_every_check_is_run_although_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    environment = Recorded("ruff check", "mypy")
    assert dev.test(environment, ["-k", "name"]) == 1
    assert [re.sub(r"^-m (\w+).*", r"\1", line) for line in environment.ran] == ["ruff", "ruff", "mypy", "pytest"]
    assert environment.ran[-1].endswith("-k name")
    assert capsys.readouterr().out.endswith("failed: ruff check, mypy\n")


def test_success_ends_with_the_last_line_of_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.test(Recorded(), []) == 0
    assert capsys.readouterr().out.endswith("--- pytest\n")


def test_check_runs_no_other_tests() -> None:
    environment = Recorded()
    assert dev.check(environment, []) == 0
    assert [line for line in environment.ran if "pytest" in line] == ["-m pytest tests/test_layering.py"]


def test_arguments_go_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(dev.Environment, "prepare", lambda self, extra, torch: seen.append((extra, torch)))
    monkeypatch.setattr(dev.Environment, "run", lambda self, *arguments: seen.append(arguments) or 3)
    assert dev.main(["demo", "--torch", "cpu", "--quiet"]) == 3
    assert seen == [("", "cpu"), ("-m", "traindx", "demo", "--quiet")]
    assert dev.main(["test", "tests/test_dev.py", "-x"]) == 1
    assert seen[2] == ("test", "auto")
    assert seen[-1][-2:] == ("tests/test_dev.py", "-x")


def test_failure_is_said_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise dev.Failure("no disk; make room")

    monkeypatch.setattr(dev.Environment, "prepare", fail)
    assert dev.main(["test"]) == 1
    assert capsys.readouterr().err == "dev.py: no disk; make room\n"


# --- The file itself, and the pins -------------------------------------------------------------------------------------------------


def test_an_older_python_can_parse_it_and_is_told() -> None:
    source = (ROOT / "dev.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    old = source.replace("if sys.version_info < (3, 11)", "if True", 1)
    told = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True)
    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1
    assert "needs Python 3.11 or newer" in told.stderr


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "dev.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_everything_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in pins)
    assert list(versions) == sorted(versions)
    for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        requirement = Requirement(text)
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{text} is not pinned"
        assert requirement.specifier.contains(version), f"{text} does not admit the pinned {version}"
