"""The flowchart: which question comes next, and what is concluded when none is left.

The order is the guide's. Look at the training loss first; only when it is small ask about validation, and about the test set. Data causes
are looked for on every path. Every question names the experiment that answers it; the cheapest that is still missing comes next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules import RULES, Rule
from traindx.diagnosis.rules.base import CONFIRMING_SHARE, NOTICEABLE, RECOVERED, STRONG_SIGN, carries_over
from traindx.diagnosis.rules.class_imbalance import imbalanced
from traindx.diagnosis.rules.label_noise import LEAST_DISTANCE, error_distance
from traindx.records import Evidence, Question, RemedyRef, Standing

# An intervention that lowers a loss which no yardstick calls large must do so by this share of the distance.
HIDDEN_MARGIN = 0.1
# Where a sign is direct (stronger than any symptom), a smaller effect is worth telling.
DIRECT_SIGN, DIRECT_MARGIN = 0.8, 0.05
# Where this share of a small validation loss is less than that, it is enough of an effect for a strong sign of a missing decay.
OF_LOSS = 0.3
# Targets of a regression with so many different whole numbers may be names of classes.
FEWEST_CLASSES, MOST_CLASSES = 3, 30
# Where hardly anything was learned, anything may be tried, and what helps must take off this share of what the constant predictor pays.
LEARNING = 0.1
# Nearly every training gains a little by going on, so more is asked of that.
LONGER_MARGIN = 0.2
# Below this many training rows, one validation set says little: the baseline is repeated on others on a share DOUBTFUL of MARGIN, or where
# it learned its rows by heart.
SMALL_SET, DOUBTFUL = 1000, 0.3
# Divisions of the rows, each with a seed of its own, that a finding of overfitting rests on.
DIVISIONS = 3
# Curvature of a larger network takes longer than the trainings that it could spare.
MOST_PARAMETERS = 200_000
# Another start that is ahead by this share of the gap at half of the training may yet get there.
LEAST_REACH = 0.05
# Below this many training rows the learning curve comes before constraints.
FEW_ROWS = 130
# What each of them must gain, in shares of MARGIN, for a remedy to be confirmed.
LEAST_EFFECT = 0.3

# A rule with its sign and what it would try.
Suspect: TypeAlias = tuple[float, Rule, tuple[RemedyRef, ...]]


def next_question(evidence: Sequence[Evidence], runs_left: float) -> Question | None:
    """What to ask next, or None when the flowchart is walked through or the budget (in baseline runs) is spent."""
    reading = Reading(evidence)
    if reading.asked("audit") and seen_plainly(reading):
        return None
    for experiment in ("audit", "baseline", "references", "label_noise"):
        if not reading.asked(experiment):
            return Question(experiment=experiment)
    if rows_explain(reading):
        return None
    for ask in (
        _recoding,
        _relation,
        _class_index,
        _class_balance,
        *_recipe_or_length(reading),
        _class_balance,
        *_by_sign(reading),
        _critical_point,
        _restarts,
        _test,
        _labels,
        _divisions,
        _consistency,
        *_constraints_and_curve(reading),
        _late_by_heart,
        _last_look,
    ):
        question = ask(reading)
        if question is not None and _cost(question) <= runs_left:
            return question
    return None


def seen_plainly(reading: Reading) -> bool:
    """Whether the audit alone settles a cause: no training is needed then."""
    return any(rule.seen(reading) is not None for rule in RULES)


def rows_explain(reading: Reading) -> bool:
    """Whether reference models have shown that labels are wrong, unrelated to the inputs, or taken for quantities: to train says no more."""
    asked = any(reading.asked(experiment) for experiment in ("label_map", "relation", "class_index"))
    settled = ("wrong-labels", "labels-unrelated-to-inputs", "wrong-loss", "label-noise", "preprocessing-mismatch")
    return (
        asked
        and not reading.asked("intervention")
        and any(rule.judge(reading).standing is Standing.CONFIRMED for rule in RULES if rule.cause in settled)
    )


def _recoding(reading: Reading) -> Question | None:
    """Validation rows given apart: do their labels mean what the training labels mean?"""
    if reading.value("audit", "validation_given") != 1 or reading.asked("label_map"):
        return None
    return Question(experiment="label_map")


def _class_balance(reading: Reading) -> Question | None:
    """A rare class: is it learned, and if not, would it be were it drawn more often? What trains badly learns rare classes last."""
    if imbalanced(reading) is None or reading.broken or reading.asked("class_balance"):
        return None
    if reading.training_is_large and (not reading.asked("intervention") or _settled(reading, "fit")):
        return None
    return Question(experiment="class_balance")


def _relation(reading: Reading) -> Question | None:
    """Do the labels have anything to do with the inputs, or more with those of the row before?"""
    if reading.best_reference is None or reading.asked("relation"):
        return None
    return Question(experiment="relation")


def _class_index(reading: Reading) -> Question | None:
    """Few whole numbers as targets of a regression: are they names of classes?"""
    if not FEWEST_CLASSES <= reading.value("audit", "whole_targets") <= MOST_CLASSES or reading.asked("class_index"):
        return None
    return Question(experiment="class_index")


def _cost(question: Question) -> float:
    """The least that a question costs, in baseline runs."""
    return {
        "learning_curve": 1.0,
        "divisions": 2.0,
        "two_sample": 0.0,
        "label_map": 0.0,
        "class_balance": 0.0,
        "relation": 0.0,
        "class_index": 0.0,
        "consistency": 0.0,
    }.get(question.experiment, 1.0)


def _recipe_or_length(reading: Reading) -> list[Callable[[Reading], Question | None]]:
    """What could make the model train; a longer training before that, where its sign alone is direct."""
    longer, recipe = (max((s[0] for s in suspects(reading, q)), default=0.0) for q in ("time", "fit"))
    return [_longer, _fit] if reading.training_is_large and longer >= DIRECT_SIGN > recipe else [_fit]


def _by_sign(reading: Reading) -> list[Callable[[Reading], Question | None]]:
    """A decay of the rate, a longer training, a larger model: the one with the strongest sign first."""
    asks = {"late": _late, "time": _longer, "capacity": _capacity}
    strongest = {q: max((s[0] for s in suspects(reading, q)), default=0.0) for q in asks}
    return [asks[q] for q in sorted(asks, key=lambda q: -strongest[q])]


def suspects(reading: Reading, question: str, least_sign: float = 0.0) -> list[Suspect]:
    """Rules under this question with what they would try, the strongest sign first."""
    found = [(rule.sign(reading), rule, rule.remedies(reading)) for rule in RULES if rule.question == question]
    return sorted((s for s in found if s[2] and s[0] >= least_sign), key=lambda s: -s[0])


def _race(
    reading: Reading, remedies: dict[RemedyRef, float], quantity: str, before: float, goal: float, **params: float | bool
) -> Question | None:
    fresh = {ref: prior for ref, prior in remedies.items() if reading.raced(ref) is None}
    if not fresh or not before - goal > 0:
        return None
    return Question(
        experiment="intervention",
        remedies=tuple(fresh),
        priors=tuple(round(prior, 3) for prior in fresh.values()),
        params={
            "quantity": quantity,
            "before": before,
            "goal": goal,
            "ceiling": max(before, 1.0 if quantity == "validation_error" else reading.constant),
            **params,
        },
    )


def _recoveries(reading: Reading, question: str) -> list[Evidence]:
    raced = [e for _, _, refs in suspects(reading, question) for ref in refs if (e := reading.raced(ref)) is not None]
    return [e for e in raced if e.measure == "recovered" and carries_over(reading, e)]


def _best_recovery(reading: Reading, question: str) -> float:
    """The most that a remedy under this question recovered, unless other seeds refuted it."""
    return max((e.value for e in _recoveries(reading, question) if e.low is None or e.low > 0), default=-math.inf)


def _settled(reading: Reading, question: str) -> bool:
    """Whether a remedy under this question recovered the gap on every seed."""
    return any(e.value >= CONFIRMING_SHARE and e.low is not None and e.low > 0 for e in _recoveries(reading, question))


def _refs(found: list[Suspect]) -> dict[RemedyRef, float]:
    return {ref: sign for sign, _, refs in reversed(found) for ref in refs}


def fit_goal(reading: Reading) -> float:
    """The training loss that the reference models show to be possible; half of the constant's where there are none."""
    return reading.reachable if reading.best_reference is not None and reading.references_beat_constant else 0.5 * reading.constant


