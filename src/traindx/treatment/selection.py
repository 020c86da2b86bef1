"""Greedy forward selection: of what may help on a branch, the best is taken, then the best on top of it, until nothing helps.

A round tries every candidate on one repeat, as far as it can be paid, and the best few on the others: most candidates cost one training.
"""

from __future__ import annotations

from collections.abc import Sequence

from traindx.experiments.verification import CHOOSING
from traindx.records import NotApplicable
from traindx.treatment.candidates import on_top
from traindx.treatment.choosing import WORTH, Choosing, Remedies, Score

# What the selection may take of what is left for choosing; the rest is for the search over numbers.
SHARE = 0.7
# So many of the candidates that help on the first repeat are tried on the others.
FINALISTS = 2
# A round takes half of what there is for the selection, or so many baseline runs: later rounds build on what it finds.
ROUND = 8.0


def select(choosing: Choosing, candidates: Sequence[Remedies], chosen: Remedies, known: Score) -> tuple[Remedies, Score]:
    """What is chosen with the candidates that make it better, and its score; ``known`` is that without them.

    A candidate that does not help on one repeat of a round is not tried again; one that the round could not pay is. Cost: a training a
    candidate, and one for every further repeat of the best of a round.
    """
    purse, before = choosing.lab.spending.runs + SHARE * choosing.left(chosen), -1.0
    while candidates and (spent := choosing.lab.spending.runs) > before:
        before = spent
        helpful, later = _helpful_once(choosing, candidates, chosen, known.losses[0], min(purse, spent + max(ROUND, (purse - spent) / 2)))
        scores = _scores(choosing, [on_top(chosen, refs) for refs in helpful[:FINALISTS]], purse)
        better = [plan for plan, score in scores.items() if score.better(known)]
        if better:
            chosen = min(better, key=lambda plan: scores[plan].mean)
            known = scores[chosen]
        candidates = [refs for refs in (*(helpful if better else helpful[FINALISTS:]), *later) if on_top(chosen, refs) != chosen]
    return chosen, known


def _scores(choosing: Choosing, plans: Sequence[Remedies], purse: float) -> dict[Remedies, Score]:
    """What these reach on every repeat, as far as it can be paid."""
    scores: dict[Remedies, Score] = {}
    for plan in plans:
        if _rest(choosing, plan) > min(_left(choosing, plan, *scores), purse - choosing.lab.spending.runs):
            continue
        try:
            scores[plan] = choosing.score(plan, _stage(plan))
        except NotApplicable:  # to the rows of another division
            continue
    return scores


def _helpful_once(
    choosing: Choosing, candidates: Sequence[Remedies], chosen: Remedies, known: float, purse: float
) -> tuple[list[Remedies], list[Remedies]]:
    """Those that are below the ``known`` loss on the first repeat, the best first; and those that cannot be paid.

    What the other repeats of the best will cost is kept back, where it is worth it: what costs more must help more.
    """
    alone = choosing.cost(chosen) / len(CHOOSING)
    helpful: dict[Remedies, float] = {}
    worth, later = list[Remedies](), list[Remedies]()
    for refs in candidates:
        plan = on_top(chosen, refs)
        try:
            once = choosing.cost(plan) / len(CHOOSING)
            least: Remedies = min(worth, key=lambda refs: helpful[refs], default=refs)
            best = on_top(chosen, least)
            rest = max(_rest(choosing, plan), _rest(choosing, best))
            if once > min(_left(choosing, plan, best), purse - choosing.lab.spending.runs) - rest:
                later.append(refs)
                continue
            loss = choosing.loss(plan, 0, _stage(plan))
        except NotApplicable:
            continue
        if loss < known:
            helpful[refs] = loss
        if loss < known - WORTH * abs(known) * once / alone:
            worth.append(refs)
    return sorted(helpful, key=lambda refs: helpful[refs]), later


def _left(choosing: Choosing, *plans: Remedies) -> float:
    """Baseline runs that are free when the verification of any one of these is paid."""
    return min(choosing.left(plan) for plan in plans)


def _rest(choosing: Choosing, plan: Remedies) -> float:
    """Baseline runs that the repeats after the first cost."""
    return choosing.cost(plan) * (1 - 1 / len(CHOOSING))


def _stage(plan: Remedies) -> str:
    return f"trying {', '.join(map(str, plan))}"
