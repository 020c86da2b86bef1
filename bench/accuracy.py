"""How often a diagnosis is right: planted faults, their healthy twins, and healthy trainings that are no twins.

    python bench/accuracy.py [--calibration | --held-out] [--sample N] [--causes ...] [--programs ...] [--kinds faulty twin healthy]
                             [--seeds 0] [--shard 0/2] [--label NAME] [--budget 8] [--seconds S] [--recovery] [--report] [--write]

One JSON line a diagnosis under bench/.cache/accuracy, by label, kind, case and seed: a call that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import traindx as tdx
from traindx.records import Diagnosis, InputError, NotApplicable
from traindx.remedies import make_remedy
from zoo.cases import Case, cases, checked, equivalents
from zoo.faults import BRANCHES
from zoo.healthy import HEALTHY
from zoo.scoring import score
from zoo.sound_scripts import SOUND

RESULTS = Path(__file__).parent / "results" / "accuracy.md"
CACHE = Path(__file__).parent / ".cache" / "accuracy"
# A sample holds faulty trainings, twins and other healthy trainings in these shares.
SHARES = {"faulty": 0.6, "twin": 0.2, "healthy": 0.2}
RECOVERED = 0.9
BINS = 5
Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One training to be diagnosed."""

    kind: str
    name: str
    held_out: bool
    cause: str
    branch: str
    severity: str
    program: str
    build: Callable[[], tuple[tdx.Task, tdx.Recipe]]
    case: Case | None = None


def items(unchecked: bool) -> list[Item]:
    """Every training: faulty ones, twins, healthy ones."""
    listed = []
    for case in cases(unchecked):
        for kind, faulty in (("faulty", True), ("twin", False)):
            cause, branch = (case.cause, case.branch) if faulty else ("healthy", "healthy")
            listed.append(
                Item(kind, case.name, case.held_out, cause, branch, case.severity, case.program, lambda c=case, f=faulty: c.build(f), case)
            )
    return [*listed, *(Item("healthy", h.name, h.held_out, "healthy", "healthy", "", h.name, h.build) for h in (*HEALTHY, *SOUND))]


def chosen(arguments: argparse.Namespace) -> list[Item]:
    """The trainings of this call."""
    listed = [
        i
        for i in items(arguments.unchecked)
        if i.kind in arguments.kinds
        and not (arguments.held_out and not i.held_out)
        and not (arguments.calibration and i.held_out)
        and (not arguments.causes or i.cause in arguments.causes)
        and (not arguments.programs or i.program in arguments.programs)
    ]
    return sampled(listed, arguments.sample, arguments.sample_seed) if arguments.sample else listed


def sampled(listed: list[Item], size: int, seed: int) -> list[Item]:
    """A random sample, with every cause, part and severity in turn."""
    rng = np.random.default_rng(seed)
    kept: list[Item] = []
    for kind, share in SHARES.items():
        pool = [i for i in listed if i.kind == kind]
        strata: dict[tuple[bool, str], list[Item]] = defaultdict(list)
        for i in rng.permutation(len(pool)):
            strata[pool[i].held_out, pool[i].cause].append(pool[i])
        drawn = [item for turn in range(len(pool)) for stack in _shuffled(strata.values(), rng) for item in stack[turn : turn + 1]]
        kept += drawn[: round(size * share)]
    return kept


def _shuffled(stacks: Iterable[list[Item]], rng: np.random.Generator) -> list[list[Item]]:
    listed = list(stacks)
    return [listed[i] for i in rng.permutation(len(listed))]


# -- measuring ---------------------------------------------------------------------------------------------------------------------------


def measure(item: Item, seed: int, arguments: argparse.Namespace) -> Row:
    """One diagnosis, as plain values."""
    row: Row = {"kind": item.kind, "name": item.name, "seed": seed}
    started = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            task, recipe = item.build()
            started = time.perf_counter()
            diagnosis = tdx.diagnose(task, recipe.replace(seed=seed), budget=arguments.budget, seconds=arguments.seconds)
            row |= said(diagnosis)
            if arguments.recovery and item.kind == "faulty" and item.case is not None:
                row["recovery"] = recovery(item.case, diagnosis)
    except Exception as error:  # a diagnosis that raises is a miss, and is listed as one
        row |= {"branch": "raised", "findings": [], "sentence": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()[-1500:]}
    return row | {"seconds": round(time.perf_counter() - started, 2)}


def said(diagnosis: Diagnosis) -> Row:
    """What a diagnosis said and cost."""
    spoken = [f for f in diagnosis.findings if f.standing in ("confirmed", "suspected")]
    top = diagnosis.top
    return {
        "branch": diagnosis.branch.value,
        "findings": [[f.cause, f.standing.value, round(f.confidence, 3)] for f in spoken],
        "top": None if top is None else [top.cause, top.standing.value, round(top.confidence, 3)],
        "summary": "" if top is None else top.summary,
        "sentence": diagnosis.sentence,
        "ratio": None if math.isnan(diagnosis.cost.ratio) else round(diagnosis.cost.ratio, 2),
        "runs": round(diagnosis.cost.runs, 2),
    }