def _fit(reading: Reading) -> Question | None:
    """Training is large: race what could make this model train. Not large, but strong signs: race these alone, on the validation loss.

    Where rows were learned by heart, training them better is no remedy, and symptoms are not worth the budget.
    """
    if reading.training_is_large and _settled(reading, "time"):
        return None
    if reading.training_is_large:
        return _race(reading, _refs(suspects(reading, "fit")), "train_loss", reading.train, fit_goal(reading))
    if reading.hardly_learned:
        return _hidden(reading, DIRECT_SIGN, DIRECT_MARGIN) or _learns(reading, suspects(reading, "fit", NOTICEABLE))
    return _hidden(reading, DIRECT_SIGN, DIRECT_MARGIN) or (
        None if _settled(reading, "fit") or reading.memorizes else _hidden(reading, STRONG_SIGN, HIDDEN_MARGIN)
    )


def _hidden(reading: Reading, least_sign: float, margin: float) -> Question | None:
    """A race of the suspects with signs at least as strong, for an effect of the margin on the validation loss."""
    refs = _refs(suspects(reading, "fit", least_sign))
    if reading.memorizes:  # batches of another size are dear to try, and training needs no more updates but where it had a handful
        refs = {ref: sign for ref, sign in refs.items() if ref.id != "scale-batch" or sign >= DIRECT_SIGN}
    goal = hidden_goal(reading, margin)
    return _race(reading, refs, "validation_loss", hidden_before(reading), goal, worth_repeating=CONFIRMING_SHARE)


