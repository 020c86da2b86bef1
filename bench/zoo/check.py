"""Is each planted fault a fault? Trains faulty and twin over five seeds; then finds out which other causes' cures mend the case too.

    python bench/zoo/check.py [--shard 0/2] [--held-out | --calibration] [--causes ...] [--limit N] [--seconds S]
                              [--equivalents | --named LABEL]

Results go to checked.json beside this file (of a shard: into a file of its own, joined by --join). Looked-at cases are not looked at again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from scipy import stats

import traindx as tdx
from traindx.records import InputError, NotApplicable, RemedyRef
from traindx.remedies import make_remedy
from traindx.tasks import Rows
from zoo.cases import CHECKED, Case, candidates
from zoo.faults import BRANCHES
from zoo.programs import Draft
from zoo.scoring import chance, score

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "accuracy"
SEEDS = range(5)
LEAST_EFFECT, LARGEST_P = 0.05, 0.01
# A twin that was rearranged must do nearly as well as its program.
TWIN_SHARE = 0.85
# A twin must be above the constant predictor by this much.
LEAST_TWIN = 0.04
# A cure brings back this share of the gap in the median of three seeds; two of them are spared where the first brings back less than PROMISING.
CURED, PROMISING = 0.9, 0.85
# More epochs than these are tried where they brought back this much.
HELPED = 0.1
# Branches whose cures mend tables.
TABLES = ("data", "mismatch")
# Calibration cases wanted for each cause; of the held-out ones all are looked at.
WANTED = 7


def ref(id: str, **params: Any) -> RemedyRef:
    """A remedy by its id."""
    return RemedyRef(id=id, params=params)


# The interventions that would confirm a cause, as the catalogue lists them.
CURES: dict[str, list[RemedyRef]] = {
    "learning-rate-too-high": [ref("scale-rate", factor=f) for f in (0.1, 0.01, 0.001)],
    "learning-rate-too-low": [ref("scale-rate", factor=f) for f in (10.0, 100.0, 1000.0)],
    "learning-rate-decays-too-fast": [ref("set-schedule", schedule="constant")],
    "missing-warmup": [ref("warm-up", share=0.2)],
    "missing-decay": [ref("set-schedule", schedule="cosine")],
    "momentum-too-high": [ref("set-momentum", momentum=0.9)],
    "optimizer-unsuited": [ref("set-optimizer", optimizer="adam", lr=lr) for lr in (1e-3, 1e-2)],
    "batch-too-large": [ref("scale-batch", factor=0.125)],
    "batch-too-small": [ref("scale-batch", factor=16.0)],
    "trained-too-briefly": [ref("more-epochs", factor=3.0), ref("more-epochs", factor=10.0)],
    "vanishing-gradient": [ref("swap-activations", to="relu"), ref("insert-normalization"), ref("add-skips"), ref("reinitialize")],
    "exploding-gradient": [ref("clip-gradients", norm=1.0), ref("reinitialize"), ref("insert-normalization")],
    "dead-units": [ref("swap-activations", to="leaky_relu"), ref("reinitialize")],
    "saturating-activation": [ref("swap-activations", to="relu"), ref("reinitialize"), ref("standardize-inputs")],
    "bad-initialization": [ref("reinitialize")],
    "saddle-point": [ref("perturb-start"), ref("set-momentum", momentum=0.9)],
    "local-minimum": [ref("perturb-start", draw=n) for n in range(3)],
    "missing-normalization": [ref("insert-normalization")],
    "too-deep-without-skips": [ref("add-skips")],
    "unnormalized-input": [ref("standardize-inputs")],
    "unnormalized-target": [ref("standardize-targets")],
    "wrong-loss": [ref("proper-loss")],
    "softmax-before-cross-entropy": [ref("linear-output")],
    "single-unit-softmax": [ref("sigmoid-output")],
    "wrong-output-activation": [ref("linear-output")],
    "loss-summed-over-batch": [ref("mean-reduction")],
    "output-width-wrong": [ref("output-width", width=0)],
    "output-target-shape-mismatch": [ref("align-shapes")],
    "gradient-clipping-too-tight": [ref("loosen-clipping")],
    "frozen-parameters": [ref("unfreeze")],
    "data-not-shuffled": [ref("shuffle")],
    "model-too-simple": [ref("widen"), ref("deepen")],
    "missing-nonlinearity": [ref("insert-activations")],
    "bottleneck": [ref("widen", factor=8.0)],
    "over-regularized": [ref("remove-regularization")],
    "model-too-flexible": [ref("narrow"), ref("dropout"), ref("weight-decay", strength=3.0)],
    "trained-too-long": [ref("stop-early")],
    "missing-augmentation": [ref("augment")],
    "covariate-shift": [ref("importance-weights")],
    "label-shift": [ref("match-class-proportions")],
    "preprocessing-mismatch": [ref("align-test-inputs")],
    "labels-unrelated-to-inputs": [ref("realign-labels", offset=n) for n in (-1, 1)],
    "label-noise": [ref("drop-suspect-labels")],
    "wrong-labels": [ref("repair-labels")],
    "class-imbalance": [ref("balance-classes")],
    "non-finite-data": [ref("fill-missing")],
    "train-test-leakage": [ref("remove-duplicates")],
}


def look(case: Case) -> dict[str, Any]:
    """Whether the faulty training is worse than its twin by more than chance and by enough to matter."""
    faulty: list[float] = []
    twin: list[float] = []
    level = chance(case.draft(False))
    for seed in SEEDS:
        faulty.append(case.score(True, seed))
        twin.append(case.score(False, seed))
        if seed == 1 and np.mean(twin) - np.mean(faulty) < 0.5 * needed(case, twin, level):
            break
    gaps = np.array(twin) - np.array(faulty)
    p = 1.0 if len(gaps) < len(SEEDS) else p_value(gaps)
    reason = verdict(case, gaps, twin, level, p)
    return {
        "kept": not reason,
        "reason": reason,
        "chance": round(level, 4),
        "faulty": [round(s, 4) for s in faulty],
        "twin": [round(s, 4) for s in twin],
        "p": float(f"{p:.2g}"),
    }


def needed(case: Case, twin: list[float], level: float) -> float:
    """The gap that matters."""
    return LEAST_EFFECT if case.draft(False).scored == "optimism" else LEAST_EFFECT * (float(np.mean(twin)) - level)


def p_value(gaps: np.ndarray) -> float:
    """Paired one-sided t test."""
    if gaps.std() < 1e-12:
        return 0.0 if gaps.mean() > 0 else 1.0
    return float(stats.ttest_1samp(gaps, 0, alternative="greater").pvalue)


def verdict(case: Case, gaps: np.ndarray, twin: list[float], level: float, p: float) -> str:
    """Why the case is dropped; empty when it is kept."""
    if case.draft(False).scored != "optimism" and np.mean(twin) - level < LEAST_TWIN:
        return "the twin learns nothing"
    if gaps.mean() < needed(case, twin, level):
        return "too little harm"
    if p >= LARGEST_P:
        return "harm not significant"
    if not twin_is_sound(case, float(np.mean(twin)), level):
        return "the twin is worse than its program"
    return ""


def twin_is_sound(case: Case, twin: float, level: float) -> bool:
    """Where the twin was rearranged on the same rows: whether it does nearly as well as its program."""
    plain, rearranged = case.plain(), case.draft(False)
    if not isinstance(plain, Draft) or not isinstance(rearranged, Draft):
        return True  # nothing was rearranged, or it is a script: see sound.py
    same = rearranged.scored == "clean" and not rearranged.balanced and len(plain.x) == len(rearranged.x)
    if not same or plain.clean[1].dtype != rearranged.clean[1].dtype or not np.array_equal(plain.clean[1], rearranged.clean[1]):
        return True
    return twin - level >= TWIN_SHARE * (score(plain, plain.task(scoring=True), plain.recipe) - level)


def mending(case: Case, row: dict[str, Any], causes: set[str]) -> dict[str, Any]:
    """The row with the causes tried, and those whose intervention brings back most of the gap."""
    gap = Gap(case, float(np.mean(row["faulty"])), float(np.mean(row["twin"])))
    works = {cause for cause in sorted(causes - without_hope(case)) if gap.is_closed_by(CURES.get(cause, []))}
    return {
        **row,
        "tried": sorted({*row.get("tried", ()), *causes}),
        "equivalents": sorted({*row.get("equivalents", ()), *works}),
    }


def without_hope(case: Case) -> set[str]:
    """Causes whose cure cannot be an equivalent, by what the faulty training shares with its twin.

    Tables alike to the last bit: cures of tables have nothing to mend. Training alike in rows, weights, loss and recipe: only the
    validation or test rows differ, and no other way of training mends those.
    """
    faulty, twin = (case.scoring(planted)[1] for planted in (True, False))
    tables = {cause for cause, branch in BRANCHES.items() if branch in TABLES}
    if (
        all(alike(a, b) for a, b in ((faulty.train, twin.train), (faulty.validation, twin.validation)))
        and case.draft(True).scored != "test"
    ):
        return tables
    if alike(faulty.train, twin.train) and case.draft(True).recipe == case.draft(False).recipe and same_function(faulty, twin):
        return set(BRANCHES) - tables
    return set()


def alike(one: Rows, other: Rows) -> bool:
    """Whether two tables hold the same numbers."""
    pairs = ((one.inputs, other.inputs), (one.targets, other.targets))
    return all(a is not None and b is not None and a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def same_function(one: tdx.Task, other: tdx.Task) -> bool:
    """Whether two tasks start from the same function of the inputs, under the same loss."""
    rows = one.train.inputs
    assert rows is not None
    outputs = [task.build(0).eval()(rows[:16]) for task in (one, other)]
    losses = [(repr(task.loss), getattr(task.loss, "reduction", "")) for task in (one, other)]
    return losses[0] == losses[1] and outputs[0].shape == outputs[1].shape and torch.equal(*outputs)


class Gap:
    """The gap between a faulty training and its twin, and what closes it."""

    def __init__(self, case: Case, before: float, after: float) -> None:
        self.before, self.after = before, after
        self.draft, self.task = case.scoring(True)

    def is_closed_by(self, doses: list[RemedyRef]) -> bool:
        """Whether one of the doses closes it in the median of three seeds; a larger dose of what did nothing at all is spared."""
        for i, dose in enumerate(doses):
            first = self.share(dose, 0)
            if first is None:
                continue
            if first >= PROMISING and float(np.median([first, *(self.share(dose, seed) or 0.0 for seed in (1, 2))])) >= CURED:
                return True
            if dose.id == "more-epochs" and first < HELPED and i + 1 < len(doses):
                return False
        return False

    def share(self, cure: RemedyRef, seed: int) -> float | None:
        """The share of the gap that the remedy closes; None where there is no such remedy, or it does not apply."""
        if cure.id == "output-width":
            cure = ref("output-width", width=max(1, self.draft.classes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                changed, recipe = make_remedy(cure).apply(self.task, self.draft.recipe.replace(seed=seed))
                reached = score(self.draft, changed, recipe)
            except (InputError, NotApplicable, RuntimeError, ValueError, IndexError):
                return None  # not there yet, or not for this training
        return (reached - self.before) / (self.after - self.before)


def named(label: str) -> dict[str, set[str]]:
    """The causes that diagnoses of a label of `accuracy.py` named first, second or third, by case."""
    causes: dict[str, set[str]] = {}
    for path in CACHE.glob(f"{label}*.jsonl"):
        for row in map(json.loads, path.read_text().splitlines()):
            if row["kind"] == "faulty":
                causes.setdefault(row["name"], set()).update(f[0] for f in row["findings"][:3])
    return causes


def mine(arguments: argparse.Namespace) -> Iterator[Case]:
    """The cases of this call, cause by cause in turn so that an early end leaves all of them begun."""
    shard, of = (int(n) for n in arguments.shard.split("/"))
    causes = arguments.causes or list(BRANCHES)
    chosen = [
        c
        for c in candidates()
        if c.cause in causes and not (arguments.held_out and not c.held_out) and not (arguments.calibration and c.held_out)
    ]
    turn: Counter[tuple[str, bool]] = Counter()
    ranked = []
    for case in chosen:
        turn[case.cause, case.held_out] += 1
        ranked.append((turn[case.cause, case.held_out], case))
    for _, case in sorted(ranked, key=lambda pair: pair[0]):
        if causes.index(case.cause) % of == shard:
            yield case


def main() -> None:
    """Look at the cases that nobody looked at yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--causes", nargs="+")
    parser.add_argument("--limit", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--equivalents", action="store_true", help="find equivalents of kept cases instead of looking at new ones")
    parser.add_argument("--named", metavar="LABEL", help="as --equivalents, but only for causes that diagnoses of this label named")
    parser.add_argument("--join", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.join:
        return join()
    path = CHECKED if arguments.shard == "0/1" else CHECKED.with_name(f"checked.{arguments.shard.replace('/', '-')}.json")
    known = json.loads(CHECKED.read_text()) if CHECKED.exists() else {}
    known |= json.loads(path.read_text()) if path.exists() else {}
    started, done, asked = time.perf_counter(), 0, questions(arguments)
    for case in mine(arguments):
        if done >= arguments.limit or time.perf_counter() - started > arguments.seconds:
            break
        row = advance(case, known, asked)
        if row is None:
            continue
        known[case.name] = row
        done += 1
        write(path, known)
        said = ", ".join(row.get("equivalents", ())) if asked is not None else (row["reason"] or "kept")
        print(f"{case.name:70} {np.mean(row['faulty']):6.3f} {np.mean(row['twin']):6.3f}  {said}", flush=True)
    summary(known)


def advance(case: Case, known: dict[str, Any], asked: dict[str, set[str]] | None) -> dict[str, Any] | None:
    """What is new of a case; None where there is nothing to do. ``asked`` holds causes to try as equivalents, by case."""
    row = known.get(case.name)
    if asked is not None:
        causes = asked.get(case.name, set()) - {case.cause, *(row or {}).get("tried", ())}
        return mending(case, row, causes) if row and row["kept"] and causes else None
    names = {c.name for c in candidates() if c.cause == case.cause and c.held_out == case.held_out}
    enough = not case.held_out and sum(known[n]["kept"] for n in names if n in known) >= WANTED
    return None if row or enough else look(case)


def questions(arguments: argparse.Namespace) -> dict[str, set[str]] | None:
    """The causes to try as equivalents: those that were named, or all; None where new cases are to be looked at."""
    if arguments.named:
        return named(arguments.named)
    return {c.name: set(CURES) for c in candidates()} if arguments.equivalents else None


def write(path: Path, known: dict[str, Any]) -> None:
    """One line a case, sorted."""
    lines = [f"  {json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known)]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def join() -> None:
    """Shards into one file."""
    known = json.loads(CHECKED.read_text()) if CHECKED.exists() else {}
    for path in CHECKED.parent.glob("checked.*-*.json"):
        for name, row in json.loads(path.read_text()).items():
            known[name] = {**known.get(name, {}), **row}
        path.unlink()
    write(CHECKED, known)
    summary(known)


def summary(known: dict[str, Any]) -> None:
    """How many cases are kept, by cause and part."""
    kept = Counter((c.cause, c.held_out) for c in candidates() if known.get(c.name, {}).get("kept"))
    for cause in BRANCHES:
        print(f"{cause:32} calibration {kept[cause, False]:2}  held-out {kept[cause, True]:2}")
    print(f"kept {sum(kept.values())}: held-out {sum(n for (_, held), n in kept.items() if held)}")


if __name__ == "__main__":
    main()
