"""What was seen, as records: evidence, findings, a run, a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from traindx.records import Branch, Cost, Curve, Diagnosis, Evidence, Finding, Outcome, Recipe, Run, Scalar, Standing
from traindx.tasks.fingerprint import digest
from traindx.watching.defects import Detector

EXPERIMENT = "watch"
"""The experiment that the evidence of a watched loop names."""
DRIVES, ENDS = "learning-rate-too-high", "non-finite-loss"
"""Signs of the first are only seen before the second, in losses that are finite."""


def finding(detector: Detector) -> Finding:
    """The suspicion that a detector holds, with where it was seen and what would settle it."""
    seen = detector.held
    assert seen is not None, "only a suspicion that holds becomes a finding"
    details: dict[str, Scalar] = {"settles": detector.settles}
    if seen.place is not None:
        details |= {"file": seen.place.file, "line": seen.place.line}
    evidence = Evidence(
        experiment=EXPERIMENT,
        measure=detector.cause,
        value=seen.value,
        subject=seen.subject,
        step=seen.step,
        text=f"{seen.text} (first at update {seen.step}{f', {seen.place}' if seen.place else ''})",
        details=details,
    )
    where = f", at {seen.place}" if seen.place else ""
    return Finding(
        cause=detector.cause,
        branch=detector.branch,
        standing=Standing.SUSPECTED,
        confidence=detector.confidence,
        summary=f"{seen.text}{where}; what would settle it: {detector.settles}",
        evidence=(evidence,),
    )


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Defects first, as they explain whatever else is seen; then by confidence, and among equals as listed. Where a rate drove the loss away,
    the operation in which numbers ceased to be finite is only the place of its end.
    """
    order = sorted(findings, key=lambda f: (not any(e.experiment == EXPERIMENT for e in f.evidence), -f.confidence))
    causes = [f.cause for f in order]
    if DRIVES in causes and ENDS in causes[: causes.index(DRIVES)]:
        order.insert(causes.index(ENDS), order.pop(causes.index(DRIVES)))
    return tuple(order)


def recipe_of(optimizer: Optimizer, rows: int, evaluations: int) -> Recipe:
    """The recipe that can be read off an optimizer, a batch, and evaluations of one an epoch; what cannot be known keeps its default."""
    group: dict[str, Any] = optimizer.param_groups[0] if optimizer.param_groups else dict(optimizer.defaults)
    kind = type(optimizer)
    torchs = getattr(torch.optim, kind.__name__, None) is kind
    momentum = group.get("momentum", 0.0)
    decay = group.get("weight_decay", 0.0)
    return Recipe(
        optimizer=kind.__name__.lower() if torchs else kind,
        lr=max(float(group.get("initial_lr", group.get("lr")) or 0.0), 0.0),
        momentum=momentum if isinstance(momentum, float) and 0 <= momentum < 1 else 0.0,
        weight_decay=float(decay) if isinstance(decay, (int, float)) and decay >= 0 else 0.0,
        batch_size=max(rows, 1),
        **({"epochs": evaluations} if evaluations else {}),
    )


def run_record(
    name: str, recipe: Recipe, curves: dict[str, Curve], outcome: Outcome, reason: str, steps: int, seconds: float, model: torch.nn.Module
) -> Run:
    """The watched training as a run. It has no task: its key is that of its numbers."""
    parameters = list(model.parameters())
    return Run(
        key=digest("watched", name, recipe.model_dump_json(), [c.model_dump_json() for c in curves.values()]),
        task="",
        task_name=name,
        recipe=recipe,
        outcome=outcome,
        reason=reason,
        steps=steps,
        epochs=float(max(len(curves.get("validation_loss", Curve())), 1)),
        seconds=seconds,
        threads=torch.get_num_threads(),
        device=str(parameters[0].device) if parameters else "cpu",
        parameters=sum(p.numel() for p in parameters),
        curves=curves,
    )


def diagnosis_of(run: Run, findings: tuple[Finding, ...], advice: tuple[str, ...] = (), unwatched: str = "") -> Diagnosis:
    """What a watched run amounts to: suspicions, never more. Without any, the branch is undecided: health takes experiments to show.

    ``unwatched`` is the error that switched the watch off, if one did.
    """
    return Diagnosis(
        key=digest("watched", run.key, [f.model_dump_json() for f in findings]),
        task_name=run.task_name,
        task_fingerprint=run.task,
        recipe=run.recipe,
        branch=findings[0].branch if findings else Branch.UNDECIDED,
        sentence=_sentence(run, findings, unwatched),
        findings=findings,
        advice=advice,
        evidence=tuple(e for f in findings for e in f.evidence),
        runs=(run,),
        cost=Cost(runs=0.0, seconds=0.0, baseline_seconds=run.seconds),
    )


def _sentence(run: Run, findings: tuple[Finding, ...], unwatched: str) -> str:
    """What was found, and how far that reaches: silence of a watch that saw little is no sign of health."""
    off = f" The watch switched itself off after {_updates(run)} ({unwatched}): what came later was not seen." if unwatched else ""
    if findings:
        cause, summary = findings[0].cause.replace("-", " ").replace("non ", "non-"), findings[0].summary
        named = any(e.subject and summary.startswith(e.subject) for e in findings[0].evidence)  # names stay as they are written
        begun = summary if named else f"{summary[:1].upper()}{summary[1:]}"
        return f"Suspected after {_updates(run)}: {cause}. {begun}.{off}"
    if not run.steps:
        return f"Nothing was seen: no update was reported.{off or ' Call step(loss) after each update, within the with block.'}"
    losses = run.curves.get("batch_loss", Curve())
    ended = f"; the loss stands at {losses.last:.3g}" if len(losses) and math.isfinite(losses.last) else ""
    return f"Nothing suspicious was seen in {_updates(run)}{ended}.{off or ' Whether it could do better, only experiments can tell.'}"


def _updates(run: Run) -> str:
    return f"{run.steps} update{'' if run.steps == 1 else 's'}"
