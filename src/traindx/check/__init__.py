"""Checks read a training script without running it, and report the mistakes that can be seen there."""

from __future__ import annotations

from traindx.check.base import Level, Rule, Violation
from traindx.check.checking import Checked, check
from traindx.check.rules import RULES

__all__ = ["RULES", "Checked", "Level", "Rule", "Violation", "check"]
