"""How often `traindx check` is right: on scripts written for the purpose, and on public repositories.

    python bench/check.py [FOLDER] [--write]

FOLDER holds checkouts, each in a folder named OWNER+NAME. ``results/check_judged.tsv`` keeps what was found when a violation was read by hand; one
that is not there counts as not judged. Notes (no seed is set) are counted apart: they are true by their wording. ``--write`` renews
results/check.md.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from traindx.check import RULES, Level, Violation, check

RESULTS = Path(__file__).parent / "results" / "check.md"
JUDGED = RESULTS.with_name("check_judged.tsv")
SCRIPTS = Path(__file__).parent.parent / "tests" / "check" / "scripts"
MARK = re.compile(r"#.*\b(TDX\d+)$")

DELETED = {
    "TDX101": re.compile(r"^(\s*)[\w.]+\.zero_grad\([^()]*\);?\s*(#.*)?$", re.MULTILINE),
    "TDX102": re.compile(r"^(\s*)[\w.]+\.backward\([^()]*\);?\s*(#.*)?$", re.MULTILINE),
    "TDX103": re.compile(r"^(\s*)[\w.]*opt\w*\.step\([^()]*\);?\s*(#.*)?$", re.MULTILINE),
}
"""The lines without which a script has a defect; each call stands alone on its line."""
MADE = re.compile(r"\boptim\.[A-Z]\w*\(")
"""A script that makes an optimizer of PyTorch itself."""

VERDICTS = ("true", "intended", "false", "")

Key = tuple[str, str, str, str]
"""Repository, file with its cell, line, code."""


@dataclass(frozen=True)
class Repository:
    """One checkout: how many scripts were read, and the keys of what was found."""

    name: str
    scripts: int
    unreadable: int
    found: tuple[Key, ...]
    notes: int


def key(violation: Violation, folder: Path) -> Key:
    within = Path(violation.path).relative_to(folder).as_posix()
    cell = "" if violation.cell is None else f":cell {violation.cell}"
    return folder.name.replace("+", "/"), f"{within}{cell}", str(violation.line), violation.code


def repositories(folder: Path) -> Iterator[Repository]:
    for checkout in sorted(path for path in folder.iterdir() if any(path.rglob("*.py")) or any(path.rglob("*.ipynb"))):
        checked = check([checkout])
        weighty = tuple(key(v, checkout) for v in checked.violations if v.level is not Level.NOTE)
        name = checkout.name.replace("+", "/")
        yield Repository(name, checked.scripts, len(checked.unreadable), weighty, len(checked.violations) - len(weighty))
        print(f"{name}: {checked.scripts} scripts", *("\t".join(k) for k in weighty), sep="\n", flush=True)


def judgements() -> dict[Key, str]:
    rows = [line.split("\t") for line in JUDGED.read_text().splitlines()] if JUDGED.exists() else []
    return {(repository, file, line, code): verdict for repository, file, line, code, verdict in rows}


def own_scripts() -> str:
    """Recall on the scripts with planted defects, false violations on the correct ones."""
    planted = found = extra = 0
    defects, correct = sorted((SCRIPTS / "defects").glob("*.py")), sorted((SCRIPTS / "correct").glob("*.py"))
    for path in defects:
        lines = path.read_text().splitlines()
        marked = {(number, m[1]) for number, line in enumerate(lines, start=1) if (m := MARK.search(line))}
        reported = {(v.line, v.code) for v in check([path]).violations}
        planted, found, extra = planted + len(marked), found + len(marked & reported), extra + len(reported - marked)
    false = len(check(correct).violations)
    return (
        f"{len(defects)} scripts with {planted} planted defects: {found} found ({found / planted:.0%}), {extra} reported elsewhere. "
        f"{len(correct)} correct scripts: {false} reported."
    )


def deleted(folder: Path) -> Iterator[str]:
    """Recall on other people's code: every call of one kind deleted from each script that has all three kinds."""
    yield "| deleted | scripts | found |"
    yield "|---|---|---|"
    scripts = [path for path in sorted(folder.rglob("*.py")) if _is_plain_training(path.read_text(errors="replace"))]
    for code, calls in DELETED.items():
        found = 0
        for path in scripts:
            with TemporaryDirectory() as scratch:
                mutant = Path(scratch, "train.py")
                mutant.write_text(calls.sub(r"\1pass", path.read_text(errors="replace")))
                found += any(v.code == code for v in check([mutant]).violations)
        (rule,) = [rule for rule in RULES if rule.code == code]
        yield f"| {code} {rule.name} | {len(scripts)} | {found} |"


def _is_plain_training(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return bool(MADE.search(code)) and all(calls.search(code) for calls in DELETED.values())


def table(found: list[Repository], judged: dict[Key, str]) -> Iterator[str]:
    yield "| repository | scripts | unreadable | violations | true | intended | false | not judged | notes |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for repository in found:
        verdicts = Counter(judged.get(k, "") for k in repository.found)
        counts = (len(repository.found), *(verdicts[v] for v in VERDICTS), repository.notes)
        yield f"| {repository.name} | {repository.scripts} | {repository.unreadable} | {' | '.join(map(str, counts))} |"
    every = [judged.get(k, "") for repository in found for k in repository.found]
    sums = [sum(r.scripts for r in found), sum(r.unreadable for r in found), len(every), *(every.count(v) for v in VERDICTS)]
    yield f"| **all** | {' | '.join(map(str, sums))} | {sum(r.notes for r in found)} |"


def by_rule(found: list[Repository], judged: dict[Key, str]) -> Iterator[str]:
    yield "| rule | violations | true | intended | false | not judged |"
    yield "|---|---|---|---|---|---|"
    for rule in RULES:
        verdicts = [judged.get(k, "") for repository in found for k in repository.found if k[3] == rule.code]
        if verdicts:
            yield f"| {rule.code} {rule.name} | {len(verdicts)} | {' | '.join(str(verdicts.count(v)) for v in VERDICTS)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    print(own_scripts())
    if arguments.folder is None:
        return
    found, judged = list(repositories(arguments.folder)), judgements()
    public = "\n".join([*table(found, judged), "", "By rule, notes aside:", "", *by_rule(found, judged)])
    public += "\n\n" + "\n".join(
        ["Every call of one kind deleted from each script that makes its optimizer itself:", "", *deleted(arguments.folder)]
    )
    print(public)
    if arguments.write:
        text = RESULTS.read_text() if RESULTS.exists() else ""
        remarks = text[text.index("## Remarks") :] if "## Remarks" in text else "## Remarks\n"
        RESULTS.write_text(f"{HEAD}\n{own_scripts()}\n\n## Public repositories\n\n{READING}\n\n{public}\n\n{remarks}")


HEAD = """# How often `traindx check` is right

`python bench/check.py FOLDER --write` renews this page but for the remarks.

## Scripts written for the purpose

In `tests/check/scripts`; a line with a defect says which, and a report of another line or rule counts against it.
"""
READING = """Every violation above a note was read by hand (`check_judged.tsv` has the verdicts): true where the message names a mistake or a cost, intended
where it is right and the authors meant it (a test of that very mistake, a dropout that a comment explains), else false. The rules were mended where
a first reading showed them wrong, so these figures are not of code they had never seen. Notebooks that Python cannot parse, exercises with gaps
mostly, are counted as unreadable."""

if __name__ == "__main__":
    main()
