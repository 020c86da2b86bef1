"""A treatment is planned, verified and concluded.

Planned: what the diagnosis confirmed, what else may help on its branch, and a search over the numbers that matter there.
"""

from __future__ import annotations

from traindx.treatment.choosing import Remedies
from traindx.treatment.comparing import compared
from traindx.treatment.conclusion import concluded
from traindx.treatment.planning import plan

__all__ = ["Remedies", "compared", "concluded", "plan"]
