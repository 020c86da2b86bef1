"""The loss was still falling when the budget ended (CAUSES: more epochs)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import FitRule, log_ramp, present, ramp
from traindx.records import Evidence, RemedyRef

# The fall over the last half of the training, as a share of what is left to fall.
FALL_NONE, FALL_FULL = 0.1, 0.5
# Trainings of fewer updates than this are short for any network.
UPDATES_NONE, UPDATES_FULL = 2000.0, 200.0


class TrainedTooBriefly(FitRule):
    """Settled by a longer training."""

    cause = "trained-too-briefly"
    # One long run is the baseline going on: its fall is held against the noise of evaluation, and repeats would cost three baselines each.
    confirming_seeds = 1

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Three times as long."""
        return (RemedyRef(id="more-epochs", params={"factor": 3.0}),)

    def sign(self, reading: Reading) -> float:
        """Still falling, and short."""
        if reading.broken or reading.outcome == "stopped":
            return 0.0
        left = max(reading.train - reading.reachable, 0.05 * reading.distance) if reading.best_reference else reading.distance
        falling = ramp(reading.sign("last_half_fall") / left, FALL_NONE, FALL_FULL)
        return falling * (0.4 + 0.6 * log_ramp(reading.sign("updates"), UPDATES_NONE, UPDATES_FULL))

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The late fall and the number of updates."""
        return present(*(reading.find("baseline", m) for m in ("last_half_fall", "last_quarter_fall", "updates")))
