"""A number of the audit as evidence; and what counts as a refusal where the audit calls the user's own code."""

from __future__ import annotations

from traindx.records import Evidence, Scalar

# What torch, and the checks and look-ups in people's own models and losses, raise of values that they cannot take.
REFUSALS = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)


def evidence(measure: str, value: float, subject: str = "", text: str = "", **details: Scalar) -> Evidence:
    """One measured number of the audit."""
    return Evidence(experiment="audit", measure=measure, value=float(value), subject=subject, text=text, details=dict(details))
