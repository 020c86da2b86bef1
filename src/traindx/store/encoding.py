"""How records become text and curves become bytes.

Text is JSON in Python's dialect, with the bare words NaN and Infinity: unlike the strings "NaN" and "Infinity" of `Record.to_dict`, they
come back as numbers where a field holds a number or a string. All of it is ASCII, so every database takes it.

A curve is two byte strings without a header: its steps as little-endian signed 64-bit integers, its values as little-endian 64-bit
floats. One row of 16 bytes a point holds what would be one row a point otherwise, and every bit of every value.
"""

from __future__ import annotations

import json
import struct
from typing import Any, TypeVar

from traindx.records import Curve, Record

R = TypeVar("R", bound=Record)

_BYTES_A_NUMBER = 8


def to_text(plain: Any) -> str:
    """JSON of plain values: dicts, sequences, scalars."""
    return json.dumps(plain, separators=(",", ":"))


def from_text(text: str) -> Any:
    """The plain values of `to_text`; tuples are lists now."""
    return json.loads(text)


def record_to_text(record: Record, without: frozenset[str] = frozenset()) -> str:
    """JSON of a record, less the fields that are stored elsewhere."""
    return to_text(record.model_dump(exclude=set(without)))


def record_from_text(kind: type[R], text: str, **elsewhere: Any) -> R:
    """The record of `record_to_text`, with the fields that were stored elsewhere."""
    return kind.model_validate({**from_text(text), **elsewhere})


def curve_to_bytes(curve: Curve) -> tuple[bytes, bytes]:
    """Steps and values, packed."""
    return struct.pack(f"<{len(curve.steps)}q", *curve.steps), struct.pack(f"<{len(curve.values)}d", *curve.values)


def curve_from_bytes(steps: bytes, values: bytes) -> Curve:
    """The curve of `curve_to_bytes`."""
    return Curve(
        steps=struct.unpack(f"<{len(steps) // _BYTES_A_NUMBER}q", steps),
        values=struct.unpack(f"<{len(values) // _BYTES_A_NUMBER}d", values),
    )
