"""The store of one process, gone when it ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from threading import RLock
from typing import TypeVar

from traindx.records import Diagnosis, Evidence, Recipe, Run, Scalar, Treatment
from traindx.store.base import Owner, Store, checked, the_only_key
from traindx.store.encoding import from_text, record_from_text, record_to_text, to_text

V = TypeVar("V")

_RUNS = frozenset({"runs"})
_DIAGNOSIS_AND_RUNS = frozenset({"diagnosis", "runs"})


class MemoryStore(Store):
    """Keeps records as text, so that what comes back is a value of its own here too.

    Each dict is in the order of its puts, the newest last. All is encoded before the first dict changes, so a put is whole or nothing.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._attempts: dict[str, int] = {}
        self._owners: dict[str, Owner] = {}
        self._runs: dict[str, tuple[str, str]] = {}  # key: (task, record)
        self._evidence: dict[str, str] = {}
        self._tasks: dict[str, tuple[str, str]] = {}  # fingerprint: (name, summary)
        self._diagnoses: dict[str, tuple[list[str], str]] = {}  # key: (runs, record)
        self._treatments: dict[str, tuple[str, list[str], str]] = {}  # key: (diagnosis, runs, record)
        self._weights: dict[str, bytes] = {}
        self._openings: dict[str, set[str]] = {}
        self._stored_at: dict[str, datetime] = {}  # of runs, diagnoses and treatments

    def get_run(self, key: str) -> Run | None:
        """See `Store`."""
        with self._lock:
            return self._run(key) if key in self._runs else None

    def start_run(self, key: str, task: str, task_name: str, recipe: Recipe) -> None:
        """See `Store`."""
        with self._lock:
            self._attempts[key] = self._attempts.get(key, 0) + 1
            self._owners[key] = Owner(socket.gethostname(), os.getpid())

    def put_run(self, run: Run) -> None:
        """See `Store`."""
        text = record_to_text(run)
        with self._lock:
            self._put_last(self._runs, run.key, (run.task, text))
            self._owners.pop(run.key, None)

    def attempts(self, key: str) -> int:
        """See `Store`."""
        with self._lock:
            return self._attempts.get(key, 0)

    def owner(self, key: str) -> Owner | None:
        """See `Store`."""
        with self._lock:
            return self._owners.get(key)

    def runs(self, task: str | None = None, limit: int = 100) -> list[Run]:
        """See `Store`."""
        with self._lock:
            matching = (key for key in reversed(self._runs) if task in (None, self._runs[key][0]))
            return [self._run(key) for key in islice(matching, checked(limit))]

    def get_evidence(self, key: str) -> tuple[Evidence, ...] | None:
        """See `Store`."""
        with self._lock:
            text = self._evidence.get(key)
        return None if text is None else tuple(Evidence.model_validate(e) for e in from_text(text))

    def put_evidence(self, key: str, experiment: str, evidence: Sequence[Evidence]) -> None:
        """See `Store`."""
        text = to_text([e.model_dump() for e in evidence])
        with self._lock:
            self._evidence[key] = text

    def get_weights(self, key: str) -> bytes | None:
        """See `Store`."""
        with self._lock:
            return self._weights.get(key)

    def put_weights(self, key: str, data: bytes) -> None:
        """See `Store`."""
        with self._lock:
            self._weights[key] = bytes(data)

    def get_task(self, fingerprint: str) -> tuple[str, dict[str, Scalar]] | None:
        """See `Store`."""
        with self._lock:
            found = self._tasks.get(fingerprint)
        return None if found is None else (found[0], from_text(found[1]))

    def put_task(self, fingerprint: str, name: str, summary: Mapping[str, Scalar]) -> None:
        """See `Store`."""
        text = to_text(dict(summary))
        with self._lock:
            self._tasks[fingerprint] = (name, text)

    def get_diagnosis(self, key: str) -> Diagnosis | None:
        """See `Store`."""
        with self._lock:
            found = the_only_key(key, _matches(key, self._diagnoses))
            return None if found is None else self._diagnosis(found)

    def put_diagnosis(self, diagnosis: Diagnosis) -> None:
        """See `Store`."""
        text, runs = record_to_text(diagnosis, without=_RUNS), _encoded(diagnosis.runs)
        with self._lock:
            self._put_missing_runs(runs)
            self._put_last(self._diagnoses, diagnosis.key, (_keys(diagnosis.runs), text))

    def diagnoses(self, limit: int = 100) -> list[Diagnosis]:
        """See `Store`."""
        with self._lock:
            return [self._diagnosis(key) for key in islice(reversed(self._diagnoses), checked(limit))]

    def get_treatment(self, key: str) -> Treatment | None:
        """See `Store`."""
        with self._lock:
            found = the_only_key(key, _matches(key, self._treatments))
            return None if found is None else self._treatment(found)

    def put_treatment(self, treatment: Treatment) -> None:
        """See `Store`."""
        diagnosis = treatment.diagnosis
        text, runs = record_to_text(treatment, without=_DIAGNOSIS_AND_RUNS), _encoded((*diagnosis.runs, *treatment.runs))
        with self._lock:
            self._put_missing_runs(runs)
            self.put_diagnosis(diagnosis)
            self._put_last(self._treatments, treatment.key, (diagnosis.key, _keys(treatment.runs), text))

    def treatments(self, limit: int = 100) -> list[Treatment]:
        """See `Store`."""
        with self._lock:
            return [self._treatment(key) for key in islice(reversed(self._treatments), checked(limit))]

    def stored_at(self, keys: Sequence[str]) -> dict[str, datetime]:
        """See `Store`."""
        with self._lock:
            return {key: self._stored_at[key] for key in keys if key in self._stored_at}

    def open_test(self, task: str, question: str) -> int:
        """See `Store`."""
        with self._lock:
            questions = self._openings.setdefault(task, set())
            questions.add(question)
            return len(questions)

    def test_openings(self, task: str) -> int:
        """See `Store`."""
        with self._lock:
            return len(self._openings.get(task, ()))

    def close(self) -> None:
        """Nothing to let go of."""

    def _run(self, key: str) -> Run:
        return record_from_text(Run, self._runs[key][1])

    def _diagnosis(self, key: str) -> Diagnosis:
        runs, text = self._diagnoses[key]
        return record_from_text(Diagnosis, text, runs=[self._run(k) for k in runs])

    def _treatment(self, key: str) -> Treatment:
        diagnosis, runs, text = self._treatments[key]
        return record_from_text(Treatment, text, diagnosis=self._diagnosis(diagnosis), runs=[self._run(k) for k in runs])

    def _put_last(self, ordered: dict[str, V], key: str, value: V) -> None:
        ordered.pop(key, None)
        ordered[key] = value
        self._stored_at[key] = datetime.now(UTC)

    def _put_missing_runs(self, runs: Mapping[str, tuple[str, str]]) -> None:
        for key in sorted(runs.keys() - self._runs.keys()):
            self._put_last(self._runs, key, runs[key])
            self._owners.pop(key, None)


def _keys(runs: Iterable[Run]) -> list[str]:
    return [run.key for run in runs]


def _encoded(runs: Iterable[Run]) -> dict[str, tuple[str, str]]:
    return {run.key: (run.task, record_to_text(run)) for run in runs}


def _matches(prefix: str, keys: Iterable[str]) -> list[str]:
    return sorted(key for key in keys if key.startswith(prefix))