def recovery(case: Case, diagnosis: Diagnosis) -> float | None:
    """The share of the score's gap that the top finding's first remedy brings back; None where there is none to apply."""
    known = checked().get(case.name)
    if known is None or diagnosis.top is None or not diagnosis.top.remedies:
        return None
    before, after = float(np.mean(known["faulty"])), float(np.mean(known["twin"]))
    draft, task = case.scoring(True)
    try:
        changed, recipe = make_remedy(diagnosis.top.remedies[0]).apply(task, draft.recipe)
        reached = np.mean([score(draft, changed, recipe.replace(seed=s)) for s in (0, 1)])
    except (NotApplicable, InputError, RuntimeError, ValueError, IndexError):
        return None
    return round(float(reached - before) / max(after - before, 1e-9), 3)


# -- judging -----------------------------------------------------------------------------------------------------------------------------


def top_of(row: Row) -> str:
    """The cause on top, or "-"."""
    return row["top"][0] if row.get("top") else "-"


def judged(row: Row, item: Item) -> Row:
    """The row with what it is worth."""
    wanted = equivalents(item.case) if item.case is not None and item.kind == "faulty" else {item.cause}
    first, three = top_of(row), [f[0] for f in row["findings"][:3]]
    return row | {
        "item": item,
        "branch right": row["branch"] == item.branch,
        "top-1 strict": first == item.cause,
        "top-3 strict": item.cause in three,
        "top-1": first in wanted,
        "top-3": bool(wanted & set(three)),
        "false alarm": any(f[1] == "confirmed" for f in row["findings"]),
        "recovered": row.get("recovery") is not None and row["recovery"] >= RECOVERED,
    }


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if n == 0:
        return math.nan, math.nan
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def share(rows: list[Row], key: str) -> str:
    """Hits, share and interval."""
    hits, n = sum(bool(r[key]) for r in rows), len(rows)
    if n == 0:
        return "none"
    low, high = wilson(hits, n)
    return f"{hits}/{n} = {hits / n:.1%} [{low:.1%}, {high:.1%}]"


def part(rows: list[Row], title: str) -> list[str]:
    """The figures of one part."""
    faulty, sound = [r for r in rows if r["kind"] == "faulty"], [r for r in rows if r["kind"] != "faulty"]
    lines = [f"## {title}", "", f"{len(faulty)} faulty trainings, {len(sound)} healthy ones", "", "| figure | value |", "|---|---|"]
    keys = ("branch right", "top-1", "top-3", "top-1 strict", "top-3 strict")
    lines += [f"| {key} | {share(faulty, key)} |" for key in keys]
    for kind in ("twin", "healthy"):
        lines.append(f"| false alarms, {kind} | {share([r for r in sound if r['kind'] == kind], 'false alarm')} |")
    lines.append(f"| false alarms | {share(sound, 'false alarm')} |")
    lines.append(f"| called healthy | {share(sound, 'branch right')} |")
    looked = [r for r in faulty if "recovery" in r]
    lines += [f"| recovered | {share(looked, 'recovered')} |"] if looked else []
    return [*lines, *costs(rows), "", *by(faulty, "cause"), "", *by(faulty, "severity"), "", *reliability(faulty + sound), ""]


def costs(rows: list[Row]) -> list[str]:
    """Median and 90th percentile of the costs."""
    lines = []
    for key, name in (("ratio", "cost in wall seconds of a baseline run"), ("runs", "baseline runs"), ("seconds", "seconds")):
        values = [r[key] for r in rows if r.get(key) is not None]
        if values:
            lines.append(f"| {name}: median, 90th percentile | {np.median(values):.1f}, {np.percentile(values, 90):.1f} |")
    return lines


