"""Part of the labels is wrong (CAUSES: clean, robust loss)."""

from __future__ import annotations

import math

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import STRONG_SIGN, RacedRule, present, ramp
from traindx.diagnosis.rules.label_shift import ALIKE, DISTANCE_BOUND
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# Contradicted labels among the surest half of the rows: lower end of the interval. Of the sound trainings of bench/zoo that spread them evenly
# two have 0.11 (a melody that goes on by chance, echoes of ships that look alike), all others at most 0.04.
SUREST_NONE, SUREST_FULL = 0.08, 0.14
# Held-out predictions that hardly agree with the labels contradict them because they are poor: how much more often than by chance they are
# right, in standard errors. The loss says less of this, since wrong labels leave nobody much of it to remove.
SKILL_NONE, SKILL_FULL = 3.0, 5.0
# How many times as often, above chance, the surest fifth of the rows is right: 0.4 to 1.4 where 23 to 65 % of the labels were flipped and judges
# have skill; 1.42 to 2.3 where right labels are contradicted as often (inputs that say little, blurred ones; 2.2 for two normal classes that
# overlap). The upper end of its interval must not reach what is usual there.
EVEN_NONE, EVEN_FULL = 1.5, 1.42
OVERLAPPING_NONE, OVERLAPPING_FULL = 2.0, 1.75
# Chance outcomes of inputs that take few values (a coin for each of two groups) contradict all predictions alike, as flips do. So of two classes
# the surest predictions alone show nothing, and a race is asked for only where at most about 20 % of the labels would be flipped: those leave
# this share of the agreement that right labels have.
FLIPPED_NONE, FLIPPED_FULL = 0.52, 0.56
# Classes that no input tells apart contradict each other, however sure the predictions are. Of flipped labels, contradictions are spread over the
# other classes (at most 0.03 on the scale of `paired`); among twin classes 1, among three or four that are alike about 0.4.
PAIRED_NONE, PAIRED_FULL = 0.3, 0.2
# Contradictions this frequent among the surest rows, by predictions of this skill, show wrong labels by themselves: in bench/zoo 20 % of
# flipped labels give 0.17 to 0.22, and untouched sets at most 0.11.
SHOWN_SHARE = 0.15
# Where the best reference has hardly fewer wrong rows than the constant predictor, a share of the distance between them is nothing.
LEAST_DISTANCE = 0.1
# Labels of given validation rows, or of test rows, agree better with models than training labels that these have not seen, at equal predictions: by so
# many standard errors, and by this much. A classifier must not tell the inputs apart, by the upper end of its area under the curve.
SURPLUS_ERRORS, SURPLUS, INPUTS_ALIKE = 4.0, 0.05, 0.65
# A test loss below validation's by this share of the distance, and by ranks at this level, where the test rows are drawn like the others and at
# most this share of them are copies of training rows: only the labels of the rows at hand can be worse.
CLEANER, CLEANER_P, FEW_COPIES = 0.15, 1e-4, 0.02

# Numbers far from a held-out prediction: their share, and how many times as many they are as those half as far. Noise of every kind thins out:
# 0.3 for noise of Student's t with 2 degrees of freedom, 0.7 for log-normal targets, 1.1 for Cauchy's; 2 to 12 where 2 to 20 % of the targets
# are drawn ten times as wide. Targets that are often the same number (none sold, no rain) jump by themselves. Losses that grow less than this
# with twice the error hardly mind.
OUTLYING, BEYOND_TAILS, MOST_OUTLYING, COMMONEST, SQUARED = 0.01, 2.0, 0.15, 0.1, 3.0

# Where part of the targets are other rows', nobody explains more of the variance of unseen ones than the square of the share that is right.
KNOWN_BY_NETWORK = 0.05

_DROP = RemedyRef(id="drop-suspect-labels")


def _cleaner_labels(reading: Reading) -> Evidence | None:
    """How much better the labels of other rows agree with models than training labels do, where inputs are alike and copies do not explain it."""
    for experiment, copies in (("label_map", "audit"), ("two_sample", "two_sample")):
        found = reading.find(experiment, "agreement_surplus")
        if found is None:
            continue
        by_copies = max(0.0, _copies_beyond_chance(reading, copies))
        clearly = float(found.details["errors"]) >= SURPLUS_ERRORS and found.value - by_copies >= SURPLUS
        if clearly and float(found.details["auc_high"]) <= INPUTS_ALIKE:
            return found.replace(threshold=SURPLUS)
    return None


