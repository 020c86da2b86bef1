"""A database that is open and up to date: its engine, its transactions, its schema."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from traindx.records import InputError
from traindx.store.base import StoreError
from traindx.store.tables import REVISION, VERSION_TABLE, metadata

BUSY_SECONDS = 30.0
"""How long a writer waits for the others before it gives up. A put takes milliseconds."""

_POLL_SECONDS = 0.01
_MIGRATION_LOCK = int.from_bytes(b"traindx")  # PostgreSQL's advisory locks are numbers


class Database:
    """Hands out transactions. Errors of the database leave them as `StoreError`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._process = os.getpid()

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the database as it was at one moment."""
        snapshot = {} if self.dialect == "sqlite" else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._transaction("read", snapshot) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write. SQLite has one at a time, and it waits at its start, so no other can make it fail half-way."""
        with self._transaction("written", {"writes": True}) as connection:
            yield connection

    @contextmanager
    def _transaction(self, verb: str, options: Mapping[str, Any]) -> Iterator[Connection]:
        if self._process != os.getpid():  # after a fork: the parent's connections are the parent's
            self.engine.dispose(close=False)
            self._process = os.getpid()
        try:
            with self.engine.connect() as connection, connection.execution_options(**options).begin():
                yield connection
        except DBAPIError as error:
            raise StoreError(f"{self.engine.url.render_as_string()} could not be {verb}: {_first_line(error)}") from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_sqlite(path: Path) -> Database:
    """The database in this file, which `location.usable_file` has looked at."""
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return _prepared(Database(engine), "name another file, or restore this one from a copy")


def open_postgresql(url: str) -> Database:
    """The database at this URL, which exists and may be shared with other programs' tables."""
    try:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except (ArgumentError, ValueError):  # whose text may hold a part of the password, as the URL may
        raise InputError("store", "found a PostgreSQL URL that cannot be read", "write it as postgresql://USER@HOST:PORT/NAME") from None
    except ImportError as error:
        raise InputError("store", "PostgreSQL needs psycopg, which is not installed", "pip install 'traindx[postgres]'") from error
    return _prepared(Database(engine), "check the URL, and that the server runs and lets you in")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the transactions that sqlite3 begins by itself leave DDL outside
    for pragma in ("foreign_keys = ON", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _prepared(database: Database, remedy: str) -> Database:
    try:
        _bring_up_to_date(database)
    except StoreError as error:
        database.close()
        raise InputError("store", str(error), remedy) from error
    except InputError:
        database.close()
        raise
    return database


def _bring_up_to_date(database: Database) -> None:
    """Once, however many processes open the database now: the second waits for the first, then finds nothing left to do."""
    with database.reading() as connection:
        if _is_current(connection):
            return
    if database.dialect == "sqlite":
        _write_ahead(database.engine)
    with database.writing() as connection:
        if database.dialect == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        if not _is_current(connection):
            _migrate(connection)


def _is_current(connection: Connection) -> bool:
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        stored = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
        if stored is not None and stored > REVISION:
            raise InputError("store", f"its schema ({stored}) is newer than this traindx knows ({REVISION})", "pip install -U traindx")
        return bool(stored == REVISION)
    if foreign := sorted(names & metadata.tables.keys()):
        raise InputError("store", f"it holds tables of another program: {', '.join(foreign)}", "name another file or database")
    return False


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "traindx.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _write_ahead(engine: Engine) -> None:
    """Let readers and a writer work side by side. The file keeps the setting, and SQLite does not wait for others while it changes it."""
    patience = time.monotonic() + BUSY_SECONDS
    connection = engine.raw_connection()
    try:
        while not _switched(connection.driver_connection):
            if time.monotonic() > patience:
                raise StoreError(f"{engine.url.database} is locked by another program")
            time.sleep(_POLL_SECONDS)
    finally:
        connection.close()


def _switched(connection: Any) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the low byte is the error, the rest its circumstances
            raise StoreError(f"{error}") from error
        return False
    return True


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]
