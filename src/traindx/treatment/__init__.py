"""A treatment is planned: what the diagnosis confirmed, what else may help on its branch, and a search over the numbers that matter there."""

from __future__ import annotations

from traindx.treatment.choosing import Remedies
from traindx.treatment.planning import plan

__all__ = ["Remedies", "plan"]
