"""A rule weighs the evidence for one cause and says where it stands.

A rule reads signs, which only order the suspects, and names the remedies whose race settles the cause. What the race shows decides.
"""

from __future__ import annotations

import math
from typing import ClassVar

from traindx.diagnosis.reading import MARGIN, Reading, telling
from traindx.records import Branch, Evidence, Finding, RemedyRef, Standing

# A remedy that recovers this share of the gap has brought the loss near the reference: the cause is shown.
CONFIRMING_SHARE = 0.5
# A gap is at least about MARGIN of the distance; what recovers most of a small one has an effect of at least this share of MARGIN.
LEAST_EFFECT = 0.5
# What lowers the training loss must lower the lowest validation loss by this share of it: less is learning by heart.
UNSEEN_SHARE = 0.3
# A remedy that recovers less than this, though run for long enough, clears its cause.
CLEARING_SHARE = 0.15
# A remedy that recovered nothing by this share of the training's length will not do so later.
LONG_ENOUGH = 0.4
# A remedy that recovers less leaves room for another with a direct sign.
RECOVERED = 0.8
# Seeds that a confirmation rests on.
CONFIRMING_SEEDS = 3
# A suspect whose strongest sign is at least this strong is worth an experiment even where the losses alone do not ask for one.
STRONG_SIGN = 0.5
# What many causes bring about (divergence, small updates) speaks less for each of them than what only one of them is.
SYMPTOM = 0.7
# A sign below this is no reason to race a remedy that nothing else calls for.
NOTICEABLE = 0.05
# Confidence in what is seen without an experiment.
PLAIN = 0.97


class Rule:
    """Base of all rules. ``question`` is the flowchart's question under which its remedies race: fit, capacity or generalization."""

    cause: ClassVar[str]
    branch: ClassVar[Branch]
    question: ClassVar[str] = ""

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The interventions that settle the cause, here; none where nothing can be tried."""
        return ()

    def sign(self, reading: Reading) -> float:
        """How strongly signs point to the cause: 0 not at all, 1 unmistakably."""
        return 0.0

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """The evidence that the sign was read from."""
        return ()

    def seen(self, reading: Reading) -> Evidence | None:
        """The evidence of the audit that shows the cause plainly, so that the diagnosis can end before any training; None for most."""
        return None

    def judge(self, reading: Reading) -> Finding:
        """Where the cause stands."""
        raise NotImplementedError(self.cause)

    def shown(self, reading: Reading, found: Evidence) -> Finding:
        """The finding of what the audit shows plainly: to train would show nothing more."""
        return self.finding(Standing.CONFIRMED, PLAIN, found.text, (found, *self.signs(reading)), self.remedies(reading))

    def finding(
        self, standing: Standing, confidence: float, summary: str, evidence: tuple[Evidence, ...] = (), remedies: tuple[RemedyRef, ...] = ()
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            cause=self.cause,
            branch=self.branch,
            standing=standing,
            confidence=round(min(max(confidence, 0.0), 1.0), 3),
            summary=summary,
            evidence=evidence,
            remedies=remedies,
        )


class InspectedRule(Rule):
    """A cause that the audit sees plainly, in rows, model, recipe or shapes, or not at all."""

    question = "audit"

    def unseen(self, reading: Reading) -> str:
        """What was looked at where nothing was found."""
        return "the audit found nothing of the kind"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed where the audit shows it, cleared where it does not."""
        found = self.seen(reading)
        return self.finding(Standing.CLEARED, 0.9, self.unseen(reading)) if found is None else self.shown(reading, found)


def carries_over(reading: Reading, recovered: Evidence) -> bool:
    """Whether a remedy that lowers the training loss lowers the validation loss as well, at its lowest: what overfits afterwards has trained."""
    lowest = recovered.details.get("lowest_validation_loss")
    if recovered.details.get("quantity") != "train_loss" or lowest is None or reading.broken:
        return True
    # A loss that swings was low on training rows when it was low on unseen ones.
    before = min(float(recovered.details["before"]), reading.sign("lowest_train_loss"))
    fall = before - float(recovered.details["after"])
    return fall <= 0 or not reading.sign("lowest_validation_loss") - float(lowest) < UNSEEN_SHARE * fall


def _at_least(recovered: Evidence) -> str:
    """What the least of the seeds recovers, where that is plainly less than the first."""
    least = float(recovered.details.get("worst_seed", recovered.value))
    return f" ({_percent(least)} or more)" if least < recovered.value - 0.1 else ""


def _seeds(recovered: Evidence) -> str:
    return f"{len(recovered.seeds)} seeds" if len(recovered.seeds) > 1 else "one seed"


