"""The store in SQLite or PostgreSQL, by SQLAlchemy core."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from traindx.records import Curve, Diagnosis, Evidence, Recipe, Run, Scalar, Treatment
from traindx.store import tables
from traindx.store.base import KEYS_LISTED, Owner, Store, checked, the_only_key
from traindx.store.database import Database
from traindx.store.encoding import curve_from_bytes, curve_to_bytes, from_text, record_from_text, record_to_text, to_text

_KEYS_A_QUERY = 500
_JSON_FIELDS = ("recipe", "remedies", "spread")
_NOT_FIELDS = ("turn", "stored_at")

Row = Mapping[str, Any]


class SqlStore(Store):
    """Keeps records in a database that is up to date."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._insert = sqlite.insert if database.dialect == "sqlite" else postgresql.insert

    def get_run(self, key: str) -> Run | None:
        """See `Store`."""
        with self.database.reading() as connection:
            return _load_runs(connection, [key]).get(key)

    def start_run(self, key: str, task: str, task_name: str, recipe: Recipe) -> None:
        """See `Store`."""
        owner = {"host": socket.gethostname(), "pid": os.getpid()}
        row = {"key": key, "task": task, "task_name": task_name, "recipe": record_to_text(recipe), "count": 1, **owner}
        again = {"count": tables.attempts.c.count + 1, "stored_at": func.current_timestamp(), **owner}
        with self.database.writing() as connection:
            connection.execute(self._insert(tables.attempts).values(row).on_conflict_do_update(index_elements=["key"], set_=again))

    def put_run(self, run: Run) -> None:
        """See `Store`."""
        row, curves = _run_row(run), _curve_rows(run)
        with self.database.writing() as connection:
            self._upsert(connection, tables.runs, row)
            _put_curves(connection, run.key, curves)

    def attempts(self, key: str) -> int:
        """See `Store`."""
        with self.database.reading() as connection:
            return connection.scalar(select(tables.attempts.c.count).where(tables.attempts.c.key == key)) or 0

    def owner(self, key: str) -> Owner | None:
        """See `Store`."""
        with self.database.reading() as connection:
            row = connection.execute(select(tables.attempts).where(tables.attempts.c.key == key)).first()
        return None if row is None or row.pid is None else Owner(row.host, row.pid)

    def runs(self, task: str | None = None, limit: int = 100) -> list[Run]:
        """See `Store`."""
        newest = _newest_first(tables.runs, limit)
        if task is not None:
            newest = newest.where(tables.runs.c.task == task)
        with self.database.reading() as connection:
            keys = list(connection.scalars(newest))
            found = _load_runs(connection, keys)
        return [found[key] for key in keys]

    def get_evidence(self, key: str) -> tuple[Evidence, ...] | None:
        """See `Store`."""
        with self.database.reading() as connection:
            record = connection.scalar(select(tables.evidence.c.record).where(tables.evidence.c.key == key))
        return None if record is None else tuple(Evidence.model_validate(e) for e in from_text(record))

    def put_evidence(self, key: str, experiment: str, evidence: Sequence[Evidence]) -> None:
        """See `Store`."""
        record = to_text([e.model_dump() for e in evidence])
        with self.database.writing() as connection:
            self._upsert(connection, tables.evidence, {"key": key, "experiment": experiment, "record": record})

    def get_weights(self, key: str) -> bytes | None:
        """See `Store`."""
        with self.database.reading() as connection:
            return connection.scalar(select(tables.weights.c.data).where(tables.weights.c.key == key))

    def put_weights(self, key: str, data: bytes) -> None:
        """See `Store`."""
        with self.database.writing() as connection:
            self._upsert(connection, tables.weights, {"key": key, "data": data})

    def get_task(self, fingerprint: str) -> tuple[str, dict[str, Scalar]] | None:
        """See `Store`."""
        with self.database.reading() as connection:
            row = connection.execute(select(tables.tasks).where(tables.tasks.c.fingerprint == fingerprint)).first()
        return None if row is None else (row.name, from_text(row.summary))

    def put_task(self, fingerprint: str, name: str, summary: Mapping[str, Scalar]) -> None:
        """See `Store`."""
        with self.database.writing() as connection:
            self._upsert(connection, tables.tasks, {"fingerprint": fingerprint, "name": name, "summary": to_text(dict(summary))})

    def get_diagnosis(self, key: str) -> Diagnosis | None:
        """See `Store`."""
        with self.database.reading() as connection:
            found = _full_key(connection, tables.diagnoses, key)
            return None if found is None else _load_diagnoses(connection, [found])[found]

    def put_diagnosis(self, diagnosis: Diagnosis) -> None:
        """See `Store`."""
        with self.database.writing() as connection:
            self._put_missing_runs(connection, diagnosis.runs)
            self._put_diagnosis(connection, diagnosis)

    def diagnoses(self, limit: int = 100) -> list[Diagnosis]:
        """See `Store`."""
        with self.database.reading() as connection:
            keys = list(connection.scalars(_newest_first(tables.diagnoses, limit)))
            found = _load_diagnoses(connection, keys)
        return [found[key] for key in keys]

    def get_treatment(self, key: str) -> Treatment | None:
        """See `Store`."""
        with self.database.reading() as connection:
            found = _full_key(connection, tables.treatments, key)
            return None if found is None else _load_treatments(connection, [found])[found]

    def put_treatment(self, treatment: Treatment) -> None:
        """See `Store`."""
        record = record_to_text(treatment, without=frozenset({"diagnosis", "runs"}))
        keys = {"key": treatment.key, "diagnosis": treatment.diagnosis.key, "runs": _keys_text(treatment.runs)}
        row = {**keys, "record": record, "turn": _next_turn(tables.treatments)}
        with self.database.writing() as connection:
            self._put_missing_runs(connection, (*treatment.diagnosis.runs, *treatment.runs))
            self._put_diagnosis(connection, treatment.diagnosis)
            self._upsert(connection, tables.treatments, row)

    def treatments(self, limit: int = 100) -> list[Treatment]:
        """See `Store`."""
        with self.database.reading() as connection:
            keys = list(connection.scalars(_newest_first(tables.treatments, limit)))
            found = _load_treatments(connection, keys)
        return [found[key] for key in keys]

    def stored_at(self, keys: Sequence[str]) -> dict[str, datetime]:
        """See `Store`."""
        found: dict[str, datetime] = {}
        with self.database.reading() as connection:
            for table, some in product((tables.runs, tables.diagnoses, tables.treatments), _chunks(keys)):
                for key, at in connection.execute(select(table.c.key, table.c.stored_at).where(table.c.key.in_(some))):
                    found[key] = at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite's clock is that of UTC, and says nothing of it
        return found

    def open_test(self, task: str, question: str) -> int:
        """See `Store`."""
        with self.database.writing() as connection:
            connection.execute(self._insert(tables.openings).values(task=task, question=question).on_conflict_do_nothing())
        return self.test_openings(task)

    def test_openings(self, task: str) -> int:
        """See `Store`."""
        with self.database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(tables.openings).where(tables.openings.c.task == task)) or 0

    def close(self) -> None:
        """See `Store`."""
        self.database.close()

    def _upsert(self, connection: Connection, table: Table, row: Row) -> None:
        """Insert the row or replace the one with its primary key."""
        statement = self._insert(table).values(row)
        key = [column.name for column in table.primary_key]
        new: dict[str, Any] = {name: statement.excluded[name] for name in row if name not in key}
        if "stored_at" in table.c:
            new["stored_at"] = func.current_timestamp()
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=new))

    def _put_missing_runs(self, connection: Connection, wanted: Iterable[Run]) -> None:
        """In the order of their keys, so that two processes which put the same runs cannot wait for each other in a circle."""
        by_key = {run.key: run for run in wanted}
        for key in sorted(by_key.keys() - _stored_keys(connection, list(by_key))):
            new = self._insert(tables.runs).values(_run_row(by_key[key])).on_conflict_do_nothing()
            if connection.execute(new, execution_options={"preserve_rowcount": True}).rowcount:  # else another process was faster
                _put_curves(connection, key, _curve_rows(by_key[key]))

    def _put_diagnosis(self, connection: Connection, diagnosis: Diagnosis) -> None:
        record = record_to_text(diagnosis, without=frozenset({"runs"}))
        row = {"key": diagnosis.key, "runs": _keys_text(diagnosis.runs), "record": record, "turn": _next_turn(tables.diagnoses)}
        self._upsert(connection, tables.diagnoses, row)


# Records to rows and back


def _run_row(run: Run) -> dict[str, Any]:
    row = run.model_dump(exclude={"curves"})
    texts = {name: to_text(row[name]) for name in _JSON_FIELDS}
    return {**row, **texts, "outcome": run.outcome.value, "turn": _next_turn(tables.runs)}


def _curve_rows(run: Run) -> list[dict[str, Any]]:
    rows = []
    for position, (name, curve) in enumerate(run.curves.items()):
        steps, values = curve_to_bytes(curve)
        rows.append({"run": run.key, "name": name, "position": position, "steps": steps, "values": values})
    return rows


def _put_curves(connection: Connection, run: str, rows: Sequence[Row]) -> None:
    """The second half of a run; with it the run has ended, so nobody owns it."""
    connection.execute(delete(tables.observations).where(tables.observations.c.run == run))
    if rows:
        connection.execute(insert(tables.observations), rows)
    connection.execute(update(tables.attempts).where(tables.attempts.c.key == run).values(host=None, pid=None))


def _load_runs(connection: Connection, keys: Sequence[str]) -> dict[str, Run]:
    found = {}
    for some in _chunks(keys):
        curves = _load_curves(connection, some)
        for row in connection.execute(select(tables.runs).where(tables.runs.c.key.in_(some))).mappings():
            plain = {name: from_text(value) if name in _JSON_FIELDS else value for name, value in row.items() if name not in _NOT_FIELDS}
            found[row["key"]] = Run.model_validate({**plain, "curves": curves[row["key"]]})
    return found


