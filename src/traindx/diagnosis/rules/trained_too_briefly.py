"""The loss was still falling when the budget ended (CAUSES: more epochs)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import CONFIRMING_SHARE, SYMPTOM, FitRule, log_ramp, present, ramp
from traindx.diagnosis.rules.learning_rate_too_low import RATIO_FULL, RATIO_NONE
from traindx.records import Evidence, RemedyRef

# The fall over the last half of the training, as a share of all the progress made or of what is left to reachable; where training is not
# large, the fall of the validation loss as a share of the distance to the constant predictor must be as high.
FALL_NONE, FALL_FULL = 0.1, 0.5
# A schedule to zero leaves 0.18 (cosine) or 0.25 (linear) of the highest rate to the last half; less than this is another trouble.
SLOWEST = 0.15
# Trainings of fewer updates than this are short for any network.
UPDATES_NONE, UPDATES_FULL = 2000.0, 200.0

# A handful of updates is a beginning, whatever the loss did in them; where they were several passes over the rows, the batch is too large.
HANDFUL_NONE, HANDFUL_FULL = 60.0, 12.0
# A few passes over the rows are few for any network; a fall that goes on after many may have other reasons.
EPOCHS_NONE, EPOCHS_FULL = 6.0, 2.0

# The whole way may be longer than the budget: a third of it, still falling, is enough to know the direction; less after a few passes.
PART_OF_THE_WAY, FIRST_PART = 0.33, 0.15


class TrainedTooBriefly(FitRule):
    """Settled by a longer training."""

    cause = "trained-too-briefly"
    question = "time"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """As many times as long as the late fall says is needed, between four and six times."""
        gap, fall = reading.train - reading.reachable, reading.sign("last_half_fall")
        doublings = gap / fall if fall > 0 and gap > 0 else 1.0
        factor = min(6, max(4, round(4 ** min(doublings, 2))))  # each doubling is taken to give half of what the last one gave
        return (RemedyRef(id="more-epochs", params={"factor": float(factor)}),)

    def needed(self, reading: Reading) -> float:
        """A part of the way to what is reachable shows the direction; where the loss is not large, the half of the effect asked for."""
        if not reading.training_is_large:
            return CONFIRMING_SHARE
        return FIRST_PART if reading.sign("epochs") < (EPOCHS_NONE + EPOCHS_FULL) / 2 else PART_OF_THE_WAY

    def sign(self, reading: Reading) -> float:
        """Still falling, and short, by steps that are not tiny: those are the sign of a rate too low."""
        if reading.broken or reading.outcome == "stopped":
            return 0.0
        progress = reading.sign("initial_loss") - reading.train
        falling = ramp(reading.sign("last_half_fall") / progress, FALL_NONE, FALL_FULL) if progress > 0 else 0.0
        if reading.training_is_large and reading.best_reference is not None:
            left = reading.train - reading.reachable
            falling = max(falling, ramp(reading.sign("last_half_fall") / self._slowed(reading) / left, FALL_NONE, FALL_FULL))
        elif not reading.hardly_learned:  # what has hardly left the constant predictor may move before its validation loss does
            falling = min(falling, ramp(reading.share(reading.sign("validation_last_half_fall")), FALL_NONE, FALL_FULL))
        short = 0.4 + 0.6 * log_ramp(reading.sign("updates"), UPDATES_NONE, UPDATES_FULL)
        tiny_steps = log_ramp(reading.sign("median_update_ratio"), RATIO_NONE, RATIO_FULL)
        few = ramp(-reading.sign("epochs"), -EPOCHS_NONE, -EPOCHS_FULL)
        handful = SYMPTOM * few * log_ramp(reading.sign("updates"), HANDFUL_NONE, HANDFUL_FULL)
        return max(handful, falling * short * (1 - tiny_steps) * (SYMPTOM + (1 - SYMPTOM) * few))

    def _slowed(self, reading: Reading) -> float:
        """What the schedule left of the rate in the last half: a loss that falls little for that reason has not arrived."""
        share = reading.sign("last_half_rate_share")
        return min(1.0, max(share, SLOWEST)) if share > 0 else 1.0

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The late fall and the number of updates."""
        return present(*(reading.find("baseline", m) for m in ("last_half_fall", "last_quarter_fall", "updates")))
