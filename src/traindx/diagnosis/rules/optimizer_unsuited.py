"""One rate for parameters whose gradients differ by orders of magnitude (CAUSES: Adam)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# Largest over smallest root mean square gradient of a weight, at the median over the training.
SPREAD_NONE, SPREAD_FULL = 30.0, 1000.0
# Plain gradient descent without momentum is unsuited to most networks.
PLAIN_SIGN = 0.3
ONE_RATE = ("sgd", "asgd", "rprop")


class OptimizerUnsuited(DirectFitRule):
    """Settled by Adam."""

    cause = "optimizer-unsuited"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Adam at a usual rate."""
        return (RemedyRef(id="set-optimizer", params={"optimizer": "adam", "lr": 0.001}),)

    def sign(self, reading: Reading) -> float:
        """One rate for gradients of different scales."""
        optimizer = reading.find("audit", "optimizer")
        if optimizer is None or optimizer.text not in ONE_RATE:
            return 0.0
        plain = PLAIN_SIGN if reading.value("audit", "momentum") == 0 else 0.0
        return max(plain, SYMPTOM * log_ramp(reading.sign("gradient_spread"), SPREAD_NONE, SPREAD_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Optimizer and spread of gradients."""
        return present(reading.find("audit", "optimizer"), reading.find("audit", "momentum"), reading.find("baseline", "gradient_spread"))
