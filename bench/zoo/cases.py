"""Cases: a program with a planted fault, and its healthy twin that differs in that fault only.

Programs: which of them a fault is planted in is drawn once, by a fixed hash, the first and the second lot of programs apart.
Scripts: each with its own mistakes. Which scripts are held out, they say themselves; the programs and all other scripts are for calibration.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import traindx as tdx
from zoo.faults import BRANCHES, FAULTS, Fault, nothing
from zoo.programs import PROGRAMS, Draft
from zoo.scoring import Judged, score
from zoo.scripts import SCRIPTS, Mistake

CHECKED = Path(__file__).parent / "checked.json"
# Candidates a cause in the two lots of programs: more than are wanted, since `check.py` drops those that do no harm.
CANDIDATES = {False: 12, True: 10}


@dataclass(frozen=True)
class Case:
    """A faulty training and its twin."""

    program: str
    fault: Fault | Mistake
    variant: int

    @property
    def name(self) -> str:
        """Names the program, the cause, the fault and the variant."""
        return f"{self.program}/{self.cause}/{self.fault.name}/{self.variant}"

    @property
    def cause(self) -> str:
        """The planted cause."""
        return self.fault.cause

    @property
    def branch(self) -> str:
        """Its branch."""
        return BRANCHES[self.cause]

    @property
    def severity(self) -> str:
        """Mild, medium or gross."""
        return self.fault.severity

    @property
    def held_out(self) -> bool:
        """Whether rules were never mended after a look at the program."""
        return isinstance(self.fault, Mistake) and SCRIPTS[self.program].held_out

    def draft(self, faulty: bool) -> Judged:
        """The training in the making."""
        if isinstance(self.fault, Mistake):
            return SCRIPTS[self.program].planted(self.fault, self.variant, faulty)
        draft = PROGRAMS[self.program].draft(self.variant)
        self.fault.prepare(draft)
        if faulty:
            self.fault.plant(draft)
        return draft

    def plain(self) -> Judged | None:
        """The program without what was done to it for the fault's sake; None where nothing was."""
        if isinstance(self.fault, Mistake) or self.fault.prepare is nothing:
            return None
        return PROGRAMS[self.program].draft(self.variant)

    def build(self, faulty: bool) -> tuple[tdx.Task, tdx.Recipe]:
        """The task and the recipe as they are diagnosed."""
        draft = self.draft(faulty)
        return draft.task(), draft.recipe

    def scoring(self, faulty: bool) -> tuple[Judged, tdx.Task]:
        """The draft, and its task with the rows it is judged on as test set: never diagnosed."""
        draft = self.draft(faulty)
        return draft, draft.task(scoring=True)

    def score(self, faulty: bool, seed: int = 0) -> float:
        """How good the training gets under this seed."""
        draft, task = self.scoring(faulty)
        return score(draft, task, draft.recipe.replace(seed=seed))


@cache
def _plain(program: str) -> Draft:
    """The program without a fault, to ask what can be planted in it."""
    return PROGRAMS[program].draft()


def _candidates(cause: str, second: bool) -> list[Case]:
    """The faults of a cause in turn, each in the program that has fewest of them; the same whatever other causes have."""
    names = [p.name for p in PROGRAMS.values() if p.second == second]
    faults = [f for f in FAULTS if f.cause == cause]
    here: Counter[str] = Counter()
    cases: list[Case] = []
    for turn in range(CANDIDATES[second]):
        fault = faults[(turn + 2 * second) % len(faults)]
        fitting = [n for n in names if fault.sensible(_plain(n))]
        if fitting:
            chosen = min(fitting, key=lambda n: (here[n], zlib.crc32(f"{n}/{cause}".encode())))
            here[chosen] += 1
            cases.append(Case(chosen, fault, 1 + zlib.crc32(f"{chosen}/{fault.name}/{turn}".encode()) % 97))
    return cases


@cache
def scripted_cases() -> tuple[Case, ...]:
    """Every case of a script that may be one."""
    return tuple(
        Case(script.name, mistake, 1 + zlib.crc32(f"{script.name}/{mistake.cause}/{mistake.name}".encode()) % 97)
        for script in SCRIPTS.values()
        for mistake in script.mistakes
    )


@cache
def candidates() -> tuple[Case, ...]:
    """Every case that may be one, calibration first."""
    drawn = [case for second in (False, True) for cause in BRANCHES for case in _candidates(cause, second)]
    return (*dict.fromkeys(drawn), *scripted_cases())  # a fault may be drawn twice in one program


@cache
def checked() -> dict[str, Any]:
    """What `check.py` found, by name."""
    return json.loads(CHECKED.read_text()) if CHECKED.exists() else {}


def cases(unchecked: bool = False) -> list[Case]:
    """The cases whose fault was shown to do harm; with ``unchecked`` also those not looked at yet."""
    known = checked()
    return [c for c in candidates() if (known[c.name]["kept"] if c.name in known else unchecked)]


def equivalents(case: Case) -> set[str]:
    """The causes whose cure was shown to mend this case, its own included."""
    return {case.cause, *checked().get(case.name, {}).get("equivalents", ())}
