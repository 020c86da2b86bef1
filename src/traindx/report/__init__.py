"""Shows records: as text for a terminal, as one HTML page, as JSON with a schema. Handles records only and loads without PyTorch.

What a report says is computed by ``words`` (numbers into sentences), ``content`` (what comes where), ``flowchart`` and ``figures``
(what is drawn); ``text``, ``draw`` and ``page`` only give it a form. Each is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from traindx.records import Curvature, Diagnosis, Evidence, Run, Treatment

if TYPE_CHECKING:
    from rich.console import Console

Showable: TypeAlias = Run | Diagnosis | Treatment | Curvature

__all__ = [
    "Showable",
    "destination",
    "duration",
    "explain",
    "listing",
    "pictures",
    "print_to",
    "save",
    "schema",
    "sentence",
    "to_html",
    "to_text",
]


def to_text(record: Showable) -> str:
    """The record as plain text, at most 100 columns wide; its first line is the sentence."""
    from traindx.report import text

    return text.to_text(record)


def print_to(console: Console, record: Showable) -> None:
    """Print the record on a rich console, in its colours and width."""
    from traindx.report import text

    text.print_to(console, record)


def to_html(record: Showable, fragment: bool = False) -> str:
    """The record as one self-contained page, or as a ``fragment`` to stand in another one, such as a notebook."""
    from traindx.report import page

    return page.to_html(record, fragment)


def save(record: Showable, path: str | Path) -> Path:
    """Write ``.html`` or ``.json``, by the ending; the file appears whole or not at all. Raises InputError for any other ending."""
    from traindx.report import files

    return files.save(record, path)


def pictures(record: Curvature, folder: str | Path, dark: bool = False) -> tuple[Path, ...]:
    """Write every figure of a curvature record as a PNG file; the folder is made where it is missing."""
    from traindx.report import files

    return files.pictures(record, folder, dark)


def destination(path: str | Path, argument: str = "path") -> Path:
    """The path if ``save`` can write there; an InputError that names ``argument`` if not. To ask before the work is done."""
    from traindx.report import files

    return files.destination(path, argument)


def explain(evidence: Evidence) -> str:
    """One sentence that says one piece of evidence, whatever its experiment."""
    from traindx.report import words

    return words.explain(evidence)


def sentence(record: Showable) -> str:
    """The one sentence that a report begins with."""
    from traindx.report import words

    return words.run_sentence(record) if isinstance(record, Run) else words.clean(record.sentence)


def duration(seconds: float) -> str:
    """Wall time in words: "0.4 s", "3 min 5 s"."""
    from traindx.report import words

    return words.duration(seconds)


def listing(title: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal fields as a plain table under a title."""
    from traindx.report import text

    return text.listing(title, rows)


def schema(kind: str) -> dict[str, Any]:
    """The JSON schema of ``to_dict()`` of a "run", a "diagnosis", a "treatment" or a "curvature"."""
    from traindx.report import json_schema

    return json_schema.schema(kind)
