"""Opening a store: which places are taken, which refused and with what words, and the schema that is made there."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from stored_records import a_diagnosis, a_run

import traindx.store
from traindx.records import InputError
from traindx.store import MemoryStore, StoreError, location, open_store, sql
from traindx.store.location import file_system
from traindx.store.sql import SqlStore
from traindx.store.tables import REVISION, VERSION_TABLE, metadata


@pytest.fixture
def sql_store(shared_url: str) -> Iterator[SqlStore]:
    with open_store(shared_url) as store:
        assert isinstance(store, SqlStore)
        yield store


# --- Places ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [None, "memory:", ":memory:"])
def test_memory(url: str | None) -> None:
    assert isinstance(open_store(url), MemoryStore)


def test_a_file_by_path_text_and_url(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(file) as store:
        store.put_run(a_run("a"))
    monkeypatch.chdir(file.parent)
    for url in (str(file), f"sqlite:///{file}", f"sqlite:///{file.name}", file.name, Path(file.name)):
        with open_store(url) as store:
            assert store.runs() == [a_run("a")]


def test_a_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store("~/records.db").close()
    assert (tmp_path / "records.db").exists()


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "a#b.db", "ü.db"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path / name) as store:
        store.put_run(a_run("a"))
    assert (tmp_path / name).exists()


def test_an_empty_file_becomes_a_store(file: Path) -> None:
    file.touch()
    with open_store(file) as store:
        store.put_run(a_run("a"))


def test_a_file_is_written_ahead(file: Path) -> None:
    open_store(file).close()
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_public_names() -> None:
    assert traindx.store.__all__ == ["MemoryStore", "Owner", "Store", "StoreError", "open_store"]
    assert all(hasattr(traindx.store, name) for name in traindx.store.__all__)


# --- Refusals ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "mysql://u:secret@host/x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "http://x"])
def test_an_unknown_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"^store: found .*; give a path") as refused:
        open_store(url)
    assert "secret" not in str(refused.value)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"folder .*absent does not exist; make it"):
        open_store(tmp_path / "absent" / "records.db")


def test_a_folder_that_may_not_be_written_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file.parent)
    with pytest.raises(InputError, match="is not writable"):
        open_store(file)
    assert not file.exists()


def test_a_file_that_may_not_be_written_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(file).close()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file)
    with pytest.raises(InputError, match="may not be read and written"):
        open_store(file)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder /proc, where nobody can make a file")
def test_a_folder_where_no_file_can_be_made_is_refused() -> None:
    with pytest.raises(InputError, match=r"is not writable|unable to open database file"):
        open_store("/proc/records.db")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        open_store(tmp_path)


@pytest.mark.parametrize("content", [b"name,age\n", b"\0" * 5000, b"SQLite format 2\0"])
def test_a_file_that_is_not_sqlite_is_refused_and_left_alone(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match="is not an SQLite file; name another file"):
        open_store(file)
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_a_file_with_a_damaged_head_is_refused(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(InputError, match=r"could not be read: .*; name another file, or restore"):
        open_store(file)


def test_damage_within_a_file_is_a_store_error(file: Path) -> None:
    with open_store(file) as store:
        for number in range(20):
            store.put_run(a_run(f"{number}", length=200))
    content = file.read_bytes()
    page_size = int.from_bytes(content[16:18])
    connection = sqlite3.connect(file)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'observations'").fetchone()
    connection.close()
    start = page_size * (page - 1)
    file.write_bytes(content[:start] + b"\xaa" * page_size + content[start + page_size :])
    with open_store(file) as store, pytest.raises(StoreError, match="could not be read: database disk image is malformed"):
        store.runs()


def test_a_network_file_system_is_refused(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/export {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(location, "MOUNTS", mounts)
    with pytest.raises(InputError, match=r"network file system \(nfs4\); name a folder on a local disk, or use PostgreSQL"):
        open_store(file)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home", "ext4"),
        ("/data", "nfs"),
        ("/data/x", "nfs"),
        ("/database", "ext4"),
        ("/data/fast", "xfs"),
        ("/a b/c", "cifs"),
    ],
)
def test_the_innermost_mount_holds_a_folder(folder: str, kind: str) -> None:
    mounts = (
        "/dev/a / ext4 rw 0 0\nx /data/fast tmpfs rw 0 0\ns:/ /data nfs rw 0 0\n/dev/b /data/fast xfs rw 0 0\n//s/x /a\\040b cifs rw 0 0\n"
    )
    assert file_system(PurePosixPath(folder), mounts) == kind


def test_without_a_table_of_mounts_nothing_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_system(PurePosixPath("/x"), "") == ""
    monkeypatch.setattr(location, "MOUNTS", file.parent / "absent")
    open_store(file).close()


def test_without_psycopg_the_way_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'traindx\[postgres\]'"):
        open_store("postgresql://user@host/name")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_server_that_does_not_answer_is_named_without_its_password(scheme: str) -> None:
    with pytest.raises(InputError, match=r"could not be read: .*; check the URL") as refused:
        open_store(f"{scheme}://user:secret@127.0.0.1:1/name")
    assert "127.0.0.1:1/name" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_url_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match="PostgreSQL URL that cannot be read"):
        open_store("postgresql://user:secret@host:port/name")


def test_a_newer_schema_is_refused(sql_store: SqlStore, shared_url: str) -> None:
    with sql_store.database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"schema \(9999\) is newer .*; pip install -U traindx"):
        open_store(shared_url)


def test_tables_of_another_program_are_left_alone(sql_store: SqlStore, shared_url: str) -> None:
    with sql_store.database.writing() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
    with pytest.raises(InputError, match=r"tables of another program: attempts, diagnoses, .*; name another"):
        open_store(shared_url)


# --- A failing disk ----------------------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_half_run(file: Path) -> None:
    with open_store(file) as store:
        assert isinstance(store, SqlStore)
        store.put_run(a_run("old"))
        with store.database.reading() as connection:  # the only connection of the pool, so the puts have it too
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(StoreError, match="could not be written: database or disk is full"):
            store.put_run(a_run("new", length=20_000))
        with pytest.raises(StoreError, match="full"):
            store.put_diagnosis(a_diagnosis("d", a_run("small"), a_run("zlarge", length=20_000)))
        assert store.runs() == [a_run("old")]
        assert store.diagnoses() == []
        with store.database.reading() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4000}")
        store.put_run(a_run("new", length=20_000))
        assert [run.key for run in store.runs()] == ["new", "old"]


# --- The schema --------------------------------------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_the_code_uses(sql_store: SqlStore) -> None:
    with sql_store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_code_knows_the_newest_revision() -> None:
    script = ScriptDirectory(str(Path(traindx.store.__file__).with_name("migrations")))
    assert script.get_heads() == [REVISION]
    numbers = [revision.revision for revision in script.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)


def test_other_tables_of_a_shared_database_are_left_alone(shared_url: str, file: Path) -> None:
    from sqlalchemy import create_engine

    address = shared_url.replace("postgresql://", "postgresql+psycopg://") if shared_url.startswith("postgresql") else f"sqlite:///{file}"
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE trials (number INTEGER)"))
    with open_store(shared_url) as store:
        store.put_run(a_run("a"))
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM trials")).scalar_one() == 0
    engine.dispose()


def test_a_run_that_another_process_puts_meanwhile_is_kept(sql_store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = a_run("a").replace(seconds=9.0, curves={})
    sql_store.put_run(stored)
    monkeypatch.setattr(sql, "_stored_keys", lambda connection, keys: set())  # as if it was not there yet
    sql_store.put_diagnosis(a_diagnosis("d", a_run("a"), a_run("b")))
    assert sql_store.get_run("a") == stored
    assert sql_store.get_run("b") == a_run("b")


def test_no_curve_is_stored_twice(sql_store: SqlStore) -> None:
    sql_store.put_run(a_run("a"))
    sql_store.put_diagnosis(a_diagnosis("d", a_run("a")))
    with sql_store.database.reading() as connection:
        assert connection.execute(text("SELECT record FROM diagnoses")).scalar_one().count("train_loss") == 0
        assert connection.execute(text("SELECT count(*) FROM observations")).scalar_one() == len(a_run("a").curves)