def _load_curves(connection: Connection, runs: Sequence[str]) -> dict[str, dict[str, Curve]]:
    found: dict[str, dict[str, Curve]] = {run: {} for run in runs}
    these = select(tables.observations).where(tables.observations.c.run.in_(runs)).order_by(tables.observations.c.position)
    for row in connection.execute(these).mappings():
        found[row["run"]][row["name"]] = curve_from_bytes(row["steps"], row["values"])
    return found


def _load_diagnoses(connection: Connection, keys: Sequence[str]) -> dict[str, Diagnosis]:
    rows = _rows(connection, tables.diagnoses, keys)
    joined = _joined_runs(connection, rows)
    return {key: record_from_text(Diagnosis, row["record"], runs=joined[key]) for key, row in rows.items()}


def _load_treatments(connection: Connection, keys: Sequence[str]) -> dict[str, Treatment]:
    rows = _rows(connection, tables.treatments, keys)
    joined = _joined_runs(connection, rows)
    treated = _load_diagnoses(connection, sorted({row["diagnosis"] for row in rows.values()}))
    return {
        key: record_from_text(Treatment, row["record"], diagnosis=treated[row["diagnosis"]], runs=joined[key]) for key, row in rows.items()
    }


def _joined_runs(connection: Connection, rows: Mapping[str, Row]) -> dict[str, list[Run]]:
    wanted = {key: from_text(row["runs"]) for key, row in rows.items()}
    found = _load_runs(connection, sorted({run for keys in wanted.values() for run in keys}))
    return {key: [found[run] for run in keys] for key, keys in wanted.items()}


# Queries


def _rows(connection: Connection, table: Table, keys: Sequence[str]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for some in _chunks(keys):
        found |= {row["key"]: row for row in connection.execute(select(table).where(table.c.key.in_(some))).mappings()}
    return found


def _stored_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    return {key for some in _chunks(keys) for key in connection.scalars(select(tables.runs.c.key).where(tables.runs.c.key.in_(some)))}


def _full_key(connection: Connection, table: Table, prefix: str) -> str | None:
    if connection.scalar(select(table.c.key).where(table.c.key == prefix)) is not None:
        return prefix
    begins_so = func.substr(table.c.key, 1, len(prefix)) == prefix  # LIKE ignores case in SQLite, and has wildcards
    matches = connection.scalars(select(table.c.key).where(begins_so).order_by(table.c.key).limit(KEYS_LISTED + 1))
    return the_only_key(prefix, list(matches))


def _newest_first(table: Table, limit: int) -> Any:
    return select(table.c.key).order_by(table.c.turn.desc(), table.c.key).limit(checked(limit))


def _next_turn(table: Table) -> Any:
    return select(func.coalesce(func.max(table.c.turn), 0) + 1).scalar_subquery()


def _keys_text(these: Iterable[Run]) -> str:
    return to_text([run.key for run in these])


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Databases bound the number of parameters of one query."""
    return (keys[start : start + _KEYS_A_QUERY] for start in range(0, len(keys), _KEYS_A_QUERY))