def _cleaner_test(reading: Reading) -> Evidence | None:
    """The test loss, where it is far below that of rows split off the training set, and nothing but the labels can be the reason."""
    test = reading.find("two_sample", "test_loss")
    if test is None or reading.value("audit", "validation_given") == 1 or reading.broken:
        return None
    clearly = reading.test_harm < -CLEANER and float(test.details.get("p_value", 0.0)) > 1 - CLEANER_P
    inputs, proportions = reading.find("two_sample", "auc"), reading.find("two_sample", "label_distance")
    alike = inputs is not None and (inputs.high if inputs.high is not None else inputs.value) <= ALIKE
    balanced = proportions is None or proportions.value < DISTANCE_BOUND
    return test if clearly and alike and balanced and _copies_beyond_chance(reading, "two_sample") <= FEW_COPIES else None


def _network_agrees(reading: Reading, exchanged: Evidence) -> bool:
    """Whether the network explains no more of the unseen targets than those that are right allow; by a squared error."""
    outlying = reading.find("label_noise", "outlying_targets")
    squared = outlying is not None and float(outlying.details["growth"]) >= SQUARED and reading.constant > 0
    explained = 1 - reading.validation / reading.constant if squared and not reading.broken else 0.0
    return not (explained > (1 - exchanged.value) ** 2 + KNOWN_BY_NETWORK)


def _copies_beyond_chance(reading: Reading, experiment: str) -> float:
    """The share of the other rows that are copies of training rows, beyond what these share among themselves; 0 where it was not counted."""
    found = reading.find(experiment, "copied_share")
    return 0.0 if found is None else found.value - float(found.details["within"])


def _most_wrong(reading: Reading) -> float:
    """Nobody predicts held-out labels better than the share of them that is right: so the best predictor's error bounds the wrong ones.

    The lower end of its interval.
    """
    bounds = [_lower_end(1 - reading.value("baseline", "validation_metric"), reading.value("audit", "rows") / 4)]
    if (best := reading.best_reference) is not None:
        found = reading.find("references", "out_of_fold_metric", best.subject)
        if found is not None:
            bounds.append(_lower_end(1 - found.value, float(found.details.get("rows", math.inf))))
    return min((e for e in bounds if math.isfinite(e)), default=1.0)


def _lower_end(share: float, rows: float) -> float:
    return share - 1.96 * math.sqrt(max(share * (1 - share), 0.0) / rows) if rows > 0 else share


def error_distance(reading: Reading) -> float:
    """From the constant predictor's share of wrong rows to the best reference's."""
    best = reading.best_reference
    reached = math.nan if best is None else reading.value("references", "out_of_fold_metric", best.subject)
    return reached - reading.value("references", "out_of_fold_metric", "constant")


def skill(reading: Reading) -> float:
    """How much more often than by chance held-out predictions agree with the labels, in standard errors."""
    found = reading.find("label_noise", "agreement")
    if found is None or found.low is None:
        return 0.0
    return found.value / max((found.value - found.low) / 1.96, 1e-12)


def spread_evenly(reading: Reading) -> float:
    """From 0 to 1: the surest predictions agree with the labels hardly more often than all do, as of wrong labels each part has its share."""
    found = reading.find("label_noise", "concentration")
    if found is None:
        return 0.0
    high = found.value if found.high is None else found.high
    return ramp(found.value, EVEN_NONE, EVEN_FULL) * ramp(high, OVERLAPPING_NONE, OVERLAPPING_FULL)


def as_flips_do(reading: Reading) -> float:
    """From 0 to 1: contradicted labels are spread over the other classes; of two classes, predictions still agree with most labels."""
    agreement, paired = reading.find("label_noise", "agreement"), reading.find("label_noise", "paired")
    if agreement is not None and agreement.details.get("classes") == 2:
        return ramp(agreement.value / float(agreement.details["most"]), FLIPPED_NONE, FLIPPED_FULL)
    return 0.0 if paired is None else ramp(paired.value, PAIRED_NONE, PAIRED_FULL)


