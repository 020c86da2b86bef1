"""Writes a record to a file, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from traindx.records import InputError

if TYPE_CHECKING:
    from traindx.report import Showable

ENDINGS = (".html", ".json")


def destination(path: str | Path, argument: str = "path") -> Path:
    """The path, if a report can be written there; otherwise an error that names ``argument``."""
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(argument, f"found {str(path)!r}", f"end it in {' or '.join(ENDINGS)}")
    if path.is_dir():
        raise InputError(argument, f"{str(path)!r} is a folder", "name a file")
    if not path.parent.is_dir():
        raise InputError(argument, f"no folder {str(path.parent)!r}", "make the folder first, or name a file in one that is there")
    return path


def save(record: Showable, path: str | Path) -> Path:
    """Write one self-contained HTML file or, by the ending, JSON; an earlier file of that name is replaced at once or kept."""
    from traindx.report import page

    path = destination(path)
    text = page.to_html(record) if path.suffix.lower() == ".html" else json.dumps(record.to_dict(), ensure_ascii=False, indent=1) + "\n"
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(
            "path", f"cannot write {str(path)!r} ({error.strerror})", "name a file in a folder that can be written to"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path
