"""The tables of a SQL store, and the two kinds of column that SQLite and PostgreSQL do not offer alike.

::

    tasks         fingerprint, name, summary
    attempts      a run that was started: how often, and by whom while it runs
    runs          a run that has ended; a row here is a whole run
    observations  one curve of a run: its steps and its values as bytes (see `encoding`)
    weights       the weights a run ended with, as safetensors
    evidence      what one experiment showed
    diagnoses     a diagnosis without its runs, and their keys
    treatments    a treatment without its runs and its diagnosis, and their keys
    openings      a question that the sealed test set of a task has answered

``turn`` orders what is listed newest first: one more than the largest so far. Changing a table takes a new revision in ``migrations`` and
its number in `REVISION`.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Double, ForeignKey, Index, LargeBinary, MetaData, Table, Text, func
from sqlalchemy.types import TypeDecorator

REVISION = "0001"
"""The newest revision in ``migrations``. Revisions are numbered, so that an older traindx can tell a newer schema."""

VERSION_TABLE = "traindx_version"

_AWKWARD = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


class AnyText(TypeDecorator[str]):
    """Text of any origin, such as an exception's. What databases refuse (NUL, lone surrogates) is escaped as in JSON, and the backslash."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape."""
        return None if value is None else _AWKWARD.sub(lambda match: f"\\u{ord(match[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Take the escapes back."""
        return None if value is None else _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)


class AnyFloat(TypeDecorator[float]):
    """A float that may be NaN. SQLite stores NaN as NULL, so NULL is what stands for it everywhere."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """NaN becomes NULL."""
        return None if value is None or value != value else value

    def process_result_value(self, value: float | None, dialect: Dialect) -> float:
        """NULL becomes NaN."""
        return float("nan") if value is None else value


def _stored_at() -> Column[Any]:
    return Column("stored_at", DateTime(timezone=True), nullable=False, server_default=func.current_timestamp())


metadata = MetaData()

tasks = Table(
    "tasks",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("name", AnyText, nullable=False),
    Column("summary", Text, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("task_name", AnyText, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("host", AnyText),
    Column("pid", BigInteger),
    _stored_at(),
)

runs = Table(
    "runs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("task_name", AnyText, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("remedies", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("steps", BigInteger, nullable=False),
    Column("epochs", AnyFloat),
    Column("seconds", AnyFloat),
    Column("horizon", BigInteger),
    Column("threads", BigInteger, nullable=False),
    Column("device", AnyText, nullable=False),
    Column("parameters", BigInteger, nullable=False),
    Column("spread", Text, nullable=False),
    Column("turn", BigInteger, nullable=False),
    _stored_at(),
    Index("runs_by_turn", "turn"),
    Index("runs_by_task", "task", "turn"),
)

observations = Table(
    "observations",
    metadata,
    Column("run", Text, ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True),
    Column("name", AnyText, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("steps", LargeBinary, nullable=False),
    Column("values", LargeBinary, nullable=False),
)

weights = Table(
    "weights",
    metadata,
    Column("key", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("key", Text, primary_key=True),
    Column("experiment", AnyText, nullable=False),
    Column("record", Text, nullable=False),
    _stored_at(),
)

diagnoses = Table(
    "diagnoses",
    metadata,
    Column("key", Text, primary_key=True),
    Column("runs", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("turn", BigInteger, nullable=False),
    _stored_at(),
    Index("diagnoses_by_turn", "turn"),
)

treatments = Table(
    "treatments",
    metadata,
    Column("key", Text, primary_key=True),
    Column("diagnosis", Text, ForeignKey("diagnoses.key"), nullable=False),
    Column("runs", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("turn", BigInteger, nullable=False),
    _stored_at(),
    Index("treatments_by_turn", "turn"),
)

openings = Table(
    "openings",
    metadata,
    Column("task", Text, primary_key=True),
    Column("question", AnyText, primary_key=True),
    _stored_at(),
)