def _learns(reading: Reading, found: list[Suspect], **params: float | bool) -> Question | None:
    """Hardly anything was learned, by anybody: does the network learn with one of these remedies? Validation rows tell, as rote is no learning."""
    if _explained_by_any(reading):
        return None
    before = min(reading.validation, reading.constant)
    goal = before - LEARNING / CONFIRMING_SHARE * reading.level
    return _race(reading, _refs(found), "validation_loss", before, goal, worth_repeating=CONFIRMING_SHARE, **params)


def hidden_goal(reading: Reading, margin: float = HIDDEN_MARGIN) -> float:
    """Below the validation loss by twice the margin: to recover half of this gap is an effect of the margin."""
    return hidden_before(reading) - 2 * margin * reading.distance


def hidden_before(reading: Reading) -> float:
    """Where the validation loss ended; the constant predictor's at most where no reference beats that: to learn to say nothing is no cure."""
    return (
        reading.validation
        if reading.references_beat_constant or reading.best_reference is None
        else min(reading.validation, reading.constant)
    )


def _late(reading: Reading) -> Question | None:
    """What acts at the end of a training only: its runs are as long as the training."""
    return None if _by_heart(reading) else _decay(reading, NOTICEABLE if reading.training_is_large else STRONG_SIGN)


def _late_by_heart(reading: Reading) -> Question | None:
    """The same on a direct sign where rows were learned by heart; last, since whatever lets such a network forget lowers its validation loss."""
    return _decay(reading, DIRECT_SIGN) if _by_heart(reading) and not _settled(reading, "generalization") else None


def _by_heart(reading: Reading) -> bool:
    return reading.overfits or reading.memorizes


def _decay(reading: Reading, least: float) -> Question | None:
    found = suspects(reading, "late", least)
    direct = bool(found) and found[0][0] >= DIRECT_SIGN
    if not found or _best_recovery(reading, "fit") >= (RECOVERED if direct else CONFIRMING_SHARE):
        return None
    if reading.training_is_large:
        return _race(reading, _refs(found), "train_loss", reading.train, fit_goal(reading), first_heat=2)
    goal = hidden_goal(reading, DIRECT_MARGIN if direct else _margin_of_a_small_loss(reading))
    return _race(reading, _refs(found), "validation_loss", hidden_before(reading), goal, first_heat=2)


