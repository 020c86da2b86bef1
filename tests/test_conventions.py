"""Small promises that are easily broken unnoticed: a light import, a complete list of names, nothing in the files of one machine alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import traindx

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "sklearn", "matplotlib", "sqlalchemy", "pydantic", "typer", "numpy", "scipy")
HEAVY_FOR_HELP = ("torch", "sklearn", "matplotlib", "scipy")


# --- A light import ----------------------------------------------------------------------------------------------------------------


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after this code, whose output is thrown away."""
    quiet = "import contextlib, io, json, sys\nwith contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
    body = "".join(f"    {line}\n" for line in code.splitlines())
    answer = "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", quiet + body + answer], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_import_loads_nothing_heavy() -> None:
    loaded = loaded_after("import traindx")
    assert "traindx" in loaded
    assert sorted(loaded.intersection(HEAVY)) == []


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_after(
        "import runpy\nsys.argv = ['traindx', '--help']\nrunpy.run_module('traindx', run_name='__main__', alter_sys=True)"
    )
    assert "typer" in loaded
    assert sorted(loaded.intersection(HEAVY_FOR_HELP)) == []


def test_a_heavy_import_is_noticed() -> None:
    assert "numpy" in loaded_after("import numpy")


# --- The public names --------------------------------------------------------------------------------------------------------------


def test_public_names_are_sorted_and_listed_once() -> None:
    assert list(traindx.__all__) == sorted(set(traindx.__all__))


@pytest.mark.parametrize("name", traindx.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(traindx, name) is not None
    assert name in dir(traindx)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = traindx.no_such_name


# --- Nothing of one machine alone --------------------------------------------------------------------------------------------------

# Written in two pieces, so that this file does not hold what it forbids.
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "download.py" + "torch.org", "registry.npm" + "js.org", "deb." + "debian.org")
FOLDERS = ("/wo" + "rk/", "/tmp/" + "bash_jobs", "/ro" + "ot/", "/home/" + "user/")
FORBIDDEN = re.compile("|".join([*map(re.escape, HOSTS), *(rf"(?<![\w./~-]){re.escape(folder)}" for folder in FOLDERS)]))


def tracked_files() -> list[Path]:
    """The files that git tracks; outside a git checkout, those of the package and its tests."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True) if (ROOT / ".git").exists() else None
    if listed is not None and listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for folder in ("src", "tests", "docs") for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]


def forbidden_in(content: bytes) -> list[str]:
    """What a text file must not name; nothing in a binary one."""
    return [] if b"\0" in content else sorted(set(FORBIDDEN.findall(content.decode("utf-8", errors="replace"))))


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    found = {
        str(path.relative_to(ROOT)): words for path in tracked_files() if path.is_file() and (words := forbidden_in(path.read_bytes()))
    }
    assert found == {}


@pytest.mark.parametrize("word", [*HOSTS, *FOLDERS])
def test_a_forbidden_word_is_noticed(word: str) -> None:
    assert forbidden_in(f"see {word}x".encode()) == [word]
    assert forbidden_in(f"see {word}x\0".encode()) == []


def test_words_that_only_look_alike_are_left_alone() -> None:
    assert forbidden_in(b"docs/work/a.md, homework/, ~/work/b, pytorch.org") == []


# --- No silent skip where the server and the browser are promised --------------------------------------------------------------------

SKIPS = """
import pytest
def test_server(): pytest.skip("no PostgreSQL server: set TRAINDX_TEST_POSTGRES")
@pytest.mark.skip(reason="no Chromium on this machine")
def test_browser(): pass
@pytest.fixture
def server(): pytest.skip("no PostgreSQL server")
def test_fixture(server): pass
def test_other(): pytest.skip("no GPU")
@pytest.mark.xfail
def test_expected(): assert False
"""
SKIPPED_FILE = "import pytest\npytest.skip('no Chromium', allow_module_level=True)\n"


@pytest.mark.parametrize(("promise", "closing_line"), [("1", "1 failed, 1 skipped, 1 xfailed, 3 errors"), ("", "5 skipped, 1 xfailed")])
def test_a_skip_for_want_of_what_is_promised_fails(tmp_path: Path, promise: str, closing_line: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "test_skipped_file.py").write_text(SKIPPED_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "TRAINDX_CI": promise}, capture_output=True, text=True)
    assert closing_line in done.stdout.splitlines()[-1], done.stdout
    assert done.returncode == (1 if promise else 0)
