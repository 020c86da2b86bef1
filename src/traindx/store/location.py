"""Which files can hold a store: looked at before SQLite opens them, for its own errors name neither the cause nor the way out."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from traindx.records import InputError

MOUNTS = Path("/proc/mounts")

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.beegfs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
    }
    | {"nfs4", "orangefs", "panfs", "smb3", "smbfs", "wekafs"}
)
"""Types of /proc/mounts on which SQLite's write-ahead log fails or loses data: its processes share memory, so must share a machine.
Source: https://www.sqlite.org/wal.html, section 1, disadvantage 2."""

_MAGIC = b"SQLite format 3\x00"  # https://www.sqlite.org/fileformat.html, section 1.2
_ANOTHER_FOLDER = "name a folder on a local disk that you may write to"


def usable_file(path: Path) -> Path:
    """The absolute path, if it is an SQLite file or free to become one; else `InputError`."""
    path = Path(os.path.abspath(path.expanduser()))
    if not path.parent.is_dir():
        raise InputError("store", f"the folder {path.parent} does not exist", "make it, or name another")
    if not os.access(path.parent, os.W_OK):
        raise InputError("store", f"the folder {path.parent} is not writable", _ANOTHER_FOLDER)
    if (kind := _file_system(path.parent)) in NETWORK_FILE_SYSTEMS:
        raise InputError("store", f"{path.parent} is on a network file system ({kind})", "name a folder on a local disk, or use PostgreSQL")
    if path.exists():
        _check_file(path)
    return path


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError("store", f"{path} is not a file", "name a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise InputError("store", f"{path} may not be read and written", "change its permissions, or name another file")
    with path.open("rb") as file:
        if (head := file.read(len(_MAGIC))) and head != _MAGIC:
            raise InputError("store", f"{path} is not an SQLite file", "name another file")


def _file_system(folder: Path) -> str:
    """The type of the file system that holds the folder; "" where the system does not say."""
    return file_system(folder.resolve(), MOUNTS.read_text(errors="replace")) if MOUNTS.exists() else ""


def file_system(folder: PurePosixPath | Path, mounts: str) -> str:
    """The type of the innermost mount of a table like /proc/mounts that holds the folder, of equal ones the last; "" if none does."""
    found, depth = "", 0
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        mount = PurePosixPath(_unescaped(point))
        if len(mount.parts) >= depth and folder.is_relative_to(mount):
            found, depth = kind, len(mount.parts)
    return found


def _unescaped(point: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        point = point.replace(code, character)
    return point