class RacedRule(Rule):
    """A cause that is settled by what its remedies recover in a race."""

    confirming_seeds: ClassVar[int] = CONFIRMING_SEEDS

    def judge(self, reading: Reading) -> Finding:
        """Confirmed by a repeated recovery, suspected by a single one or by signs, cleared by none."""
        if (plain := self.seen(reading)) is not None:
            return self.shown(reading, plain)
        remedies, sign = self.remedies(reading), self.sign(reading)
        raced = [e for ref in remedies if (e := reading.raced(ref)) is not None]
        tried = [e for e in raced if e.measure == "recovered"]
        if not tried:
            return self._untried(reading, remedies, [e for e in raced if e.measure == "not-applicable"], sign)
        best = max(tried, key=telling)
        assert best.remedy is not None, "a race gives evidence of remedies"
        evidence = (best, *self.signs(reading))
        effect, ran = self._effect(reading, best), float(best.details["share_of_training"])
        said = f"{best.remedy} recovers {_percent(best.value)} of the gap after {_percent(ran)} of the training"
        if best.value >= self.needed(reading) and effect >= LEAST_EFFECT * MARGIN:
            if not carries_over(reading, best):
                said = f"{said}, and the validation loss does not fall with it: rows are learned by heart"
                return self.finding(Standing.UNDECIDED, 0.2, said, evidence)
            repeated = len(best.seeds) >= self.confirming_seeds and best.low is not None
            if repeated and best.low is not None and best.low > 0:
                return self.finding(
                    Standing.CONFIRMED,
                    0.5 + 0.3 * min(best.value, 1.0) + 0.1 * sign,
                    f"{said}, on {_seeds(best)}{_at_least(best)}",
                    evidence,
                    (best.remedy,),
                )
            if best.low is not None and best.low <= 0:
                return self._in_doubt(best, said, sign, evidence)
            return self.finding(
                Standing.SUSPECTED, 0.3 + 0.3 * sign, f"{said}: works too, tried on {_seeds(best)}", evidence, (best.remedy,)
            )
        telling_run = ran >= LONG_ENOUGH or (sign < STRONG_SIGN and bool(best.details.get("learned", True)))
        if best.value < CLEARING_SHARE and telling_run:
            worse = "it changes nothing" if best.value > -0.05 else "it makes things worse"
            return self.finding(Standing.CLEARED, 0.9 if ran >= LONG_ENOUGH else 0.6, f"{said}: {worse}", evidence)
        if best.value < CLEARING_SHARE:
            return self.finding(Standing.UNDECIDED, 0.15 + 0.1 * sign, f"{said}: too short a run to clear it", evidence, (best.remedy,))
        if best.value >= self.needed(reading):
            but = _doubt(best) if best.low is not None and best.low <= 0 else "that is too little to call it the cause"
            return self.finding(Standing.UNDECIDED, 0.2, f"{said}, but {but}", evidence, (best.remedy,))
        return self.finding(Standing.UNDECIDED, 0.2 + 0.2 * sign, f"{said}: it helps, but leaves most of the gap", evidence, (best.remedy,))

    def _in_doubt(self, best: Evidence, said: str, sign: float, evidence: tuple[Evidence, ...]) -> Finding:
        """A recovery that other seeds leave open: with the remedy each of them may do well, as some do without it."""
        assert best.remedy is not None, "a race gives evidence of remedies"
        if float(best.details.get("worst_seed", -1.0)) >= CONFIRMING_SHARE:
            said, confidence = f"{said}, and with it every other seed does well, as some do without it", 0.35 + 0.2 * sign
        else:
            said, confidence = f"{said}, but {_doubt(best)}", 0.25 + 0.1 * sign
        return self.finding(Standing.SUSPECTED, confidence, said, evidence, (best.remedy,))

    def needed(self, reading: Reading) -> float:
        """The share of the gap that a remedy must recover to show the cause."""
        return CONFIRMING_SHARE

    def _untried(self, reading: Reading, remedies: tuple[RemedyRef, ...], refused: list[Evidence], sign: float) -> Finding:
        if refused:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, "; ".join(dict.fromkeys(e.text for e in refused)), self.signs(reading))
        if not remedies:
            return self.finding(Standing.CLEARED, 0.8, self.nothing_to_try(reading), self.signs(reading))
        if self.explained(reading):
            return self.finding(Standing.CLEARED, 0.7, self.explained(reading), self.signs(reading))
        if sign >= STRONG_SIGN:
            return self.finding(
                Standing.UNDECIDED,
                0.2 + 0.2 * sign,
                f"signs point to it; its experiment was not run: {why_not_run(reading)}",
                self.signs(reading),
                remedies,
            )
        return self.finding(
            Standing.UNDECIDED,
            0.1,
            f"its experiment was not run: {why_not_run(reading)}",
            self.signs(reading),
        )

    def nothing_to_try(self, reading: Reading) -> str:
        """Why there is nothing to try."""
        return "there is nothing of the kind to change here"

    def explained(self, reading: Reading) -> str:
        """Why no experiment was needed, or an empty string."""
        return ""

    def _effect(self, reading: Reading, evidence: Evidence) -> float:
        """The fall of the loss in shares of the distance: the mean over seeds, where it was repeated."""
        if "mean_effect" in evidence.details:
            return reading.share(float(evidence.details["mean_effect"]))
        after = float(evidence.details["after"])
        return reading.share(float(evidence.details["before"]) - after) if math.isfinite(after) else -math.inf


