"""A reading of the evidence so far: the few numbers on which the flowchart turns.

Two yardsticks take the place of fixed thresholds: what the constant predictor pays, and what is *reachable*, the best reference model's
out-of-fold loss. The distance between them is the unit in which every excess and every effect is measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from traindx.records import Evidence, RemedyRef

# An excess or an effect counts from this share of the distance between the constant predictor and what is reachable.
MARGIN = 0.1
# Where no reference can be had or none beats the constant predictor, the distance is at least this share of the constant's loss.
LEAST_DISTANCE = 0.1
# A training within this share of the constant predictor's loss has learned nothing.
NOTHING_LEARNED = 0.05
# The half-widths are of 95 % intervals; a sound test set must not look harmful by chance, so half as much again is asked.
TEST_NOISE = 1.5
# Where what is reachable is small, a tenth of the distance is many times that: a loss so many times the reachable one is large from this share
# on. Of 540 sound trainings of bench/zoo none that ends at twice the reachable loss is more than 0.02 above it.
FAR_FACTOR, FAR_SHARE = 2.0, 0.05
# Where neither the training nor any reference removes this share of what the constant predictor pays, nobody knows what is possible.
HARDLY = 0.2
# Training that is above reachable by this share of MARGIN, with validation above by all of it, is large too.
NEARLY = 0.8
# Rows are learned by rote where training ends below this share of the validation loss, by so many shares of the distance. Of 165 sound
# trainings of bench/zoo one ends below that share, and with a smaller gap.
ROTE, ROTE_GAP = 0.25, 0.25
# Of what the constant predictor pays, this share must be left for more rows, or a smaller model, to be what is missing: below it a network that no
# reference comes near has learned its task. Sound trainings of few rows, learned by heart, end at 0.39 and 0.49.
LEFT = 0.5
# Or the ranks of the chunks' losses leave no doubt, where a few hard rows widen the interval of the mean.
HARM_P = 1e-4
REFERENCES = ("linear", "nearest-neighbours", "gradient-boosting", "small-network", "convolutional-network")


class Reading:
    """Evidence, looked up by name. NaN stands for what was not measured."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self.evidence = tuple(evidence)
        self._by_name: dict[tuple[str, str, str], Evidence] = {}
        for item in self.evidence:
            self._by_name[item.experiment, item.measure, item.subject] = item
            self._by_name.setdefault((item.experiment, item.measure, "*"), item)

    def find(self, experiment: str, measure: str, subject: str = "*") -> Evidence | None:
        """The evidence of this name; of any subject by default."""
        return self._by_name.get((experiment, measure, subject))

    def value(self, experiment: str, measure: str, subject: str = "*") -> float:
        """Its value, or NaN."""
        found = self.find(experiment, measure, subject)
        return math.nan if found is None else found.value

    def sign(self, measure: str) -> float:
        """A number the baseline run showed, or NaN."""
        return self.value("baseline", measure)

    def asked(self, experiment: str) -> bool:
        """Whether the experiment was done."""
        return any(item.experiment == experiment for item in self.evidence)

    def raced(self, remedy: RemedyRef) -> Evidence | None:
        """What the race showed of a remedy and its relatives of other strength: a repeated recovery before a single one, then the most."""
        found = [e for e in self.evidence if e.experiment == "intervention" and e.remedy is not None and e.remedy.id == remedy.id]
        found = [e for e in found if e.remedy is not None and _same_family(e.remedy, remedy)]
        return max(found, key=telling, default=None)

    # -- the numbers ---------------------------------------------------------------------------------------------------------------

    @property
    def outcome(self) -> str:
        """How the baseline ended."""
        found = self.find("baseline", "outcome")
        return str(found.details["outcome"]) if found else ""

    @property
    def failed(self) -> bool:
        """The baseline raised, ran out of memory, or gave no finite validation loss although it ended: nothing can be concluded."""
        return self.raised or (self.outcome != "diverged" and not math.isfinite(self.value("baseline", "validation_loss")))

    @property
    def raised(self) -> bool:
        """The baseline ended with an error."""
        return self.outcome == "failed"

    @property
    def broken(self) -> bool:
        """The baseline diverged, or never gave a finite loss."""
        return self.outcome == "diverged" or not math.isfinite(self.value("baseline", "train_loss"))

    @cached_property
    def constant(self) -> float:
        """What the constant predictor pays; the initial loss where that cannot be known."""
        known = self.value("references", "out_of_fold_loss", "constant")
        return self.sign("initial_loss") if math.isnan(known) else known

    @cached_property
    def best_reference(self) -> Evidence | None:
        """The reference model with the lowest out-of-fold loss."""
        found = [
            e for name in REFERENCES if (e := self.find("references", "out_of_fold_loss", name)) is not None and math.isfinite(e.value)
        ]
        return min(found, key=lambda e: e.value, default=None)

    @cached_property
    def least(self) -> float:
        """What predictions equal to the targets would pay: not 0 for likelihoods of counts, whose losses have any level."""
        known = self.value("references", "out_of_fold_loss", "targets")
        return 0.0 if math.isnan(known) else known

    @property
    def level(self) -> float:
        """The constant predictor's loss above the least there is: what shares of a loss are taken of."""
        return abs(self.constant - self.least)

    @property
    def reachable(self) -> float:
        """The best reference's out-of-fold loss (the constant's, if that is lower); NaN where there is none."""
        return min(self.best_reference.value, self.constant) if self.best_reference else math.nan

    @cached_property
    def train(self) -> float:
        """Where training ended, in evaluation mode; where it diverged or ended above the constant predictor's loss, that loss."""
        known = self.value("baseline", "train_loss")
        return self.constant if self.broken or known > self.constant else known

    @cached_property
    def validation(self) -> float:
        """Where the validation loss ended."""
        known = self.value("baseline", "validation_loss")
        return self.constant if self.broken else known

    @cached_property
    def distance(self) -> float:
        """From the constant predictor to the best that is known to be possible on unseen rows."""
        possible = [v for v in (self.reachable, self.sign("lowest_validation_loss")) if math.isfinite(v)]
        best = min(possible, default=self.constant)
        return max(self.constant - best, LEAST_DISTANCE * self.level, 1e-12)

    def share(self, difference: float) -> float:
        """A difference of losses, in shares of the distance."""
        return difference / self.distance

    # -- the questions -------------------------------------------------------------------------------------------------------------

    @property
    def fit_excess(self) -> float:
        """How far training stays above reachable, in shares; NaN where no reference applies."""
        return self.share(self.train - self.reachable)

    @property
    def learned_nothing(self) -> bool:
        """Training ended where the constant predictor stands."""
        return self.broken or self.train > self.constant - NOTHING_LEARNED * self.level

    @property
    def references_beat_constant(self) -> bool:
        """The best reference's interval lies below the constant predictor by a tenth of the least distance."""
        best = self.best_reference
        return best is not None and (best.high or best.value) < self.constant - 0.1 * LEAST_DISTANCE * self.level

    @property
    def training_is_large(self) -> bool:
        """The guide's first question: the training loss stays above what is reachable by MARGIN, beyond the noise of both."""
        if self.broken:
            return True
        if self.best_reference is None:
            return self.learned_nothing
        if not self.references_beat_constant:
            return False
        if self.learned_nothing:
            return True
        # Where a loss has any level, most of its spread over rows is that level's, which all predictions share.
        own = self.best_reference if self.least else self.find("baseline", "train_loss")
        noise = math.hypot(_half_width(own), _half_width(self.best_reference))
        return self.train - self.reachable > noise and (self.fit_excess > MARGIN or self.many_times or self.underfits)

    @property
    def hardly_learned(self) -> bool:
        """Training, validation and all references stay near the constant predictor: rows that say little, or a training that fails unseen."""
        if self.failed or self.training_is_large or self.best_reference is None:
            return False
        if self.validation > self.constant + NOTHING_LEARNED * self.level:  # by rote
            return False
        return min(self.reachable, self.train, self.validation) > self.constant - HARDLY * self.level

    @property
    def troubled(self) -> bool:
        """Something is wrong that no yardstick explains: training is large, validation well above reachable, or the test set strikingly worse."""
        return self.failed or self.training_is_large or self.validation_excess > 2 * MARGIN or self.test_harm_is_striking

    @property
    def continues(self) -> bool:
        """Whether labels are tokens that follow those of their row, which the network looks up in a table."""
        return self.value("audit", "continues") == 1 and self.value("audit", "tables") > 0

    @property
    def other_seeds(self) -> float:
        """What the baseline itself recovers with the best of other seeds, where repeats of a race ran it at full length; NaN elsewhere."""
        return self.value("intervention", "other_seeds")

    @property
    def underfits(self) -> bool:
        """Validation is above reachable by MARGIN, and it is training that stays high, not the gap between the two."""
        above = self.share(self.validation - self.reachable) > MARGIN
        return above and self.fit_excess > NEARLY * MARGIN and self.generalization_gap < self.fit_excess

    @property
    def many_times(self) -> bool:
        """Training ended at a multiple of a small reachable loss."""
        reachable = self.reachable - self.least
        return reachable > 0 and self.train - self.least > FAR_FACTOR * reachable and self.fit_excess > FAR_SHARE

    @property
    def judged_validation(self) -> float:
        """Where validation ends: the mean over divisions where the baseline was repeated on others, else the baseline's."""
        known = self.value("divisions", "validation_loss")
        return self.validation if math.isnan(known) or self.broken else known

    @property
    def lowest_validation(self) -> float:
        """Where validation was lowest: over divisions, each at the step that the others choose; else the baseline's lowest point."""
        known = self.value("divisions", "lowest_validation_loss")
        return self.sign("lowest_validation_loss") if math.isnan(known) else known

    @property
    def floor(self) -> float:
        """The best of what is reachable and the training's own lowest point; NaN where neither is known."""
        known = [v for v in (self.reachable, self.lowest_validation) if math.isfinite(v)]
        return min(known, default=math.nan)

    @property
    def validation_excess(self) -> float:
        """How far validation ends above reachable (above its own lowest point, where no reference applies), in shares."""
        ended = self.judged_validation
        return self.share(ended - max(self.floor, 0 if self.train < 0 else min(self.train, ended)))

    @property
    def generalization_gap(self) -> float:
        """Validation minus training loss, in shares."""
        return self.share(self.judged_validation - self.train)

    @property
    def late_rise(self) -> float:
        """How far validation ended above its lowest point, in shares."""
        return self.share(self.judged_validation - self.lowest_validation)

    @property
    def overfits(self) -> bool:
        """Training is not large, and validation ends above what is reachable, or above its own lowest point, by MARGIN."""
        return not self.training_is_large and max(self.validation_excess, self.late_rise) > MARGIN

    @property
    def memorizes(self) -> bool:
        """Training got far below what any reference reaches on unseen rows, and below its own validation."""
        below = self.share(self.reachable - self.train)
        return not self.training_is_large and self.generalization_gap > MARGIN and (math.isnan(below) or below > MARGIN)

    @property
    def by_rote(self) -> bool:
        """Training ended at a small share of the validation loss, and far below it: worth an experiment even where no reference does better."""
        small = self.train - self.least < ROTE * (self.judged_validation - self.least)
        rote = small and self.train >= self.least and self.generalization_gap > ROTE_GAP
        return rote and self.leaves_much and not self.training_is_large

    @property
    def leaves_much(self) -> bool:
        """Whether validation ends far above the least there is, seen from the constant predictor."""
        return self.judged_validation - self.least > LEFT * self.level

    @property
    def test(self) -> float:
        """The trained model's loss on the test rows; NaN where it was not looked at."""
        return self.value("two_sample", "test_loss")

    @property
    def test_harm(self) -> float:
        """How much worse the test set is than validation, in shares; NaN where unknown."""
        return self.share(self.test - self.validation)

    @property
    def test_harm_is_real(self) -> bool:
        """Above MARGIN and beyond the noise of both losses: enough beside a shift of inputs or labels."""
        return self._harm_beyond(1.0)

    @property
    def test_harm_is_striking(self) -> bool:
        """Beyond half as much noise again: what is asked where no shift makes harm likely, so that sound test sets raise no doubt."""
        return self._harm_beyond(TEST_NOISE)

    def _harm_beyond(self, noises: float) -> bool:
        test, validation = self.find("two_sample", "test_loss"), self.find("baseline", "validation_loss")
        if test is None or validation is None or self.broken:
            return False
        noise = noises * math.hypot(_half_width(test), _half_width(validation))
        beyond = test.value - validation.value > noise or float(test.details.get("p_value", 1.0)) < HARM_P
        return self.test_harm > MARGIN and beyond


def telling(evidence: Evidence) -> tuple[bool, float]:
    """Orders relatives in a race: what was repeated first, then by recovery, the whole gap being enough."""
    return evidence.low is not None, -math.inf if math.isnan(evidence.value) else min(evidence.value, 1.0)


def _half_width(evidence: Evidence | None) -> float:
    if evidence is None or evidence.low is None or evidence.high is None:
        return 0.0
    return (evidence.high - evidence.low) / 2


def _same_family(found: RemedyRef, wanted: RemedyRef) -> bool:
    """The same remedy; factors on the same side of 1 belong together, and any rates, other parameters must agree."""
    for name, value in wanted.params.items():
        other = found.params.get(name)
        if name == "lr":
            continue
        if name in ("factor", "width"):
            if isinstance(other, (int, float)) and isinstance(value, (int, float)) and (other > 1) != (value > 1):
                return False
        elif other != value:
            return False
    return True
