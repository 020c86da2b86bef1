"""What a report shows and in which order: the records, grouped. Text and page share it, and neither decides anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from traindx.records import Curve, Diagnosis, Evidence, Finding, Outcome, RemedyRef, Run, Standing, Treatment, find
from traindx.report import words

NORMAL_95 = 1.96
"""Standard errors on either side of a mean that make a 95% interval."""


class Grouped(NamedTuple):
    """The findings of a diagnosis by what a reader does with them."""

    top: Finding | None
    others: tuple[Finding, ...]
    cleared: tuple[Finding, ...]
    not_applicable: tuple[Finding, ...]


class Level(NamedTuple):
    """One loss or metric among those compared: a reference model's or the network's."""

    label: str
    value: float
    low: float | None
    high: float | None
    is_network: bool


class OwnEffect(NamedTuple):
    """What one remedy of several does to the final validation loss, on the same seeds without and with it."""

    remedy: RemedyRef
    on_top_of: tuple[RemedyRef, ...]
    seeds: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def gain(self) -> float:
        """How much lower the loss is with it, on the mean."""
        return sum(b - a for b, a in zip(self.before, self.after, strict=True)) / len(self.seeds)


class Reachable(NamedTuple):
    """The loss that a reference model shows to be reachable."""

    value: float
    by: str


def grouped(diagnosis: Diagnosis) -> Grouped:
    """The top finding, those still open or confirmed beside it, those ruled out, those without their precondition."""
    top = diagnosis.top
    standing = {s: tuple(f for f in diagnosis.findings if f.standing is s and f is not top) for s in Standing}
    others = standing[Standing.CONFIRMED] + standing[Standing.SUSPECTED] + standing[Standing.UNDECIDED]
    return Grouped(top, others, standing[Standing.CLEARED], standing[Standing.NOT_APPLICABLE])


def by_reason(findings: Sequence[Finding]) -> dict[str, tuple[Finding, ...]]:
    """The findings that say the same, together, in the order in which each reason is first given."""
    reasons: dict[str, tuple[Finding, ...]] = {}
    for finding in findings:
        said = finding.summary or (words.explain(finding.evidence[0]) if finding.evidence else "")
        reasons[said] = (*reasons.get(said, ()), finding)
    return reasons


def all_evidence(diagnosis: Diagnosis) -> tuple[Evidence, ...]:
    """Every piece of evidence of a diagnosis; its own comes last and so counts as the latest."""
    return tuple(_nested(diagnosis)) + diagnosis.evidence


def _nested(diagnosis: Diagnosis) -> Iterator[Evidence]:
    for step in diagnosis.path:
        yield from step.evidence
    for finding in diagnosis.findings:
        yield from finding.evidence


def reachable(diagnosis: Diagnosis) -> Reachable | None:
    """The loss a well-trained model can reach on these rows, when it was measured."""
    evidence = find(all_evidence(diagnosis), "reachable", "loss")
    return Reachable(evidence.value, words.subject(evidence.subject)) if evidence else None


def levels(diagnosis: Diagnosis, kind: str) -> tuple[Level, ...]:
    """Reference models, then the network on each split, for ``kind`` "loss" or "metric"; what was not measured is left out."""
    evidence = all_evidence(diagnosis)
    return (*_references(evidence, kind), *_network(evidence, diagnosis.baseline, kind))


def has_references(diagnosis: Diagnosis) -> bool:
    """Whether any reference model was measured."""
    return any(e.experiment == "references" and e.measure != words.REFUSED for e in all_evidence(diagnosis))


def refused_references(diagnosis: Diagnosis) -> str:
    """The sentence that says why the reference models were not applicable; empty when they were."""
    refused = find(all_evidence(diagnosis), "references", words.REFUSED)
    return words.explain(refused) if refused else ""


def most_telling(finding: Finding) -> Evidence | None:
    """Of a finding's interventions the one trained furthest, and of those the one that recovers most; else its first evidence."""
    tried = [e for e in finding.evidence if e.experiment == "intervention" and e.measure == "recovered" and not math.isnan(e.value)]
    best = max(tried, key=lambda e: (e.step or 0, e.value), default=None)
    return best or next(iter(finding.evidence), None)