class FitRule(RacedRule):
    """A cause of a large training loss that lies in the recipe, the data's form or the model's trainability."""

    branch = Branch.OPTIMIZATION
    question = "fit"

    def explained(self, reading: Reading) -> str:
        """Nothing to explain where training got to what is reachable."""
        return "" if reading.training_is_large else "training reaches what is reachable, and no strong sign speaks for it"


class DirectFitRule(FitRule):
    """A cause of a large training loss with a sign of its own: its remedies race only where that sign is seen."""

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """What would cure it."""
        raise NotImplementedError(self.cause)

    def remedies(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """The cures, where the sign is noticeable."""
        return self.cures(reading) if self.sign(reading) >= NOTICEABLE else ()

    def nothing_to_try(self, reading: Reading) -> str:
        """No sign."""
        return "no sign of it"


class CapacityRule(RacedRule):
    """A cause of a large training loss that no recipe cures."""

    branch = Branch.MODEL_BIAS
    question = "capacity"

    def explained(self, reading: Reading) -> str:
        """Nothing to explain where this model gets to what is reachable, by itself or by another recipe."""
        raced = [e for e in reading.evidence if e.experiment == "intervention" and e.measure == "recovered"]
        can = not reading.training_is_large or any(e.value >= CONFIRMING_SHARE for e in raced) or reading.other_seeds >= CONFIRMING_SHARE
        return "the model as it is can get to what is reachable" if can else ""


class GeneralizationRule(RacedRule):
    """A cause of a validation loss above what is reachable."""

    branch = Branch.OVERFITTING
    question = "generalization"

    def judge(self, reading: Reading) -> Finding:
        """Not confirmed by what lowers the training loss as well: that cures the descent, and is no constraint."""
        found = super().judge(reading)
        race = next((e for e in found.evidence if e.measure == "recovered"), None)
        if found.standing is not Standing.CONFIRMED or race is None:
            return found
        fall = reading.share(reading.train - float(race.details.get("train_loss", reading.train)))
        said = f"{found.summary}, but the training loss falls as well, by {_percent(fall)} of the distance: no overfitting"
        return found.replace(standing=Standing.UNDECIDED, confidence=0.2, summary=said) if fall > MARGIN else found

    def explained(self, reading: Reading) -> str:
        """Nothing to explain where validation is where it can be."""
        if reading.training_is_large:
            return "the training loss itself is large: the gap to validation says nothing yet"
        above = max(reading.validation_excess, reading.late_rise) > MARGIN or reading.by_rote
        return "" if above else "validation is at what is reachable"


def _doubt(race: Evidence) -> str:
    """What leaves a recovery open: other seeds, or, where the budget paid for none, the jumps of its own loss."""
    return "not on every seed" if len(race.seeds) > 1 else "the loss jumps by as much from one evaluation to the next"


def _percent(share: float) -> str:
    return f"{share:z.0%}"


def ramp(value: float, none: float, full: float) -> float:
    """0 at ``none``, 1 at ``full``, linear between and flat beyond; 0 for NaN."""
    if math.isnan(value):
        return 0.0
    return min(1.0, max(0.0, (value - none) / (full - none)))


def log_ramp(value: float, none: float, full: float) -> float:
    """As `ramp`, on a logarithmic scale; 0 for values that are not positive."""
    return ramp(math.log(value), math.log(none), math.log(full)) if value > 0 else 0.0


def ratio(value: float, over: float) -> float:
    """Their quotient; NaN where there is none."""
    return value / over if over else math.nan


def why_not_run(reading: Reading) -> str:
    """Why an experiment that could have been made was not: a remedy that other seeds did not refute recovered the gap, or none did."""
    raced = [e for e in reading.evidence if e.experiment == "intervention" and e.measure == "recovered"]
    settled = any(e.value >= RECOVERED and (e.low is None or e.low > 0) for e in raced)
    return "another remedy settled the question" if settled else "the budget ended before it"


def present(*evidence: Evidence | None) -> tuple[Evidence, ...]:
    """Those that were measured."""
    return tuple(item for item in evidence if item is not None)
