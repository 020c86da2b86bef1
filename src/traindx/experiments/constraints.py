"""What constrains a training, held against the repeated baseline: the same seeds, the same divisions, the same length.

The strongest signs first, on the first division. A constraint that brings validation near the goal ends the search; the best that gains
more than stopping early does is repeated on the other divisions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from traindx.experiments.base import Lab
from traindx.experiments.divisions import baselines, recovery, stopped_losses
from traindx.records import Evidence, NotApplicable, Outcome, Question, RemedyRef, Run

# A constraint that recovers this share of the gap on the first division ends the search.
ENOUGH = 0.8
# To be repeated, a constraint must gain this share of the gap more than stopping early, where stopping alone is settled.
BETTER_THAN_STOPPING = 0.1


class Constraints:
    """``recovered`` for remedies that constrain the model or the training, over the divisions of the repeated baseline."""

    name, title, version, reads_test = "constraints", "constraints on the training", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """Evidence of every remedy: ``recovered``, ``not-applicable`` with its reason, or ``not-run``."""
        runs = baselines(lab, int(question.params["repeats"]))
        final = [run.last("validation_loss") for run in runs]
        stop = final[0] - stopped_losses(runs)[0][0] if len(runs) > 1 and question.params.get("stopping") else 0.0
        least, gap = (float(question.params[name]) for name in ("least", "gap"))
        refused: list[Evidence] = []
        tried: dict[RemedyRef, tuple[Run, float]] = {}
        for ref, prior in sorted(zip(question.remedies, question.priors, strict=True), key=lambda pair: -pair[1]):
            try:
                job = lab.job(ref)
            except NotApplicable as reason:
                refused.append(_text("not-applicable", ref, str(reason)))
                continue
            enough = any(final[0] - _last(run) >= ENOUGH * gap for run, _ in tried.values())
            if enough or lab.cost(job) > lab.left + 1e-9:
                refused.append(_text("not-run", ref, "the budget did not pay for it, or another remedy settled the question first"))
                continue
            tried[ref] = lab.train([job], f"constraint: {ref}")[0], prior
        leader = min(tried, key=lambda ref: _last(tried[ref][0]), default=None)
        found = []
        for ref, (run, prior) in tried.items():
            pairs, kept = [(final[0], _last(run))], [run]
            gain = final[0] - _last(run)
            if ref == leader and gain >= least and gain > stop + (BETTER_THAN_STOPPING * gap if stop else 0.0):
                for repeat in range(1, len(runs)):
                    job = lab.job(ref, repeat=repeat, refold=True)
                    if lab.cost(job) <= lab.left + 1e-9:
                        kept += lab.train([job], f"repeated with seed {job.recipe.seed}: {ref}")
                        pairs.append((final[repeat], _last(kept[-1])))
            shared: dict[str, Any] = {
                "runs": tuple(r.key for r in (*runs[: len(kept)], *kept)),
                "seeds": tuple(r.seed for r in runs[: len(kept)]),
            }
            found.append(recovery(ref, prior, pairs, gap, least, shared, train_loss=run.last("train_loss")))
        return [*refused, *found]


def _text(measure: str, ref: RemedyRef, text: str) -> Evidence:
    return Evidence(experiment="intervention", measure=measure, value=math.nan, subject=str(ref), remedy=ref, text=text)


def _last(run: Run) -> float:
    loss = math.inf if run.outcome in (Outcome.DIVERGED, Outcome.FAILED) else run.last("validation_loss")
    return loss if math.isfinite(loss) else math.inf
