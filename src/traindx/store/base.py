"""What every store promises.

::

    TraindxError
    └── StoreError      records could not be read or written: a full disk, a lost server, a damaged file
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

from traindx.records import Diagnosis, Evidence, InputError, Recipe, Run, Scalar, TraindxError, Treatment

KEYS_LISTED = 6
"""How many keys an error names when a prefix matches several."""


class StoreError(TraindxError):
    """Records could not be read or written. What was being written is not in the store, not even in part."""


class Owner(NamedTuple):
    """The process that trains a run now, or that was killed while it did."""

    host: str
    pid: int


class Store(ABC):
    """Keeps tasks, runs, evidence, diagnoses, treatments and the openings of sealed test sets.

    **Atomic.** Each method is one transaction. A run is stored with all its curves, a diagnosis and a treatment with all their runs, or
    nothing of them is, also when the process is killed or the disk is full. A reader never sees a half-written record.

    **Values.** Records come back equal to what was put, NaN and infinities included, as new objects without a live task. Putting a record
    under a key again replaces it and makes it the newest.

    **Threads and processes.** A store may be used by many threads at once, and survives a fork. SQLite files and PostgreSQL databases may
    be open in many processes at once, PostgreSQL on many machines; writers wait for one another. A memory store is seen by its own
    process only.

    **Ownership.** Whoever calls `start_run` owns the run until it is put. Nothing is locked: a later `start_run` takes over, for the
    earlier owner may be dead, and the store cannot know. If both live, both train the same key, hence the same numbers, and the later
    `put_run` stands. `attempts` says how often a run was begun, so that one that kills its process is not begun for ever.

    **Durability.** When a ``put`` returns, the record survives the death of the process. After a loss of power an SQLite file may lack the
    latest records, whole; PostgreSQL keeps what its settings promise. A memory store ends with its process.

    **Errors.** `InputError` for what the caller can mend, `StoreError` when reading or writing fails.
    """

    @abstractmethod
    def get_run(self, key: str) -> Run | None:
        """The run of this key if it has ended, whatever its outcome; None while it is running or unknown."""

    @abstractmethod
    def start_run(self, key: str, task: str, task_name: str, recipe: Recipe) -> None:
        """Say that the calling process begins to train the run: an attempt more, and a new owner.

        An earlier result stays until a new one is put.
        """

    @abstractmethod
    def put_run(self, run: Run) -> None:
        """Store an ended run with all its curves; nobody owns it any more. It need not have been started."""

    @abstractmethod
    def attempts(self, key: str) -> int:
        """How often the run was started."""

    @abstractmethod
    def owner(self, key: str) -> Owner | None:
        """Who started the run last and has not put it yet; None when it is not running."""

    @abstractmethod
    def runs(self, task: str | None = None, limit: int = 100) -> list[Run]:
        """The ended runs (of the task with this fingerprint), newest first."""

    @abstractmethod
    def get_evidence(self, key: str) -> tuple[Evidence, ...] | None:
        """The evidence of one experiment; None if it was never put, ``()`` if it was and showed nothing."""

    @abstractmethod
    def put_evidence(self, key: str, experiment: str, evidence: Sequence[Evidence]) -> None:
        """Store what an experiment showed under a key that fixes the task, the recipe and the experiment's settings."""

    @abstractmethod
    def get_weights(self, key: str) -> bytes | None:
        """The weights that the run of this key ended with, as they were put; None when they were not kept."""

    @abstractmethod
    def put_weights(self, key: str, data: bytes) -> None:
        """Keep the weights of the run of this key, in a format that needs no unpickling. The run itself may come later."""

    @abstractmethod
    def get_task(self, fingerprint: str) -> tuple[str, dict[str, Scalar]] | None:
        """The name and the summary of a task."""

    @abstractmethod
    def put_task(self, fingerprint: str, name: str, summary: Mapping[str, Scalar]) -> None:
        """Store what a task is called and a few plain facts of it."""

    @abstractmethod
    def get_diagnosis(self, key: str) -> Diagnosis | None:
        """The diagnosis with this key, or else the only one whose key begins so. `InputError` when several do."""

    @abstractmethod
    def put_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Store a diagnosis, and those of its runs that are not stored yet; stored runs are kept as they are."""

    @abstractmethod
    def diagnoses(self, limit: int = 100) -> list[Diagnosis]:
        """The diagnoses, newest first."""

    @abstractmethod
    def get_treatment(self, key: str) -> Treatment | None:
        """The treatment with this key, or else the only one whose key begins so. `InputError` when several do."""

    @abstractmethod
    def put_treatment(self, treatment: Treatment) -> None:
        """Store a treatment, its diagnosis, and those of their runs that are not stored yet."""

    @abstractmethod
    def treatments(self, limit: int = 100) -> list[Treatment]:
        """The treatments, newest first."""

    @abstractmethod
    def stored_at(self, keys: Sequence[str]) -> dict[str, datetime]:
        """When the runs, diagnoses and treatments of these keys were put last, with a time zone; unknown keys are left out."""

    @abstractmethod
    def open_test(self, task: str, question: str) -> int:
        """Record that the task's sealed test set answers this question, and return `test_openings`. The same question counts once."""

    @abstractmethod
    def test_openings(self, task: str) -> int:
        """How many different questions the task's sealed test set has answered."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections. Closing twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def the_only_key(prefix: str, matches: Sequence[str]) -> str | None:
    """The key that ``prefix`` stands for among those that begin with it, in order: itself, or the only one."""
    if prefix in matches:
        return prefix
    if len(matches) > 1:
        listed = ", ".join(matches[:KEYS_LISTED]) + (", ..." if len(matches) > KEYS_LISTED else "")
        raise InputError("key", f"{prefix!r} begins several keys: {listed}", "give more of the key")
    return matches[0] if matches else None


def checked(limit: int) -> int:
    """The limit, if it is a number of records."""
    if limit < 0:
        raise InputError("limit", f"found {limit}", "give 0 or more")
    return limit
