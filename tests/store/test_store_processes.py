"""Stores that processes share: killed in the middle of a put, writing at once, opening at once, forked."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from store_process import SHARED
from stored_records import a_diagnosis, a_run, exact

from traindx.store import open_store

SCRIPT = Path(__file__).with_name("store_process.py")

HALF_WAY = [
    ("run", "INSERT INTO runs"),
    ("run", "INSERT INTO observations"),
    ("run", "COMMIT INSERT INTO observations"),
    ("again", "INSERT INTO runs"),
    ("again", "DELETE FROM observations"),
    ("again", "COMMIT INSERT INTO observations"),
    ("diagnosis", "INSERT INTO runs"),
    ("diagnosis", "INSERT INTO diagnoses"),
    ("diagnosis", "COMMIT INSERT INTO diagnoses"),
]


def process(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(SCRIPT), *arguments], stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize(("put", "moment"), HALF_WAY)
def test_a_put_that_is_killed_leaves_nothing_behind(shared_url: str, put: str, moment: str) -> None:
    with open_store(shared_url) as store:
        store.put_run(a_run("old"))
    with process("killed", shared_url, put, moment) as killed:
        assert killed.wait() == -signal.SIGKILL
    with open_store(shared_url) as store:
        assert store.runs() == [a_run("old")]
        assert store.diagnoses() == []
        diagnosis = a_diagnosis("d", a_run("new"))
        store.put_diagnosis(diagnosis)
        assert exact(*store.diagnoses()) == exact(diagnosis)


@pytest.mark.parametrize("moment", ["CREATE TABLE runs", "INSERT INTO traindx_version", "COMMIT INSERT INTO traindx_version"])
def test_a_store_whose_making_was_killed_is_made_again(shared_url: str, moment: str) -> None:
    with process("killed", shared_url, "open", moment) as killed:
        assert killed.wait() == -signal.SIGKILL
    with open_store(shared_url) as store:
        store.put_run(a_run("a"))
        assert store.runs() == [a_run("a")]


def test_whatever_was_put_before_a_kill_is_whole(shared_url: str) -> None:
    with process("put_for_ever", shared_url) as writer:
        assert writer.stdout is not None
        put = {writer.stdout.readline().strip() for _ in range(5)}
        writer.kill()
        put.update(writer.stdout.read().split())
    with open_store(shared_url) as store:
        stored = {run.key: run for run in store.runs(limit=1_000_000)}
    assert put <= stored.keys()
    assert all(exact(run) == exact(a_run(key)) for key, run in stored.items())
    assert len(stored.keys() - put) <= 2  # one stored and not yet said, one cut off while it was said


def test_processes_open_a_new_store_and_write_at_once(shared_url: str) -> None:
    names = ("first", "second", "third")
    writers = [process("write", shared_url, name, stdin=subprocess.PIPE) for name in names]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            assert writer.wait() == 0
    with open_store(shared_url) as store:
        assert all(store.get_run(key) == a_run(key) for key in SHARED)
        assert all(store.get_run(f"{name} {key}") == a_run(f"{name} {key}") for name in names for key in SHARED)
        assert [store.attempts(key) for key in SHARED] == [len(names)] * len(SHARED)
        assert store.test_openings("task") == len(names) * len(SHARED)
        assert sorted(d.key for d in store.diagnoses()) == sorted(SHARED)


def test_a_forked_child_writes_beside_its_parent(shared_url: str) -> None:
    with process("fork", shared_url) as forked:
        assert forked.wait() == 0
    with open_store(shared_url) as store:
        assert {run.key for run in store.runs()} == {"before", "child", "parent", "after"}


def test_an_up_to_date_store_opens_without_alembic(shared_url: str) -> None:
    open_store(shared_url).close()
    with process("loaded", shared_url) as opened:
        assert opened.communicate()[0].split() == ["sqlalchemy"] + ["psycopg"] * shared_url.startswith("postgresql")


def test_a_memory_store_loads_nothing_heavy() -> None:
    with process("loaded", "memory:") as opened:
        assert opened.communicate()[0].split() == []
