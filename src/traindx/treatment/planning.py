"""What a treatment applies: remedies that the diagnosis confirmed, then what else lowers the validation loss, while budget and room are left.

Three steps, each on the repeats of `verification.CHOOSING`, whose seeds play no part in the verification: confirmed remedies, the top
finding's first; a greedy selection among candidates of the diagnosed branch; a search over the numbers that matter on it. The test set is
never asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from traindx.diagnosis.reading import Reading
from traindx.experiments import Lab
from traindx.experiments.verification import helps
from traindx.records import Branch, Diagnosis, NotApplicable, Run, Standing
from traindx.remedies import BalanceClasses, SetSchedule
from traindx.treatment.averaging import averaged
from traindx.treatment.candidates import CANDIDATES, NUMBERS, Number
from traindx.treatment.choosing import Choosing, Remedies
from traindx.treatment.search import search
from traindx.treatment.selection import select

# What is chosen already is trained on every repeat to compare with: worth it where at least two candidates can follow.
LEAST_CHOICE = 3
# A training loss below this share of the validation loss: what keeps a network from learning by heart is tried first.
BY_HEART = 0.8


def plan(lab: Lab, diagnosis: Diagnosis, seconds: float | None = None) -> list[Remedies]:
    """Remedies to be verified, the best that was found first; what to fall back on behind it. Empty where nothing helps.

    Args:
        lab: of the task and recipe that were diagnosed; its budget covers choosing and verification.
        diagnosis: whose findings and branch say what to try.
        seconds: of the lab's clock, after which nothing further is chosen.

    """
    chosen = confirmed(lab, diagnosis, seconds)
    further = _further(Choosing(lab, seconds, fallback=chosen), diagnosis, chosen)
    return [remedies for remedies in dict.fromkeys((further, chosen)) if remedies]


def confirmed(lab: Lab, diagnosis: Diagnosis, seconds: float | None) -> Remedies:
    """The top finding's first remedy that applies, then of the other confirmed ones those that help on top of what is chosen."""
    chosen: Remedies = ()
    for remedy in dict.fromkeys(r for f in diagnosis.findings if f.standing is Standing.CONFIRMED for r in f.remedies):
        if chosen and seconds is not None and lab.spending.seconds > seconds:
            break
        try:
            lab.job(*chosen, remedy)
            helpful = not chosen or helps(lab, chosen, remedy)
        except NotApplicable:
            continue
        chosen = (*chosen, remedy) if helpful else chosen
    return chosen


def validation_decides(diagnosis: Diagnosis, chosen: Remedies) -> bool:
    """Whether a lower validation loss is what is wanted: not where rows come from elsewhere, labels are wrong, or rare classes matter most."""
    wrong_labels = any(f.cause == "label-noise" and f.standing is Standing.CONFIRMED for f in diagnosis.findings)
    return diagnosis.branch is not Branch.MISMATCH and not wrong_labels and all(r.id != BalanceClasses.id for r in chosen)


def _further(choosing: Choosing, diagnosis: Diagnosis, chosen: Remedies) -> Remedies:
    """What is chosen, and what lowers the validation loss on top of it; as it was where that cannot be paid."""
    if not validation_decides(diagnosis, chosen) or choosing.left(chosen) < LEAST_CHOICE * choosing.cost(chosen):
        return chosen
    try:
        runs = choosing.runs(chosen, "before further remedies" if chosen else "before any remedy")
    except NotApplicable:  # to the rows of another division: there is nothing to compare with
        return chosen
    branch, score = branch_of(diagnosis, runs), choosing.score(chosen, "before")
    candidates = _candidates(choosing.lab, diagnosis, branch)
    selected, score = select(choosing, candidates, chosen, score)
    now = branch_of(diagnosis, choosing.runs(selected, "so far"))
    if now is not branch:
        further = [refs for refs in _candidates(choosing.lab, diagnosis, now) if refs not in candidates]
        selected, score = select(choosing, further, selected, score)
    several = averaged(choosing, selected)
    if several != selected:
        return several
    numbers = _applicable(choosing.lab, selected, NUMBERS[now])
    found = search(choosing, selected, score, numbers, choosing.lab.recipe.seed) if numbers else selected
    return _without_the_idle(choosing, selected, found)


def _candidates(lab: Lab, diagnosis: Diagnosis, branch: Branch) -> list[Remedies]:
    """Those of the branch where it stands now, then of the diagnosed one; without what was raced already and seen to be of no use."""
    reading = Reading(diagnosis.evidence)
    there = SetSchedule(lab.recipe.schedule)
    both = [tuple(r.ref for r in candidate if r != there) for candidate in (*CANDIDATES[branch], *CANDIDATES[diagnosis.branch])]
    listed: list[Remedies] = [refs for refs in dict.fromkeys(both) if refs]
    raced = {refs: [found.value for ref in refs if (found := reading.raced(ref)) is not None] for refs in listed}
    return [refs for refs in listed if len(raced[refs]) < len(refs) or max(raced[refs]) > 0]


def _without_the_idle(choosing: Choosing, selected: Remedies, found: Remedies) -> Remedies:
    """What the search found, without those of its numbers that are of no use on average; as far as it can be paid."""
    for ref in (ref for ref in found if ref not in selected):
        fewer = tuple(other for other in found if other != ref)
        if fewer in ((), selected) or choosing.cost(fewer) > choosing.left(found):
            continue
        if choosing.score(fewer, f"without {ref}").mean <= choosing.score(found, "found").mean:
            found = fewer
    return found


def branch_of(diagnosis: Diagnosis, runs: Sequence[Run]) -> Branch:
    """Where these trainings stand now: a cure of the descent may leave a training that learns its rows by heart."""
    train, validation = (float(np.mean([run.last(name) for run in runs])) for name in ("train_loss", "validation_loss"))
    return Branch.OVERFITTING if validation - train > (1 - BY_HEART) * abs(validation) else diagnosis.branch


def _applicable(lab: Lab, chosen: Remedies, numbers: tuple[Number, ...]) -> tuple[Number, ...]:
    """Those whose remedy can be applied on top of what is chosen."""
    kept = []
    for number in numbers:
        low, high = number.within(chosen)
        try:
            lab.job(*(r for r in chosen if r.id != number.remedy), number.ref((low * high) ** 0.5))
        except NotApplicable:
            continue
        kept.append(number)
    return tuple(kept)
