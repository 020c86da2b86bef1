"""What a treatment comes to: the remedies that are kept, the changed recipe, and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from traindx.experiments import Lab
from traindx.handover import changes
from traindx.records import Comparison, Cost, Diagnosis, Treatment
from traindx.remedies import make_remedy
from traindx.tasks.fingerprint import digest
from traindx.treatment.choosing import Remedies
from traindx.treatment.comparing import decisive, improved, repaired


def concluded(lab: Lab, diagnosis: Diagnosis, remedies: Remedies, comparisons: Sequence[Comparison], test_openings: int) -> Treatment:
    """The record; with remedies only where they are verified."""
    told = decisive(diagnosis, remedies, comparisons)
    repairing = any(make_remedy(r).repairs for r in remedies)
    verified = repaired(lab, diagnosis, remedies) if repairing else improved(told)
    kept = remedies if verified else ()
    job = lab.job(*kept)
    treatment = Treatment(
        key=digest("treatment", diagnosis.key, [str(r) for r in remedies], [c.model_dump_json() for c in comparisons]),
        diagnosis=diagnosis,
        remedies=kept,
        recipe=job.recipe,
        changes=changes(kept, lab.task, job.task, lab.recipe, job.recipe),
        verified=verified,
        sentence=_sentence(remedies, verified, repairing, told, tried=bool(lab.runs)),
        comparisons=tuple(comparisons),
        runs=tuple(lab.runs.values()),
        cost=Cost(runs=lab.spending.runs, seconds=lab.spending.seconds, baseline_seconds=diagnosis.cost.baseline_seconds),
        test_openings=test_openings,
    )
    treatment._task = job.task
    return treatment


def _sentence(remedies: Remedies, verified: bool, repairing: bool, comparisons: Sequence[Comparison], tried: bool) -> str:
    if not remedies:
        further = ", and nothing else that was tried is better by more than chance" if tried else ""
        return f"Nothing was changed: the diagnosis confirmed no cause that a change of the training can cure{further}."
    named = ", ".join(str(r) for r in remedies)
    told = _telling(comparisons)
    change = "" if told is None else f" ({_told(told)})"
    if verified and repairing:
        return f"Verified: after {named} the cause is found no more{change}: what is measured now can be believed."
    if verified:
        return f"Verified: {named} {'improve' if len(remedies) > 1 else 'improves'} the training{change}."
    if repairing:
        return f"No improvement: after {named} the cause is found as before{change}; nothing was changed."
    return f"No improvement: {named} did not hold on other seeds, or gains too little{change}; nothing was changed."


def _telling(comparisons: Sequence[Comparison]) -> Comparison | None:
    """The metric, which people know best; but the loss where that is what is better, and the metric is not."""
    metrics = [c for c in reversed(comparisons) if c.higher_is_better and math.isfinite(sum(c.before) + sum(c.after))]
    better = [c for c in (*metrics, *comparisons) if c.improved]
    return next(iter((*better, *metrics, *comparisons)), None)


def _told(comparison: Comparison) -> str:
    before, after = (sum(side) / len(side) for side in (comparison.before, comparison.after))
    return f"{comparison.measure.replace('_', ' ')} {before:.3g} before, {after:.3g} after, over {len(comparison.seeds)} seeds"
