"""A lab puts one claim of the guide to the test: a question, an experiment, numbers beside the lecture's, and a verdict that follows from them.

To write one: a file with a class that has the names below, and its place in the list of `traindx.labs`. The verdict is never written down: it is
``reproduced`` where every check holds, ``differs`` where the lab's own alternative is what was seen, and ``not-reproduced`` else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from scipy.stats import t

from traindx import api
from traindx.records import Check, Evidence, LabResult, Plot, Recipe, Record, Run, Verdict
from traindx.store import Store, open_store
from traindx.tasks import Task
from traindx.tasks.fingerprint import digest
from traindx.training.keys import CODE_VERSION

# Under which the store keeps what became of a lab.
EXPERIMENT = "lab"


class Seen(Record):
    """What an experiment saw: its checks, its pictures, one sentence, and whether the lab's alternative is what happened."""

    sentence: str
    checks: tuple[Check, ...]
    plots: tuple[Plot, ...] = ()
    differs: bool = False


class MissingData(Exception):
    """A data set that a lab needs is not in the folder."""


@dataclass
class Context:
    """What a lab may use: seeds, a folder with data sets, a memory of finished runs, and whether to take the large version."""

    seeds: Sequence[int] = (0, 1, 2)
    data: Path | None = None
    full: bool = False
    store: Store | str | None = None
    progress: Callable[[str], None] = field(default=lambda text: None)

    def folder(self, name: str) -> Path:
        """The folder of a data set.

        Raises:
            MissingData: when it is not there.

        """
        if self.data is None or not (self.data / name).is_dir():
            raise MissingData(f"needs the data set {name}: " + ("give --data FOLDER" if self.data is None else f"not in {self.data}"))
        return self.data / name

    def train(self, task: Task, recipe: Recipe, told: str) -> list[Run]:
        """One run a seed; runs that the store knows are not trained again."""
        runs = []
        for seed in self.seeds:
            self.progress(f"{told}, seed {seed}")
            runs.append(api.train(task, recipe.replace(seed=seed), store=self.store))
        return runs


class Lab(Protocol):
    """One claim, or a close group of claims, of the guide."""

    @property
    def name(self) -> str:
        """By which it is called."""

    @property
    def claims(self) -> tuple[int, ...]:
        """Their numbers, in the order of the guide."""

    @property
    def question(self) -> str:
        """What is asked."""

    @property
    def claim(self) -> str:
        """What the guide says."""

    @property
    def source(self) -> str:
        """Where it says so."""

    def run(self, context: Context) -> Seen:
        """The experiment."""


def conduct(lab: Lab, context: Context) -> LabResult:
    """Run the lab and draw its verdict; with a store, a lab that ended with the same code, data and seeds is not run again."""
    if context.store is None:
        return _conducted(lab, context)
    with _opened(context.store) as store:
        key = _key(lab, context)
        known = store.get_evidence(key)
        if known:
            return LabResult.model_validate_json(known[0].text)
        result = _conducted(lab, replace(context, store=store))
        if result.verdict is not Verdict.SKIPPED:
            told = Evidence(experiment=EXPERIMENT, measure=lab.name, value=result.seconds, text=result.model_dump_json())
            store.put_evidence(key, EXPERIMENT, [told])
        return result


def _opened(store: Store | str) -> AbstractContextManager[Store]:
    return nullcontext(store) if isinstance(store, Store) else open_store(store)


def _key(lab: Lab, context: Context) -> str:
    """Equal where the numbers are: the lab, the code of all labs, the names and sizes of the data files, seeds, version of torch."""
    code = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    files = sorted(path for path in context.data.rglob("*") if path.is_file()) if context.data else []
    data = [(path.name, path.stat().st_size) for path in files]
    return digest(EXPERIMENT, lab.name, code, data, tuple(context.seeds), context.full, CODE_VERSION, torch.__version__)


def _conducted(lab: Lab, context: Context) -> LabResult:
    started = time.perf_counter()
    about: dict[str, Any] = {name: getattr(lab, name) for name in ("name", "claims", "question", "claim", "source")}
    try:
        seen = lab.run(context)
    except MissingData as missing:
        return LabResult(**about, verdict=Verdict.SKIPPED, sentence=str(missing))
    holds = all(check.holds for check in seen.checks)
    verdict = Verdict.REPRODUCED if holds else Verdict.DIFFERS if seen.differs else Verdict.NOT_REPRODUCED
    return LabResult(
        **about,
        verdict=verdict,
        sentence=seen.sentence,
        checks=seen.checks,
        plots=seen.plots,
        seconds=time.perf_counter() - started,
    )


def near(label: str, measured: float, wanted: float, tolerance: float) -> Check:
    """Whether a number is the lecture's, to an absolute tolerance."""
    return Check(label=label, measured=measured, lecture=f"{wanted:g}", holds=bool(abs(measured - wanted) <= tolerance))


def over_seeds(label: str, values: np.ndarray, lecture: str, holds: bool | np.bool_) -> Check:
    """The mean of what every seed gave, with its 95 % interval."""
    low, high = interval(values) if len(values) > 1 else (None, None)
    return Check(label=label, measured=float(values.mean()), low=low, high=high, lecture=lecture, holds=bool(holds))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Student's 95 % interval of the mean."""
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def thinned(values: np.ndarray, points: int = 400) -> np.ndarray:
    """Row numbers for a picture: few at first, then fewer and fewer."""
    last = len(values) - 1
    return np.unique(np.r_[0, np.geomspace(1, max(last, 1), points).round().astype(int).clip(max=last)])