def by(rows: list[Row], field: str) -> list[str]:
    """The same figures for each cause or severity."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[getattr(row["item"], field)].append(row)
    order = [c for c in BRANCHES if c in groups] if field == "cause" else sorted(groups)
    lines = [f"| {field} | cases | branch | top-1 | top-3 | top-1 strict | top-3 strict |", "|---|---|---|---|---|---|---|"]
    for name in order:
        counts = [sum(bool(r[k]) for r in groups[name]) for k in ("branch right", "top-1", "top-3", "top-1 strict", "top-3 strict")]
        lines.append(f"| {name} | {len(groups[name])} | " + " | ".join(map(str, counts)) + " |")
    return lines


def reliability(rows: list[Row]) -> list[str]:
    """Stated confidence of the top finding against how often it is right, and the expected calibration error (Naeini et al. 2015)."""
    points = [(r["top"][2], bool(r["top-1"]) and r["kind"] == "faulty") for r in rows if r.get("top")]
    lines, error = ["| confidence | findings | mean confidence | right |", "|---|---|---|---|"], 0.0
    for i in range(BINS):
        inside = [p for p in points if i / BINS <= p[0] < (i + 1) / BINS or (i == BINS - 1 and p[0] == 1)]
        if inside:
            stated, right = float(np.mean([p[0] for p in inside])), float(np.mean([p[1] for p in inside]))
            error += len(inside) / len(points) * abs(stated - right)
            lines.append(f"| {i / BINS:.1f} to {(i + 1) / BINS:.1f} | {len(inside)} | {stated:.2f} | {right:.2f} |")
    return [*lines, "", f"Expected calibration error: {error:.3f} over {len(points)} top findings."]


def confusion(rows: list[Row]) -> list[str]:
    """What was said instead, by planted cause."""
    pairs = Counter((r["item"].cause, top_of(r)) for r in rows if r["kind"] == "faulty" and not r["top-1"])
    lines = ["## Confusions", "", "| planted | said | times |", "|---|---|---|"]
    return [*lines, *(f"| {planted} | {spoken} | {n} |" for (planted, spoken), n in pairs.most_common())]


def line_of(row: Row) -> str:
    """One line: what was expected and what was said."""
    item = row["item"]
    right = row["top-1"] and row["branch right"] if row["kind"] == "faulty" else not row["false alarm"]
    mark = "ok" if right else ("cause" if row["top-1"] and row["kind"] == "faulty" else ("branch" if row["branch right"] else "NO"))
    top = f"{row['top'][0]} ({row['top'][1]} {row['top'][2]})" if row.get("top") else "-"
    expected = item.cause if row["kind"] == "faulty" else row["kind"]
    return f"{mark:6} {row['name']:64} {expected:30} said {row['branch']:12} {top:48} {row['seconds']:5.1f} s"


def misses(rows: list[Row]) -> list[str]:
    """Every miss and false alarm, with what was said."""
    lines = ["## Misses", ""]
    for row in rows:
        wrong = not (row["top-1"] and row["branch right"]) if row["kind"] == "faulty" else row["false alarm"] or not row["branch right"]
        if wrong:
            others = ", ".join(f"{c} {s} {p}" for c, s, p in row["findings"][1:4])
            lines.append(
                f"- `{row['name']}` ({row['kind']}, seed {row['seed']}; expected {row['item'].cause}): {row['branch']}; {top_of(row)}"
                f" {row['top'][1] if row.get('top') else ''}: {row.get('summary') or row['sentence']}"
                + (f" [also: {others}]" if others else "")
            )
    return lines


def report(rows: list[Row]) -> list[str]:
    """The whole report."""
    lines: list[str] = []
    for title, held in (("Calibration", False), ("Held-out", True)):
        mine = [r for r in rows if r["item"].held_out == held]
        lines += part(mine, title) if mine else []
    return [*lines, *confusion(rows), "", *misses(rows)]


# -- the cache ---------------------------------------------------------------------------------------------------------------------------


def known_rows(label: str) -> dict[tuple[str, str, int], Row]:
    """The diagnoses that are there."""
    rows = {}
    for path in sorted(CACHE.glob(f"{label}*.jsonl")):
        if path.stem == label or path.stem.startswith(f"{label}."):
            for text in path.read_text().splitlines():
                row = json.loads(text)
                rows[row["kind"], row["name"], row["seed"]] = row
    return rows


def run(arguments: argparse.Namespace, listed: list[Item]) -> None:
    """Diagnose what is missing, a line as each is done."""
    shard, of = (int(n) for n in arguments.shard.split("/"))
    known = known_rows(arguments.label)
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / (f"{arguments.label}.jsonl" if of == 1 else f"{arguments.label}.{shard}-{of}.jsonl")
    started = time.perf_counter()
    for i, (item, seed) in enumerate((item, seed) for seed in arguments.seeds for item in listed):
        if i % of != shard or (item.kind, item.name, seed) in known:
            continue
        if time.perf_counter() - started > arguments.minutes * 60:
            print("the minutes are spent; call again to go on")
            return
        row = measure(item, seed, arguments)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(line_of(judged(row, item)), flush=True)


def main() -> None:
    """Diagnose, print, and write with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--label", default="latest")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--sample-seed", type=int, default=0)
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--causes", nargs="+")
    parser.add_argument("--programs", nargs="+")
    parser.add_argument("--kinds", nargs="+", default=["faulty", "twin", "healthy"], choices=["faulty", "twin", "healthy"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--budget", type=float, default=8.0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--unchecked", action="store_true", help="also cases whose harm was not checked yet")
    parser.add_argument("--recovery", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    listed = chosen(arguments)
    if not arguments.report:
        run(arguments, listed)
    known = known_rows(arguments.label)
    rows = [judged(known[key], item) for seed in arguments.seeds for item in listed if (key := (item.kind, item.name, seed)) in known]
    text = "\n".join(report(rows))
    print("\n" + text)
    if arguments.write:
        where = f"{datetime.date.today()}, torch {torch.__version__}, {len(rows)} of {len(listed) * len(arguments.seeds)} diagnoses"
        RESULTS.write_text(f"# Accuracy\n\n`python bench/accuracy.py`, {where}\n\n{text}\n")


if __name__ == "__main__":
    main()
