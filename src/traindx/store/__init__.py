"""The store keeps every record: in memory, in an SQLite file or in PostgreSQL.

``open_store(None)`` keeps records in this process, a path keeps them in one SQLite file on a local disk, a PostgreSQL URL lets several
machines share them. What the three promise is written at `Store`. SQLAlchemy is imported when the first SQL store is opened, alembic when
a database is new or older than this version of traindx.
"""

from __future__ import annotations

from pathlib import Path

from traindx.records import InputError
from traindx.store.base import Owner, Store, StoreError
from traindx.store.location import usable_file
from traindx.store.memory import MemoryStore

__all__ = ["MemoryStore", "Owner", "Store", "StoreError", "open_store"]

_MEMORY = ("memory:", ":memory:")
_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://")


def open_store(url: str | Path | None) -> Store:
    """The store at ``url``, made or brought up to date where needed; close it after use (``with`` does).

    ``None`` and ``"memory:"`` are in memory; a path or ``sqlite:///PATH`` is an SQLite file; ``postgresql://USER@HOST/NAME`` is a database
    that exists already. Raises `InputError` where records cannot be kept there.
    """
    if url is None or url in _MEMORY:
        return MemoryStore()
    if isinstance(url, str) and url.startswith(_POSTGRESQL):
        from traindx.store.database import open_postgresql
        from traindx.store.sql import SqlStore

        return SqlStore(open_postgresql(url))
    return _open_file(url if isinstance(url, Path) else _path(url))


def _path(url: str) -> Path:
    path = url.removeprefix(_SQLITE)
    if "://" in path or path in ("", *_MEMORY):
        raise InputError("store", f"found {_scheme(url)!r}", f"give a path, {_SQLITE}PATH, {_POSTGRESQL[0]}USER@HOST/NAME or memory:")
    return Path(path)


def _scheme(url: str) -> str:
    """Without what follows the scheme: a password may be in it."""
    scheme, separator, _ = url.partition("://")
    return scheme + separator


def _open_file(path: Path) -> Store:
    from traindx.store.database import open_sqlite
    from traindx.store.sql import SqlStore

    return SqlStore(open_sqlite(usable_file(path)))
