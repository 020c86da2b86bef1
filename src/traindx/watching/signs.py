"""The signs of the catalogue's causes, read from the curves of a run that nobody repeated."""

from __future__ import annotations

from traindx.records import Finding, Run


def suspicions(run: Run) -> tuple[Finding, ...]:
    """Causes whose direct signs are strong in what was observed."""
    return ()