def _margin_of_a_small_loss(reading: Reading) -> float:
    """Between the two margins a share of the validation loss; of losses that may be negative, a share is nothing."""
    ended = hidden_before(reading) - reading.least
    if min(ended, reading.train - reading.least) <= 0:
        return HIDDEN_MARGIN
    return min(HIDDEN_MARGIN, max(DIRECT_MARGIN, OF_LOSS * reading.share(ended)))


def _last_look(reading: Reading) -> Question | None:
    """Nothing looks wrong: but what references reach is no bound. Whatever a sign points to, weak ones too, is tried on the validation loss."""
    found = _explained_by_any(reading) or _explained(reading) or reading.test_harm_is_real
    if reading.training_is_large or _by_heart(reading) or found:
        return None
    return _hidden(reading, NOTICEABLE, HIDDEN_MARGIN)


def _longer(reading: Reading) -> Question | None:
    """Still falling: train longer, unless another remedy has already recovered the gap and signs do not insist."""
    found = suspects(reading, "time", 0.1 if reading.training_is_large or reading.hardly_learned else STRONG_SIGN)
    if not found:
        return None
    if reading.hardly_learned:
        return _learns(reading, found, first_heat=2, goes_on=True)
    if not reading.training_is_large:
        return _race(
            reading,
            _refs(found),
            "validation_loss",
            hidden_before(reading),
            hidden_goal(reading, LONGER_MARGIN),
            first_heat=2,
            goes_on=True,
        )
    if _settled(reading, "fit"):
        return None
    explained = max(_best_recovery(reading, "fit"), _best_recovery(reading, "capacity"))
    if explained >= CONFIRMING_SHARE and found[0][0] < STRONG_SIGN:
        return None
    return _race(reading, _refs(found), "train_loss", reading.train, fit_goal(reading), first_heat=2, goes_on=True)


def _capacity(reading: Reading) -> Question | None:
    """No recipe brought this model to what is reachable: give it more room. New layers learn later, so the first heat is half of the training."""
    if reading.hardly_learned:
        return _learns(reading, suspects(reading, "capacity"), first_heat=1)
    if (
        not reading.training_is_large
        or reading.broken
        or max(_best_recovery(reading, "fit"), _best_recovery(reading, "time"), reading.other_seeds) >= CONFIRMING_SHARE
    ):
        return None
    return _race(reading, _refs(suspects(reading, "capacity")), "train_loss", reading.train, fit_goal(reading), first_heat=1)


def _critical_point(reading: Reading) -> Question | None:
    """Nothing lowered the training loss: is this a saddle, from which curvature shows the way? A saddle asks for a race off it."""
    if not reading.training_is_large or reading.broken or _explained_by_any(reading):
        return None
    if not reading.asked("critical_point"):
        small = reading.value("audit", "parameters") <= MOST_PARAMETERS
        return Question(experiment="critical_point") if small else None
    return _fit(reading)


def _explained_by_any(reading: Reading) -> bool:
    return max(_best_recovery(reading, question) for question in ("fit", "late", "time", "capacity")) >= CONFIRMING_SHARE


def _restarts(reading: Reading) -> Question | None:
    """Nothing lowered the training loss: does another start?"""
    refs = {ref: 0.0 for _, _, found in suspects(reading, "restarts") for ref in found}
    if not reading.training_is_large or reading.broken or _explained_by_any(reading):
        return None
    return _race(reading, refs, "train_loss", reading.train, fit_goal(reading), first_heat=1, reach=LEAST_REACH, one_by_one=True, repeats=0)


def _test(reading: Reading) -> Question | None:
    """Open the test set only when training is not large, or nothing has shown why it is: before that it says nothing."""
    if reading.asked("two_sample") or (reading.training_is_large and not _unexplained(reading)):
        return None
    return Question(experiment="two_sample")


def _unexplained(reading: Reading) -> bool:
    """Whether everything was tried that may show why the training loss is large, and nothing came near."""
    helped = _explained_by_any(reading) or reading.other_seeds >= CONFIRMING_SHARE
    open_questions = (_fit, _longer, _late, _capacity, _critical_point, _restarts)
    return not reading.broken and not helped and not any(ask(reading) is not None for ask in open_questions)


