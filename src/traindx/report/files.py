"""Writes a record to a file, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from traindx.records import Curvature, InputError

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


def pictures(record: Curvature, folder: str | Path, dark: bool = False) -> tuple[Path, ...]:
    """Write every figure as a PNG file named by what it shows; files of those names are replaced."""
    from traindx.report import draw_landscapes, landscapes

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [draw_landscapes.png(data, folder / f"{_slug(data.title)}.png", dark) for data in landscapes.all_lines(record)]
        for relief in landscapes.reliefs(record):
            written.append(draw_landscapes.png(landscapes.from_above(relief), folder / f"{_slug(relief.title)}.png", dark))
            written.append(draw_landscapes.png(relief, folder / f"{_slug(relief.title)}-3d.png", dark, perspective=True))
    except OSError as error:
        raise InputError("folder", f"cannot write to {str(folder)!r} ({error.strerror})", "name a folder that can be written to") from error
    return tuple(written)


def _slug(title: str) -> str:
    """A title as the name of a file."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