def _references(evidence: Sequence[Evidence], kind: str) -> Iterator[Level]:
    measured = {e.subject: e for e in evidence if e.experiment == "references" and e.measure == f"out_of_fold_{kind}"}
    known = [name for name in words.SUBJECTS if name in measured]
    for name in [*known, *(n for n in measured if n not in words.SUBJECTS)]:
        e = measured[name]
        yield Level(words.subject(name), e.value, e.low, e.high, is_network=False)


def _network(evidence: Sequence[Evidence], baseline: Run | None, kind: str) -> Iterator[Level]:
    for split, word in (("train", "training"), ("validation", "validation"), ("test", "test")):
        name, label = f"{split}_{kind}", f"network, {word}"
        if e := find(evidence, "baseline", name):
            yield Level(label, e.value, e.low, e.high, is_network=True)
        elif baseline and len(baseline.curves.get(name, Curve())):
            value, error = baseline.last(name), NORMAL_95 * baseline.spread.get(name, math.nan)
            known = math.isfinite(error)
            yield Level(label, value, value - error if known else None, value + error if known else None, is_network=True)


def metric_name(diagnosis: Diagnosis) -> str:
    """The name of the task's metric, "metric" when the task's summary does not tell."""
    return words.clean(str(diagnosis.task_summary.get("metric", "metric")))


def changed_fields(treatment: Treatment) -> dict[str, tuple[str, str]]:
    """The fields of the recipe that the treatment changed, before and after; the seed, which only repeats, is none of them."""
    differences = treatment.diagnosis.recipe.differences(treatment.recipe)
    return {n: (words.field_value(a), words.field_value(b)) for n, (a, b) in differences.items() if n != "seed"}


def verified_by(treatment: Treatment) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The runs that the treatment rests on, before and after: in full, with no remedy or with exactly its own, on the seeds compared.

    Range tests, and runs that chose or rejected remedies, are none of them.
    """
    seeds = {seed for c in treatment.comparisons for seed in c.seeds}
    whole = [r for r in treatment.runs if r.horizon is None and (r.seed in seeds or not seeds)]
    after = _of_each_seed(r for r in whole if treatment.remedies and set(r.remedies) == set(treatment.remedies))
    treated = {r.seed for r in after}
    return _of_each_seed(r for r in whole if not r.remedies and (r.seed in treated or not treated)), after


def _of_each_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    by_seed = {run.seed: run for run in runs}
    return tuple(by_seed[seed] for seed in sorted(by_seed))


def unfinished(treatment: Treatment) -> tuple[Run, ...]:
    """Those of them that have no end."""
    before, after = verified_by(treatment)
    return tuple(run for run in (*before, *after) if run.outcome in (Outcome.DIVERGED, Outcome.FAILED))


def own_effects(treatment: Treatment) -> tuple[OwnEffect, ...]:
    """Of several remedies, the effect of each by itself, where trainings that differ in it alone were run: on top of as many others as were."""
    if len(treatment.remedies) < 2:
        return ()
    losses = _final_losses(treatment)
    found = [_own_effect(remedy, treatment.remedies, losses) for remedy in treatment.remedies]
    return tuple(effect for effect in found if effect is not None)


def _final_losses(treatment: Treatment) -> dict[frozenset[RemedyRef], dict[int, float]]:
    """For each set of remedies that was trained to the end, the last validation loss by seed, where it is finite."""
    losses: dict[frozenset[RemedyRef], dict[int, float]] = {}
    for run in (*treatment.diagnosis.runs, *treatment.runs):
        if run.horizon is None and math.isfinite(loss := run.last("validation_loss")):
            losses.setdefault(frozenset(run.remedies), {})[run.seed] = loss
    return losses


def _own_effect(remedy: RemedyRef, remedies: Sequence[RemedyRef], losses: dict[frozenset[RemedyRef], dict[int, float]]) -> OwnEffect | None:
    pairs = [(base, base | {remedy}) for base in losses if remedy not in base and base <= set(remedies) and base | {remedy} in losses]
    shared = [(len(base), sorted(losses[base].keys() & losses[both].keys()), base, both) for base, both in pairs]
    shared = [found for found in shared if found[1]]
    if not shared:
        return None
    _, seeds, base, both = max(shared, key=lambda found: (found[0], len(found[1])))
    on_top_of = tuple(r for r in remedies if r in base)
    return OwnEffect(remedy, on_top_of, tuple(seeds), *(tuple(losses[side][seed] for seed in seeds) for side in (base, both)))
