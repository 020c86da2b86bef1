"""A number of the audit as evidence."""

from __future__ import annotations

from traindx.records import Evidence, Scalar


def evidence(measure: str, value: float, subject: str = "", text: str = "", **details: Scalar) -> Evidence:
    """One measured number of the audit."""
    return Evidence(experiment="audit", measure=measure, value=float(value), subject=subject, text=text, details=dict(details))
