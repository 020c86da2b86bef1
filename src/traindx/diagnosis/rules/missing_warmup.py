"""The first steps at full rate wreck the network (CAUSES: linear warm-up)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import SYMPTOM, DirectFitRule, log_ramp, present
from traindx.records import Evidence, RemedyRef

# A batch loss this many times the initial one tells of first steps that went far astray.
SPIKE_NONE, SPIKE_FULL = 1.3, 4.0
# Networks of fewer layers with weights stand a full rate from the start.
LAYERS = 4


class MissingWarmup(DirectFitRule):
    """Settled by a warm-up."""

    cause = "missing-warmup"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """A linear warm-up over a tenth of the training."""
        return (RemedyRef(id="warm-up", params={"share": 0.1}),)

    def sign(self, reading: Reading) -> float:
        """A loss above its start early on, in a deep network, without warm-up."""
        if reading.value("audit", "planned_warmup") > 0 or reading.sign("weight_layers") < LAYERS:
            return 0.0
        spike = reading.sign("highest_batch_loss") / max(reading.sign("initial_loss"), 1e-12)
        return SYMPTOM * (1.0 if reading.broken else log_ramp(spike, SPIKE_NONE, SPIKE_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The highest loss."""
        return present(
            reading.find("audit", "planned_warmup"),
            reading.find("baseline", "highest_batch_loss"),
            reading.find("baseline", "initial_loss"),
            reading.find("baseline", "weight_layers"),
        )
