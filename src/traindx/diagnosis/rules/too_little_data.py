"""The gap closes as data grows (CAUSES: more data, augmentation)."""

from __future__ import annotations

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules.base import CONFIRMING_SEEDS, Rule
from traindx.records import Branch, Finding, Standing

# Where more rows are wanted, training ends below this share of the validation loss: the rows were learned by heart.
BY_HEART = 0.5
# Below FEW rows, where many doublings are missing, this share of MARGIN is enough for one.
FEW, FEW_SHARE = 130, 0.6


class TooLittleData(Rule):
    """Settled by the learning curve: what the last doubling of the rows gave at its best."""

    cause = "too-little-data"
    branch = Branch.OVERFITTING
    question = "data"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed when the last doubling lowered the validation loss by MARGIN, beyond the noise of divisions."""
        gain = reading.find("learning_curve", "gain_of_doubling")
        if gain is None:
            refused = reading.find("learning_curve", "not-applicable")
            if refused is not None:
                return self.finding(Standing.NOT_APPLICABLE, 0.0, refused.text)
            if reading.training_is_large:
                return self.finding(Standing.CLEARED, 0.7, "the training loss itself is large: more rows would not lower it")
            if reading.generalization_gap <= MARGIN:
                return self.finding(Standing.CLEARED, 0.8, f"{_gap(reading)}: more rows would change little")
            if not reading.overfits:
                said = f"{_gap(reading)}, but is where reference models get on unseen rows: what more rows would give was not measured"
                return self.finding(Standing.UNDECIDED, 0.2, said)
            return self.finding(Standing.UNDECIDED, 0.2, f"{_gap(reading)}; the learning curve was not measured within the budget")
        share = reading.share(gain.value)
        least = MARGIN * (FEW_SHARE if reading.value("audit", "rows") < FEW else 1.0)
        evidence = tuple(
            e.replace(threshold=least * reading.distance) if e is gain else e for e in reading.evidence if e.experiment == "learning_curve"
        )
        said = f"the last doubling of the rows lowered the best validation loss by {gain.value:.3g} ({share:.0%} of the distance to the constant predictor)"
        if share >= least and not _learned_by_heart(reading):
            return self.finding(Standing.CLEARED, 0.6, f"{said}, but the rows it has are not learned by heart", evidence)
        if share >= least and (gain.low or 0.0) > 0 and len(gain.seeds) >= CONFIRMING_SEEDS:
            return self.finding(Standing.CONFIRMED, 0.6 + 0.4 * min(1.0, share), said, evidence)
        if share >= least:
            return self.finding(Standing.SUSPECTED, 0.4, f"{said}, but not on every division", evidence)
        return self.finding(Standing.CLEARED, 0.8, f"{said}: little", evidence)


def _gap(reading: Reading) -> str:
    """How far validation ends from training, in words."""
    gap = reading.generalization_gap
    where = "above" if gap > 0 else "below"
    losses = f"{reading.judged_validation:.3g} and {reading.train:.3g}"
    return f"validation ends {abs(gap):.0%} of the distance to the constant predictor {where} training ({losses})"


def _learned_by_heart(reading: Reading) -> bool:
    """Whether training ended far below validation; losses that may be negative tell nothing of it."""
    return reading.train < BY_HEART * reading.judged_validation or reading.train < 0
