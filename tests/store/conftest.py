"""A new place for records for every test: in memory, in a file, in a database of a PostgreSQL server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from traindx.store import Store, open_store

SERVER = "TRAINDX_TEST_POSTGRES"


@contextmanager
def new_database() -> Iterator[str]:
    """The URL of an empty database, which is dropped afterwards."""
    if not (server := os.environ.get(SERVER)):
        pytest.skip(f"no PostgreSQL server: set {SERVER}")
    import psycopg

    name = f"traindx_{uuid.uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: Path) -> Iterator[str]:
    """Where every kind of store keeps its records."""
    if request.param == "postgresql":
        with new_database() as address:
            yield address
    else:
        yield "memory:" if request.param == "memory" else f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, file: Path) -> Iterator[str]:
    """Where the stores that several processes share keep their records."""
    if request.param == "postgresql":
        with new_database() as address:
            yield address
    else:
        yield str(file)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened
