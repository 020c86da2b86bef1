"""What the evidence amounts to: the findings ranked, the branch, the path through the flowchart, and one plain sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from traindx.diagnosis.reading import MARGIN, Reading
from traindx.diagnosis.rules import RULES, Rule
from traindx.diagnosis.rules.base import CONFIRMING_SHARE
from traindx.diagnosis.rules.label_shift import proportions_explain
from traindx.diagnosis.rules.preprocessing_mismatch import harm_unknown
from traindx.diagnosis.rules.too_little_data import FEW
from traindx.records import Branch, Evidence, Finding, Standing, Step

# What is less likely than this is not worth suspecting.
LEAST_SUSPICION = 0.25
# What a sign of full strength is worth beside a full recovery, as in the race.
SIGN_WORTH = 0.3
# Causes in the rows that explain the rest: whatever else was found on such rows was found on rows that are wrong.
OF_THE_ROWS = ("non-finite-data", "wrong-labels", "train-test-leakage", "labels-unrelated-to-inputs")

# Causes whose remedies keep a network from being sure of what it has learned by heart.
TEMPERED = ("trained-too-long", "model-too-flexible")

# More rows may be doubled more than once: what two more doublings give, each a little less than the one before, beside what a change of the
# training gives on the rows there are.
DOUBLINGS = 2.5
# Below FEW rows, more of them are missing.
FEW_DOUBLINGS = 6.0
# Images that stand elsewhere contradict the predictions of reference models, which know no places: this much less do they then show.
MOVED_IMAGES = 0.1

_ORDER = {
    s: i for i, s in enumerate((Standing.CONFIRMED, Standing.SUSPECTED, Standing.UNDECIDED, Standing.CLEARED, Standing.NOT_APPLICABLE))
}


class Conclusion(NamedTuple):
    """The answer of a diagnosis."""

    branch: Branch
    sentence: str
    findings: tuple[Finding, ...]
    path: tuple[Step, ...]
    advice: tuple[str, ...]


def conclude(evidence: Sequence[Evidence]) -> Conclusion:
    """Findings of every rule, ranked: settled before suspected, and among equals what explains most of the loss."""
    reading = Reading(evidence)
    findings = _ranked(reading, [_judge(rule, reading) for rule in RULES])
    if findings[0].standing is Standing.CONFIRMED:
        findings = _ranked(reading, [_suspected(f) if f.branch is findings[0].branch else f for f in findings])
    elif reading.troubled:
        findings = _ranked(reading, [_suspected(f) for f in findings])
    branch = _branch(reading, findings)
    return Conclusion(branch, _sentence(reading, branch, findings), findings, _path(reading), _advice(reading, branch, findings))


def _judge(rule: Rule, reading: Reading) -> Finding:
    """The rule's finding; where nothing was trained, or the training raised an error, only what the audit shows."""
    if (reading.asked("baseline") and not reading.raised) or rule.seen(reading) is not None:
        return rule.judge(reading)
    first = "the error that ended the training" if reading.raised else "what the audit shows"
    return rule.finding(Standing.NOT_APPLICABLE, 0.0, f"not looked into: mend first {first}")


def _ranked(reading: Reading, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (_ORDER[f.standing], -weight(reading, f))))


def _suspected(finding: Finding) -> Finding:
    """Where something is wrong, what signs or a partial recovery point to is suspected: beside a cause that is shown, in its branch."""
    points_there = finding.standing is Standing.UNDECIDED and finding.confidence >= LEAST_SUSPICION
    return finding.replace(standing=Standing.SUSPECTED) if points_there else finding


def weight(reading: Reading, finding: Finding) -> float:
    """How much of the trouble a finding explains, in shares of the distance, with its signs and the size of its change."""
    if not reading.asked("baseline"):
        return finding.confidence
    if finding.cause in OF_THE_ROWS:
        return 10 * finding.confidence
    if any(e.measure == "gain_of_naming" for e in finding.evidence):  # a regression on names of classes has no other trouble worth telling
        return 5.0
    if finding.branch is Branch.DEFECT:  # whatever else helps, it helps a network of which a part cannot learn
        return 10 * finding.confidence
    if finding.branch is Branch.MISMATCH:
        return reading.test_harm if math.isfinite(reading.test_harm) else finding.confidence
    if finding.cause == "label-noise" and _shifts_harm(reading):
        return MOVED_IMAGES * finding.confidence
    if finding.branch is Branch.DATA:  # wrong labels come before what learning them by heart looks like, not before a training that fails
        explains = 3.0 if finding.cause == "class-imbalance" else 2.0  # the rows of a rare class look like wrong labels
        if finding.cause == "class-imbalance" and reading.test_harm_is_real and proportions_explain(reading):
            explains = 0.5  # rare in training only: that is a shift
        return finding.confidence * (0.5 if reading.training_is_large else explains)
    # What no function of the inputs can do, no training can, nor other weights of classes.
    if any(e.measure == "pure_error" for e in finding.evidence):
        return 3.5 * finding.confidence
    race = next((e for e in finding.evidence if e.measure == "recovered"), None)
    if race is not None:
        before, reachable = float(race.details["before"]), float(race.details["reachable"])
        if finding.cause in TEMPERED:  # what lies above the constant is overconfidence: to undo that has taught nothing
            before = min(before, max(reading.constant, reachable))
        gap = reading.share(before - reachable)
        # A remedy that cures several causes alike is ascribed to the one that has the signs.
        return gap * (float(race.details["score"]) + SIGN_WORTH * (_sign(reading, finding) - float(race.details["prior"])))
    gain = next((e for e in finding.evidence if e.measure == "gain_of_doubling"), None)
    doublings = FEW_DOUBLINGS if reading.value("audit", "rows") < FEW else DOUBLINGS
    return doublings * reading.share(gain.value) if gain is not None else 0.1 * finding.confidence


def _shifts_harm(reading: Reading) -> bool:
    """Whether moved training images brought the loss down."""
    best = next((e for e in reading.evidence if e.measure == "recovered" and e.remedy is not None and e.remedy.id == "augment"), None)
    return best is not None and best.low is not None and best.low > 0 and best.value >= CONFIRMING_SHARE


def _sign(reading: Reading, finding: Finding) -> float:
    return next(rule.sign(reading) for rule in RULES if rule.cause == finding.cause)


def _branch(reading: Reading, findings: Sequence[Finding]) -> Branch:
    """The branch of the top finding that an experiment speaks for; without one, healthy where nothing is wrong, undecided where something is."""
    top = findings[0]
    if top.standing is Standing.CONFIRMED or (reading.troubled and (_speaks_for(top) or _plainly_overfits(reading, top))):
        return top.branch
    return Branch.UNDECIDED if reading.troubled else Branch.HEALTHY


def _plainly_overfits(reading: Reading, finding: Finding) -> bool:
    """Whether rows were learned by heart and validation is where no reference would leave it, though no remedy was shown to help enough."""
    suspected = finding.standing is Standing.SUSPECTED and finding.branch is Branch.OVERFITTING
    return suspected and reading.memorizes and reading.overfits and not reading.test_harm_is_real


def _speaks_for(finding: Finding) -> bool:
    """Whether a suspicion rests on an intervention that brought the loss most of the way, or on the curvature where nothing did."""
    if finding.standing is not Standing.SUSPECTED:
        return False
    race = next((e for e in finding.evidence if e.measure == "recovered"), None)
    if race is None:  # of the suspicions without one, that of a valley rests on more than signs
        return finding.cause == "local-minimum" and any(e.measure == "answer" for e in finding.evidence)
    return race.value >= CONFIRMING_SHARE


def _sentence(reading: Reading, branch: Branch, findings: Sequence[Finding]) -> str:
    if branch is Branch.HEALTHY:
        said = (
            f"Nothing is wrong: {_ended(reading)} and the validation loss at {reading.validation:.3g}{_beside(reading, reading.validation)}"
        )
        return said + (
            f". Not settled: the test inputs come from elsewhere, and {harm_unknown(reading)}." if _shift_is_suspected(findings) else "."
        )
    top = findings[0]
    if branch is Branch.UNDECIDED:
        return _cannot_tell(reading, top)
    if not reading.asked("baseline"):
        return f"Seen without training: {top.summary}. Cause: {_said(top)}."
    word = "Cause" if top.standing is Standing.CONFIRMED else "Probable cause, not proven"
    told = {Branch.OPTIMIZATION: reading.train, Branch.MODEL_BIAS: reading.train, Branch.OVERFITTING: reading.judged_validation}
    reachable = _beside(reading, told.get(branch, reading.validation))
    trouble = (_VALIDATION if branch is Branch.MISMATCH and _of_validation(top) else _TROUBLE[branch]).format(
        r=reading, ended=_ended(reading), reachable=reachable, test=_tested(reading), divided=_divided(reading)
    )
    return f"{trouble} {word}: {_said(top)}."


def _said(finding: Finding) -> str:
    """The cause in words; "non" keeps its hyphen."""
    return finding.cause.replace("-", " ").replace("non ", "non-")


def _cannot_tell(reading: Reading, top: Finding) -> str:
    if reading.failed:
        ended = reading.find("baseline", "outcome")
        refused = reading.find("audit", "loss_error")
        integers = refused is not None and refused.details.get("only_type_differs")
        hint = " The loss takes class numbers: make the targets integers." if integers else ""
        return f"Cannot tell: the baseline run gave no loss to judge by ({ended.text if ended else 'it was not run'}).{hint}"
    if reading.training_is_large:
        trouble = _ended(reading)
    elif reading.test_harm_is_real:
        trouble = f"the test loss is {reading.test:.3g} against {reading.validation:.3g} in validation"
    else:
        trouble = f"the validation loss ends at {reading.validation:.3g}"
    suspect = f". The first suspect is {_said(top)}" if top.standing is Standing.SUSPECTED else ""
    return f"Cannot tell: {trouble}{_reachable(reading)}, and no experiment showed why{suspect}."


