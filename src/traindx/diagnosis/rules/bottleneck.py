"""One layer too narrow for what must pass (CAUSES: widen it)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import CapacityRule, log_ramp
from traindx.records import Evidence, RemedyRef

# How many times narrower a hidden layer is than the narrower of its neighbours.
NARROW_NONE, NARROW_FULL = 2.0, 8.0


class Bottleneck(CapacityRule):
    """Settled by widening the narrowest layer alone."""

    cause = "bottleneck"

    def _narrowest(self, reading: Reading) -> Evidence | None:
        found = [e for e in reading.evidence if e.experiment == "audit" and e.measure == "narrowing" and e.value > NARROW_NONE]
        return max(found, key=lambda e: e.value, default=None)

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The narrowest layer as wide as its neighbours; none where no layer is narrow."""
        layer = self._narrowest(reading)
        if layer is None:
            return ()
        return (RemedyRef(id="widen", params={"factor": 2 ** math.ceil(math.log2(2 * layer.value)), "layer": layer.subject}),)

    def sign(self, reading: Reading) -> float:
        """How narrow it is."""
        layer = self._narrowest(reading)
        return 0.0 if layer is None else log_ramp(layer.value, NARROW_NONE, NARROW_FULL)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The narrowest layer."""
        layer = self._narrowest(reading)
        return () if layer is None else (layer,)

    def nothing_to_try(self, reading: Reading) -> str:
        """No narrow layer."""
        return "no hidden layer is much narrower than both of its neighbours"