class LabelNoise(RacedRule):
    """Settled by training without the contradicted labels, on the share of wrong validation rows.

    Validation labels are as noisy as training labels. Their cross-entropy punishes whoever predicts the true class with confidence; the share
    of wrong rows does not, so it is the measure of this race. Noise that a network does not learn by heart does no harm, and is not blamed.
    """

    cause = "label-noise"
    branch = Branch.DATA
    question = "labels"

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Leave the suspects out, where even the surest rows are contradicted."""
        return (_DROP,) if self.sign(reading) > 0 else ()

    def sign(self, reading: Reading) -> float:
        """Contradicted labels among the surest, by predictions with skill, and spread evenly over rows and classes."""
        found = reading.find("label_noise", "contradicted_among_surest")
        if found is None:
            return 0.0
        contradicted = ramp(found.low if found.low is not None else found.value, SUREST_NONE, SUREST_FULL)
        return ramp(skill(reading), SKILL_NONE, SKILL_FULL) * spread_evenly(reading) * as_flips_do(reading) * contradicted

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """What was contradicted, by whom, and where."""
        measures = ("contradicted_among_surest", "agreement", "concentration", "paired", "suspect_share")
        return present(*(reading.find("label_noise", m) for m in measures))

    def judge(self, reading: Reading) -> Finding:
        """Confirmed where the held-out predictions alone show it; else by the race."""
        if (better := _cleaner_labels(reading)) is not None:
            said = f"{better.text}: part of the training labels is wrong"
            return self.finding(Standing.CONFIRMED, 0.9, said, (better,), (_DROP,) if better.details["single"] else ())
        cleaner = _cleaner_test(reading)
        if cleaner is not None:
            said = (
                f"the test loss is {cleaner.value:.3g} where validation, split off the training rows, has {reading.validation:.3g}, and the test"
                " inputs come from the same place: the labels of the training rows are worse than those of the test rows"
            )
            return self.finding(Standing.CONFIRMED, 0.85, said, present(cleaner, reading.find("two_sample", "auc")), self.remedies(reading))
        found, refused = reading.find("label_noise", "contradicted_among_surest"), reading.find("label_noise", "not-applicable")
        exchanged = reading.find("label_noise", "exchanged_targets")
        if exchanged is not None and exchanged.details["shown"] and _network_agrees(reading, exchanged):
            return self._of_exchange(exchanged)
        if (outlying := reading.find("label_noise", "outlying_targets")) is not None:
            return self._of_numbers(outlying)
        if found is None:
            return self.finding(
                Standing.NOT_APPLICABLE, 0.0, refused.text if refused else "labels were not compared with held-out predictions"
            )
        least, spread = found.low or 0.0, reading.find("label_noise", "paired")
        if spread is None or least < SHOWN_SHARE or self.sign(reading) < 1 or least > _most_wrong(reading):
            return super().judge(reading)
        said = f"held-out predictions contradict {found.value:.0%} of the labels where they are surest, where overlapping classes leave almost none"
        evidence = tuple(e.replace(threshold=SHOWN_SHARE) if e is found else e for e in self.signs(reading))
        confidence = 0.6 + 0.4 * ramp(found.value, SHOWN_SHARE, 2 * SHOWN_SHARE)
        return self.finding(Standing.CONFIRMED, confidence, said, evidence, (_DROP,))

    def _of_exchange(self, found: Evidence) -> Finding:
        """Confirmed: no noise explains the rows as well."""
        slope, inside, outside = (float(found.details[name]) for name in ("slope", "inside", "outside"))
        said = (
            f"{found.value:.0%} of the targets do not follow what held-out predictions say of their rows (slope {outside:.2f}, where the rest correlate by"
            f" {inside:.2f}), are spread like all targets, and flatten what is learned from them (by a factor of {slope:.2f}): they are other rows'"
        )
        return self.finding(Standing.CONFIRMED, 0.8, said, (found,), (_DROP,) if found.details["single"] else ())

    def _of_numbers(self, found: Evidence) -> Finding:
        """Confirmed where more numbers lie far off than half as far: that is no tail of a noise."""
        less, rows = float(found.details["less_far"]), float(found.details["rows"])
        said = f"{found.value:.1%} of the targets lie more than 8 robust standard deviations from a held-out prediction, {less:.1%} half as far"
        evidence = (found.replace(threshold=OUTLYING),)
        wrong = OUTLYING <= found.value <= MOST_OUTLYING and found.value * rows >= 5 and found.value >= BEYOND_TAILS * less
        if not wrong or float(found.details["commonest"]) > COMMONEST:
            return self.finding(Standing.CLEARED, 0.8, said, evidence)
        if float(found.details["growth"]) < SQUARED:
            return self.finding(
                Standing.CLEARED, 0.6, f"{said}; the loss grows with the error, not with its square, and bears them", evidence
            )
        return self.finding(Standing.CONFIRMED, 0.8, f"{said}: noted wrongly, and they rule a squared error", evidence, (_DROP,))

    def explained(self, reading: Reading) -> str:
        """Nothing to explain where the signs are weak or training is large."""
        if reading.training_is_large:
            return "the training loss itself is large: wrong labels were not learned by heart"
        if self.sign(reading) < STRONG_SIGN:
            return "few labels are contradicted, or as overlapping classes and chance outcomes are"
        if not error_distance(reading) >= LEAST_DISTANCE:
            return "reference models err hardly less often than the constant predictor: too little to race for"
        return ""

    def _effect(self, reading: Reading, evidence: Evidence) -> float:
        """The fall of the error in shares of its distance to the constant predictor's."""
        fall = float(evidence.details.get("mean_effect", float(evidence.details["before"]) - float(evidence.details["after"])))
        return fall / max(error_distance(reading), LEAST_DISTANCE)

    def nothing_to_try(self, reading: Reading) -> str:
        """Clean-looking, or no more wrong than chance and overlap make them."""
        return "labels agree with held-out predictions where these are surest, or no better than overlapping classes and chance allow"
