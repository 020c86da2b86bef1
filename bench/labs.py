"""The labs on this machine: what became of every claim of the guide, with its numbers and its seconds.

    python bench/labs.py [NAME ...] [--store FILE] [--seeds 3] [--write]

What the store knows is not run again, so labs can be run side by side into one store and written by a last call.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path

import torch

from data import HOME
from traindx.labs import LABS, Context, conduct
from traindx.records import LabResult, Verdict
from traindx.report.labs import details

RESULTS = Path(__file__).parent / "results" / "labs.md"


def report(results: list[LabResult], seeds: int) -> str:
    """A scoreboard, and every number beside the lecture's."""
    claims = {claim for r in results if r.verdict is not Verdict.SKIPPED for claim in r.claims}
    counts = ", ".join(f"{sum(r.verdict is v for r in results)} {v.value}" for v in Verdict)
    covered = {v: sum(len(r.claims) for r in results if r.verdict is v) for v in Verdict}
    lines = [
        "# Labs",
        "",
        f"`python bench/labs.py --write`, {datetime.date.today()}, torch {torch.__version__}, {torch.get_num_threads()} threads on "
        f"{os.cpu_count()} shared cores, {seeds} seeds.",
        "",
        f"{len(results)} labs: {counts}. {len(claims)} of 31 claims: {', '.join(f'{n} {v.value}' for v, n in covered.items())}. "
        f"{sum(r.seconds for r in results) / 60:.0f} minutes, one lab after the other.",
        "",
        "| lab | claims | verdict | what was seen | seconds |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.name} | {', '.join(map(str, r.claims))} | {r.verdict.value} | {r.sentence.replace('|', chr(92) + '|')} | {r.seconds:.0f} |"
        for r in results
    ]
    return "\n".join([*lines, "", "```text", "\n\n".join(map(details, results)), "```", ""])


def main() -> None:
    """Run what is missing, print, and write with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*LABS, []])
    parser.add_argument("--store", default=str(Path(__file__).parent / ".cache" / "labs.db"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    Path(arguments.store).parent.mkdir(parents=True, exist_ok=True)
    context = Context(
        seeds=tuple(range(arguments.seeds)),
        data=HOME if HOME.is_dir() else None,
        store=arguments.store,
        progress=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    results = []
    for name in arguments.names or LABS:
        results.append(conduct(LABS[name], context))
        print(f"{name:<16} {results[-1].verdict.value:<15} {results[-1].seconds:6.1f} s  {results[-1].sentence}", flush=True)
    if arguments.write:
        RESULTS.write_text(report(results, arguments.seeds))


if __name__ == "__main__":
    main()
