"""A diagnosis that starts from a watched run: does a sound loop do better on the same task with the same recipe?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from traindx.records import Branch, Curve, Diagnosis, Evidence, Finding, Run, Standing, Step
from traindx.watching.defects import DETECTORS, Detector
from traindx.watching.findings import EXPERIMENT

# The loop is at fault where a sound one gets lower by this share of what it gains itself, and where of two late batches, one of each loop,
# that of the sound loop has the lower loss this often; or, where the losses swing, by so many times that share and so many errors of the medians.
SHARE, SUPERIORITY, FAR, ERRORS = 0.1, 0.75, 3.0, 5.0
# Confidence in a defect that was seen, and whose absence makes the difference.
SHOWN = 0.97


def with_observed(diagnosis: Diagnosis, run: Run) -> Diagnosis:
    """The diagnosis, with what was seen in a watched run of the same task and recipe.

    The experiment is the baseline itself: traindx trains the task in its own loop. Where that ends lower than the watched loop did after as
    many updates, the defects that were seen there are confirmed; where it ends no lower, those of the loop are not what is wrong. What may be in
    the model or the data would be in both trainings, and stays suspected.
    """
    seen = [kind for kind in DETECTORS if f"watch/{kind.cause}" in run.curves]
    baseline = diagnosis.baseline
    compared = _compared(run, baseline) if baseline is not None else None
    # A defect that the model does not have may be in the loop that was watched.
    cleared = {f.cause for f in diagnosis.findings if f.standing is Standing.CLEARED and f.branch is not Branch.DEFECT}
    settled = cleared | {f.cause for f in diagnosis.findings if f.standing is Standing.CONFIRMED}
    all_seen = (_finding(kind, run, compared) for kind in seen)
    findings = tuple(f for f in all_seen if f.standing is not Standing.SUSPECTED or f.cause not in settled)
    shown = next((f for f in findings if f.standing is Standing.CONFIRMED), None)
    ours = {f.cause for f in findings if f.standing is not Standing.CLEARED}
    others = tuple(f for f in diagnosis.findings if f.cause not in ours)
    changes: dict[str, Any] = {
        "findings": (*(f for f in findings if f.standing is not Standing.CLEARED), *others, *_cleared(findings)),
        "evidence": (*diagnosis.evidence, *((compared,) if compared else ()), *(e for f in findings for e in f.evidence)),
        "path": (_asked(compared), *diagnosis.path) if compared else diagnosis.path,
    }
    if shown is not None:
        changes |= {"branch": shown.branch, "sentence": _sentence(shown, diagnosis)}
    joined = diagnosis.replace(**changes)
    joined._task, joined._memory = diagnosis._task, diagnosis._memory
    return joined


def _cleared(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(f for f in findings if f.standing is Standing.CLEARED)


def _compared(run: Run, baseline: Run) -> Evidence | None:
    """How much lower the sound loop's batch loss ends than the watched one's after as many updates; None where one has no losses."""
    watched, sound = run.curves.get("batch_loss", Curve()), baseline.curves.get("batch_loss", Curve())
    steps = min(len(watched), len(sound))
    if steps < 4:
        return None
    here, there = (np.array(curve.values[:steps]) for curve in (watched, sound))
    if float(here.mean()) < 0 < float(there.mean()):
        here = -here  # the same loss, reported with its sign flipped
    late, sound_late = (values[-max(1, steps // 4) :] for values in (here, there))
    end, sound_end = float(np.median(late)), float(np.median(sound_late))
    if not math.isfinite(sound_end):
        return None
    return Evidence(
        experiment=EXPERIMENT,
        measure="sound_loop_gain",
        value=end - sound_end if math.isfinite(end) else math.inf,
        threshold=SHARE * abs(float(np.median(there[: max(1, steps // 20)])) - sound_end),
        runs=(run.key, baseline.key),
        seeds=(baseline.seed,),
        step=steps,
        text=f"after {steps} updates the watched loop's loss stood at {end:.3g}, and that of a sound loop at {sound_end:.3g}",
        details={
            "superiority": float(np.mean(~(late[:, None] <= sound_late[None, :]))),
            "error": math.hypot(_error(late), _error(sound_late)),
        },
    )


def _error(losses: np.ndarray) -> float:
    """Of their median: 1.25 times that of the mean."""
    return 1.25 * float(losses.std()) / math.sqrt(len(losses))


def _at_fault(compared: Evidence) -> bool:
    """Whether the sound loop's loss is lower, by enough and often enough."""
    assert compared.threshold is not None, "a comparison has its threshold"
    often = float(compared.details["superiority"]) >= SUPERIORITY
    far = compared.value > max(FAR * compared.threshold, ERRORS * float(compared.details["error"]))
    return compared.value > compared.threshold and (often or far)


def _finding(kind: type[Detector], run: Run, compared: Evidence | None) -> Finding:
    mark = run.curves[f"watch/{kind.cause}"]
    seen = Evidence(
        experiment=EXPERIMENT,
        measure=kind.cause,
        value=mark.last,
        step=mark.steps[0],
        runs=(run.key,),
        text=f"seen in the watched loop from update {mark.steps[0]} on",
        details={"settles": kind.settles},
    )
    standing, confidence, said = Standing.SUSPECTED, kind.confidence, f"what would settle it: {kind.settles}"
    at_fault = compared is not None and _at_fault(compared)
    if compared is not None and not at_fault and not kind.of_the_loop:
        said = f"{compared.text}, where the model and the data are the same; {said}"
    elif compared is not None and (at_fault or kind.shows_in_training):
        standing, confidence = (Standing.CONFIRMED, SHOWN) if at_fault else (Standing.CLEARED, 0.6)
        said = compared.text if at_fault else f"{compared.text}: it is there, but does not keep the loss up"
    return Finding(
        cause=kind.cause,
        branch=kind.branch,
        standing=standing,
        confidence=confidence,
        summary=f"{seen.text}; {said}",
        evidence=(seen, *((compared,) if compared else ())),
    )


def _asked(compared: Evidence) -> Step:
    answer = "yes" if _at_fault(compared) else "no"
    return Step(question="Does a sound loop get lower than the watched one?", answer=answer, evidence=(compared,))


def _sentence(shown: Finding, diagnosis: Diagnosis) -> str:
    if shown.branch is Branch.DEFECT:
        found = f"The training code is wrong: {shown.cause.replace('-', ' ')}, {shown.summary}."
        return f"{found} In a sound loop: {diagnosis.sentence}"
    return f"{shown.cause.replace('-', ' ').capitalize()}: {shown.summary}. In a sound loop: {diagnosis.sentence}"
