"""Readers make a task of a file."""

from __future__ import annotations


def read(source: str) -> None:
    """Placeholder."""
    raise NotImplementedError(source)