_TROUBLE = {
    Branch.OPTIMIZATION: "This network can do better than its training lets it: {ended}{reachable}.",
    Branch.MODEL_BIAS: "No way of training this network gets it near what is reachable: {ended}{reachable}.",
    Branch.OVERFITTING: "What this network learned does not carry over: training loss {r.train:.3g}, validation loss {r.judged_validation:.3g}{divided}{reachable}.",
    Branch.MISMATCH: "The test set is another world than the training set: validation loss {r.validation:.3g}{test}.",
    Branch.DATA: "The trouble is in the data: {ended}, the validation loss at {r.validation:.3g}{reachable}.",
    Branch.DEFECT: "The training code is wrong: {ended}{reachable}.",
}


# Where the mismatch is one of validation rows that were given apart.
_VALIDATION = "The validation set is another world than the training set: training loss {r.train:.3g}, validation loss {r.validation:.3g}."


def _of_validation(finding: Finding) -> bool:
    return any(e.experiment == "label_map" for e in finding.evidence)


def _ended(reading: Reading) -> str:
    """Where the training got to, as it was measured."""
    return "the training diverged" if reading.broken else f"the training loss ended at {reading.value('baseline', 'train_loss'):.3g}"


def _reachable(reading: Reading) -> str:
    return "" if reading.best_reference is None else f", where {reading.reachable:.3g} is reachable"


def _divided(reading: Reading) -> str:
    """That a validation loss is a mean over divisions, where it is."""
    return "" if math.isnan(reading.value("divisions", "validation_loss")) else " (mean over divisions)"


def _beside(reading: Reading, loss: float) -> str:
    """The same beside a loss that may be lower."""
    if reading.best_reference is None or not loss < reading.reachable:
        return _reachable(reading)
    return f"; the best reference model has {reading.reachable:.3g}"


def _tested(reading: Reading) -> str:
    """The test loss, where there is one."""
    return "" if math.isnan(reading.test) else f", test loss {reading.test:.3g}"


def _shift_is_suspected(findings: Sequence[Finding]) -> bool:
    return any(f.branch is Branch.MISMATCH and f.standing is Standing.SUSPECTED for f in findings)


def _path(reading: Reading) -> tuple[Step, ...]:
    """The questions of the flowchart in order, with their answers."""
    if not reading.asked("baseline"):
        return (Step(question="Does the audit show a plain mistake?", answer="yes", evidence=()),) if reading.asked("audit") else ()
    if reading.raised:
        ended = reading.find("baseline", "outcome")
        return (Step(question="Does the training run?", answer="no", evidence=(ended,) if ended else ()),)
    losses = tuple(
        e
        for e in (reading.find("baseline", "train_loss"), reading.find("baseline", "validation_loss"), reading.best_reference)
        if e is not None
    )
    large = reading.training_is_large
    excess = "" if math.isnan(reading.fit_excess) else f" ({reading.fit_excess:+.0%} of the distance from reachable to constant)"
    steps = [Step(question="Is the training loss large?", answer=f"{'yes' if large else 'no'}{excess}", evidence=losses)]
    if large:
        return tuple(steps)
    worse = max(reading.validation_excess, reading.late_rise)
    steps.append(
        Step(
            question="Does validation end above what is reachable?",
            answer=f"{'yes' if worse > MARGIN else 'no'} ({worse:+.0%}){_and_training(reading, worse)}",
            evidence=losses[1:],
        )
    )
    test = reading.find("two_sample", "test_loss")
    if test is not None:
        steps.append(
            Step(
                question="Is the test loss worse than validation?",
                answer=f"{'yes' if reading.test_harm_is_real else 'no'} ({reading.test_harm:+.0%})",
                evidence=(test,),
            )
        )
    return tuple(steps)


def _and_training(reading: Reading, worse: float) -> str:
    """The gap to training, where it is what the findings are about."""
    gap = reading.generalization_gap
    return f", but {gap:+.0%} above training" if gap > 2 * MARGIN and worse <= MARGIN else ""


def _advice(reading: Reading, branch: Branch, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What would still gain a little, and what is worth knowing, on a healthy training."""
    if branch is not Branch.HEALTHY:
        return ()
    advice = []
    if not reading.references_beat_constant and reading.best_reference is not None:
        advice.append("No reference model beats the constant predictor: these inputs may say little about the target.")
    if 0.3 * MARGIN < reading.late_rise <= MARGIN:
        advice.append(
            f"The validation loss was lowest at step {reading.sign('lowest_validation_step'):.0f}: stopping there would gain {reading.late_rise:.0%} of the distance."
        )
    gain = reading.find("learning_curve", "gain_of_doubling")
    if gain is not None and 0 < reading.share(gain.value) < MARGIN:
        advice.append(f"Twice the rows may lower the validation loss by about {gain.value:.2g}.")
    harmless = [f for f in findings if f.branch is Branch.MISMATCH and f.standing is Standing.CLEARED and "no harm" in f.summary]
    advice += [f"{f.cause.replace('-', ' ').capitalize()}: {f.summary}." for f in harmless]
    return tuple(advice)
