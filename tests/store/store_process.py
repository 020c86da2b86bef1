"""What the tests do to a store from another process: ``python store_process.py ACTION URL ...``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from stored_records import a_diagnosis, a_run

from traindx.records import Recipe
from traindx.store import Store, open_store

SHARED = tuple(f"shared {number}" for number in range(8))
PUTS: dict[str, Callable[[Store], None]] = {
    "open": lambda store: None,
    "run": lambda store: store.put_run(a_run("new", length=5)),
    "again": lambda store: store.put_run(a_run("old", length=5)),
    "diagnosis": lambda store: store.put_diagnosis(a_diagnosis("d", a_run("new"), a_run("newer"))),
}


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def killed(url: str, put: str, moment: str) -> None:
    """Dies by SIGKILL right after the first statement that begins with ``moment``, or right before the first commit after it."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statement = statement.strip()
        if moment.startswith("COMMIT ") and statement.startswith(moment.removeprefix("COMMIT ")):
            event.listen(Engine, "commit", die)
        elif statement.startswith(moment):
            die()

    event.listen(Engine, "after_cursor_execute", after)
    with open_store(url) as store:
        PUTS[put](store)
    raise SystemExit(f"nothing began with {moment}")


def write(url: str, name: str) -> None:
    """Waits for a line, then opens the store and writes what other processes write too, and runs of its own."""
    say("ready")
    sys.stdin.readline()
    with open_store(url) as store:
        for key in SHARED:
            store.start_run(key, "task", "digits", Recipe())
            store.put_run(a_run(key))
            store.put_run(a_run(f"{name} {key}"))
            store.open_test("task", f"{name} {key}")
            store.put_diagnosis(a_diagnosis(key, *(a_run(f"{key} {number}") for number in range(4))))


def put_for_ever(url: str) -> None:
    """Puts one run after another, and prints the key of each when it is stored."""
    with open_store(url) as store:
        for number in range(1_000_000):
            store.put_run(a_run(f"{number}"))
            say(number)


def fork(url: str) -> None:
    """A forked child writes to the store of its parent, and so does the parent."""
    with open_store(url) as store:
        store.put_run(a_run("before"))
        if (child := os.fork()) == 0:
            store.put_run(a_run("child"))
            os._exit(0)
        store.put_run(a_run("parent"))
        _, status = os.waitpid(child, 0)
        store.put_run(a_run("after"))
    raise SystemExit(os.waitstatus_to_exitcode(status))


def loaded(url: str) -> None:
    """Prints which heavy libraries an open store has loaded."""
    with open_store(url):
        say(*(name for name in ("alembic", "sqlalchemy", "psycopg", "torch", "numpy") if name in sys.modules))


if __name__ == "__main__":
    {action.__name__: action for action in (killed, write, put_for_ever, fork, loaded)}[sys.argv[1]](*sys.argv[2:])