def _labels(reading: Reading) -> Question | None:
    """Labels contradicted where predictions are surest: train without them, and count wrong validation rows."""
    found = [s for s in suspects(reading, "labels", STRONG_SIGN) if s[1].judge(reading).standing is not Standing.CONFIRMED]
    error = 1 - reading.value("baseline", "validation_metric")
    distance = error_distance(reading)
    if reading.training_is_large or not found or not distance >= LEAST_DISTANCE:
        return None
    return _race(reading, _refs(found), "validation_error", error, error - 2 * MARGIN * distance, first_heat=2, refold=True)


def _divisions(reading: Reading) -> Question | None:
    """Overfitting suspected, or few rows learned by heart: the baseline on other divisions, from which early stopping is read as well."""
    if reading.asked("divisions") or reading.training_is_large or _explained(reading):
        return None
    rows = reading.value("audit", "rows")
    doubtful = rows < SMALL_SET and (reading.memorizes or max(reading.validation_excess, reading.late_rise) > DOUBTFUL * MARGIN)
    if not reading.overfits and not reading.by_rote and not doubtful:
        return None
    rule = next(rule for rule in RULES if rule.cause == "trained-too-long")
    refs = {ref: rule.sign(reading) for ref in rule.remedies(reading)}
    return Question(
        experiment="divisions",
        remedies=tuple(refs),
        priors=tuple(round(prior, 3) for prior in refs.values()),
        params={"repeats": DIVISIONS, "goal": reading.floor, "least": LEAST_EFFECT * MARGIN * reading.distance},
    )


def _constraints_and_curve(reading: Reading) -> list[Callable[[Reading], Question | None]]:
    """Constraints and the learning curve; the curve first where rows are few."""
    return [_learning_curve, _constraints] if reading.value("audit", "rows") < FEW_ROWS else [_constraints, _learning_curve]


def _explained(reading: Reading) -> bool:
    """Whether another question has already settled why validation is what it is."""
    return any(_settled(reading, question) for question in ("fit", "labels"))


def _consistency(reading: Reading) -> Question | None:
    """Images: do small shifts change the predictions?"""
    if reading.asked("consistency") or not reading.asked("divisions") or not (reading.overfits or reading.memorizes):
        return None
    return Question(experiment="consistency")


def _constraints(reading: Reading) -> Question | None:
    """Validation ends above what is reachable, and stopping early does not bring it there: constrain the model."""
    if (
        not reading.asked("divisions")
        or any("least_effect" in e.details and e.remedy is not None and e.remedy.id != "stop-early" for e in reading.evidence)
        or _explained(reading)
    ):
        return None
    found = [(sign, rule, refs) for sign, rule, refs in suspects(reading, "generalization") if rule.cause != "trained-too-long"]
    shifts = any(rule.cause == "missing-augmentation" and sign >= STRONG_SIGN for sign, rule, _ in found)
    left = reading.share(reading.lowest_validation - reading.reachable)
    if not (reading.overfits or reading.by_rote) or (_settled(reading, "generalization") and not left > MARGIN):
        if not shifts or reading.generalization_gap <= MARGIN:
            return None
        found = [s for s in found if s[1].cause == "missing-augmentation"]
    fresh = {ref: prior for ref, prior in _refs(found).items() if reading.raced(ref) is None}
    if not fresh:
        return None
    # To recover half of the gap is an effect of half of MARGIN where validation is above what is reachable, of all of it where it is not.
    gap = max(reading.judged_validation - reading.floor, (1 if reading.overfits else 2) * MARGIN * reading.distance)
    return Question(
        experiment="constraints",
        remedies=tuple(fresh),
        priors=tuple(round(prior, 3) for prior in fresh.values()),
        params={
            "repeats": DIVISIONS,
            "gap": gap,
            "least": LEAST_EFFECT * MARGIN * reading.distance,
            "stopping": _settled(reading, "generalization"),
        },
    )


def _learning_curve(reading: Reading) -> Question | None:
    """A gap between training and validation: would more rows close it?"""
    if reading.asked("learning_curve") or not reading.asked("divisions") or _explained(reading):
        return None
    if reading.training_is_large or reading.generalization_gap <= 2 * MARGIN or not (reading.overfits or reading.leaves_much):
        return None
    return Question(experiment="learning_curve", params={"repeats": DIVISIONS})
