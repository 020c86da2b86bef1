"""What a treatment applies: remedies that the diagnosis confirmed, then what else lowers the validation loss, while budget and room are left.

Three steps, each on the seeds and divisions of `verification.CHOOSING`, which play no part in the verification: confirmed remedies, the top
finding's first; candidates of the diagnosed branch, one on top of the other; a search over the numbers that matter on it. The test set is
never asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from traindx.diagnosis.reading import Reading
from traindx.experiments import Lab
from traindx.experiments.verification import final_loss, helps
from traindx.records import Branch, Diagnosis, NotApplicable, Run, Standing
from traindx.remedies import BalanceClasses
from traindx.treatment.candidates import CANDIDATES, NUMBERS, Number, in_order
from traindx.treatment.choosing import Choosing, Remedies
from traindx.treatment.search import search

# What candidates may take of what is left for choosing; the rest is for the search.
CANDIDATES_SHARE = 0.5
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
    """What is chosen, and what lowers the validation loss on top of it; as it was where that cannot be paid.

    A healthy training that reaches on every repeat what the references do is left alone.
    """
    if not validation_decides(diagnosis, chosen) or choosing.left(chosen) < LEAST_CHOICE * choosing.cost(chosen):
        return chosen
    runs = choosing.runs(chosen, "before further remedies" if chosen else "before any remedy")
    losses = [final_loss(run) for run in runs]
    if diagnosis.healthy and max(losses) <= Reading(diagnosis.evidence).reachable:
        return chosen
    branch = branch_of(diagnosis, runs)
    chosen, losses = _with_candidates(choosing, diagnosis, branch, chosen, losses)
    numbers = _applicable(choosing.lab, chosen, NUMBERS[branch])
    found = search(choosing, chosen, losses, numbers, choosing.lab.recipe.seed) if numbers else chosen
    return _without_the_idle(choosing, chosen, found)


def _without_the_idle(choosing: Choosing, chosen: Remedies, found: Remedies) -> Remedies:
    """What the search found, without those of its numbers that can be left out on every repeat; as far as it can be paid."""
    for ref in (ref for ref in found if ref not in chosen):
        fewer = tuple(other for other in found if other != ref)
        if fewer in ((), chosen) or choosing.cost(fewer) > choosing.left(found):
            continue
        losses = [final_loss(run) for run in choosing.runs(found, "found")]
        if choosing.nowhere_above(fewer, losses, f"without {ref}") is not None:
            found = fewer
    return found


def branch_of(diagnosis: Diagnosis, runs: Sequence[Run]) -> Branch:
    """Where these trainings stand now: a cure of the descent may leave a training that learns its rows by heart."""
    train, validation = (float(np.mean([run.last(name) for run in runs])) for name in ("train_loss", "validation_loss"))
    return Branch.OVERFITTING if train < BY_HEART * validation else diagnosis.branch


def _with_candidates(
    choosing: Choosing, diagnosis: Diagnosis, branch: Branch, chosen: Remedies, losses: list[float]
) -> tuple[Remedies, list[float]]:
    """What is chosen with every candidate that lowers its loss on each repeat, and the losses; one candidate after another."""
    reading, begun, budget = Reading(diagnosis.evidence), choosing.lab.spending.runs, CANDIDATES_SHARE * choosing.left(chosen)
    for refs in (tuple(remedy.ref for remedy in candidate) for candidate in CANDIDATES[branch]):
        raced = [found.value for ref in refs if (found := reading.raced(ref)) is not None]
        if {ref.id for ref in refs} & {ref.id for ref in chosen} or (len(raced) == len(refs) and max(raced) <= 0):
            continue
        together = in_order((*chosen, *refs))
        try:
            cost = choosing.cost(together)
            if choosing.lab.spending.runs - begun + cost > budget or cost > choosing.left(together):
                continue
            better = choosing.improved(together, losses, f"{', '.join(map(str, refs))} on top")
        except NotApplicable:
            continue
        if better is not None:
            chosen, losses = together, better
    return chosen, losses


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
