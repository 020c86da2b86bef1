"""The values all parts of traindx pass on: recipe, run, evidence, finding, diagnosis, treatment.

Every record is frozen, holds plain values only (no tensors, no models) and survives JSON unchanged, so it can be stored, shown and
compared without PyTorch. Errors that a user can mend are declared here too::

    TraindxError
    ├── InputError          what was given cannot be used: names the argument, what was found, what to do
    └── NotApplicable       a remedy or an experiment lacks a stated precondition; the text is that precondition
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError


class TraindxError(Exception):
    """Base of every error that traindx raises on purpose."""


class InputError(TraindxError, ValueError):
    """What was given cannot be used. One line: the argument, what was found, what to do."""

    def __init__(self, argument: str, found: str, remedy: str) -> None:
        self.argument, self.found, self.remedy = argument, found, remedy
        super().__init__(f"{argument}: {found}; {remedy}")


class NotApplicable(TraindxError):
    """A remedy or an experiment cannot be applied here; the message names the missing precondition."""


class Branch(StrEnum):
    """The leaves of the guide's flowchart."""

    HEALTHY = "healthy"
    OPTIMIZATION = "optimization"
    MODEL_BIAS = "model-bias"
    OVERFITTING = "overfitting"
    MISMATCH = "mismatch"
    DATA = "data"
    DEFECT = "defect"
    UNDECIDED = "undecided"


class Standing(StrEnum):
    """What is known of a cause. Five different answers, none of them silence."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"
    UNDECIDED = "undecided"
    CLEARED = "cleared"
    NOT_APPLICABLE = "not-applicable"


class Outcome(StrEnum):
    """How a run ended. A run that fails is a result, not a crash."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    STOPPED = "stopped"
    FAILED = "failed"


class Record(BaseModel):
    """A frozen, storable value."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", protected_namespaces=())

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed, validated again."""
        return type(self).model_validate({**dict(self), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: tuples are lists, NaN and infinities are the strings "NaN", "Infinity", "-Infinity"."""
        plain: dict[str, Any] = json.loads(self.model_dump_json())
        return plain


_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# JSON has no words for NaN and infinities: they travel as these strings and come back as numbers.
Scalar = Annotated[
    bool | int | float | str, AfterValidator(lambda value: _NOT_FINITE.get(value, value) if isinstance(value, str) else value)
]


class Recipe(Record):
    """How a task is trained. Every field may be changed by a remedy; the difference is what the report shows.

    ``optimizer`` is the name of a class in ``torch.optim``, lower-case, or "module:Class". ``schedule`` is ``constant``, ``cosine``,
    ``linear``, ``exponential:GAMMA``, ``step:EVERY:GAMMA`` (GAMMA per epoch, EVERY in epochs) or ``ramp:FACTOR`` (to FACTOR times the rate,
    by the same share at every update: what a range test does). ``max_steps`` ends a training early and is the horizon of its schedule.
    ``early_stopping`` is a patience in epochs without a lower validation loss; the best weights are restored. ``momentum`` is ignored by
    optimizers that have none.
    """

    optimizer: str = "sgd"
    lr: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=64, ge=1)
    epochs: int = Field(default=10, ge=1)
    schedule: str = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)
    accumulate: int = Field(default=1, ge=1)
    early_stopping: int | None = Field(default=None, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    precision: Literal["float32", "float64", "bfloat16"] = "float32"
    shuffle: bool = True
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    optimizer_options: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)

    def __init__(self, /, **fields: Any) -> None:
        if not isinstance(optimizer := fields.get("optimizer", "sgd"), str):
            fields["optimizer"] = f"{optimizer.__module__}:{optimizer.__qualname__}"
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _recipe_error(error) from None

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return type(self)(**{**dict(self), **changes})

    def differences(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The fields in which two recipes differ, as ``{field: (mine, theirs)}``."""
        return {name: (mine, theirs) for name, mine in self if (theirs := getattr(other, name)) != mine}


def _recipe_error(error: ValidationError) -> InputError:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else "recipe"
    if first["type"] == "extra_forbidden":
        return InputError(f"Recipe({field}=...)", "no such field", f"use one of {', '.join(Recipe.model_fields)}")
    return InputError(f"Recipe({field}=...)", f"found {first['input']!r}", first["msg"][:1].lower() + first["msg"][1:])


class Observation(Record):
    """One number at one step: what a probe recorded."""

    name: str
    step: int
    value: float


class Curve(Record):
    """All observations of one name within a run, in the order of their steps (optimizer updates done so far)."""

    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def last(self) -> float:
        """The latest value; NaN when there is none."""
        return self.values[-1] if self.values else math.nan

    def at(self, step: int) -> float:
        """The latest value observed at or before ``step``; NaN when there is none."""
        return next((v for s, v in zip(reversed(self.steps), reversed(self.values), strict=True) if s <= step), math.nan)


class RemedyRef(Record):
    """A remedy by its id and parameters: enough to build it again."""

    id: str
    params: dict[str, Scalar] = Field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.id, tuple(sorted(self.params.items()))))

    def __str__(self) -> str:
        return self.id + (f"({', '.join(f'{k}={_short(v)}' for k, v in self.params.items())})" if self.params else "")


def _short(value: Scalar) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


OUT_OF_TIME = "the time limit"


class Run(Record):
    """One training of (task, recipe, seed): its outcome, observations and costs.

    ``curves`` holds at least ``batch_loss``, and ``train_loss``, ``train_metric``, ``validation_loss``, ``validation_metric`` measured in
    evaluation mode. ``spread`` maps a curve's name to the standard error of its last value over the evaluated rows. ``horizon`` is the
    step at which the run was told to stop although its recipe goes on: a short run of a race.
    """

    key: str
    task: str
    task_name: str
    recipe: Recipe
    remedies: tuple[RemedyRef, ...] = ()
    outcome: Outcome
    reason: str = ""
    steps: int
    epochs: float
    seconds: float
    horizon: int | None = None
    threads: int = 1
    device: str = "cpu"
    parameters: int = 0
    curves: dict[str, Curve] = Field(default_factory=dict)
    spread: dict[str, float] = Field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The seed of weights and data order."""
        return self.recipe.seed

    @property
    def out_of_time(self) -> bool:
        """Whether a limit in seconds ended the run: on another day it may go on."""
        return self.outcome is Outcome.STOPPED and self.reason.startswith(OUT_OF_TIME)

    def last(self, name: str) -> float:
        """The final value of one curve; NaN when it was never observed."""
        return self.curves[name].last if name in self.curves else math.nan

    def observations(self) -> list[Observation]:
        """Every observation of the run, curve by curve."""
        return [Observation(name=n, step=s, value=v) for n, c in self.curves.items() for s, v in zip(c.steps, c.values, strict=True)]


class Evidence(Record):
    """One measured number and what it is held against.

    ``low`` and ``high`` bound the value (a 95 % interval unless ``details`` says otherwise). ``subject`` says what was measured: a remedy, a
    reference model, a layer, a column. ``threshold`` is the named constant the value is compared with.
    """

    experiment: str
    measure: str
    value: float
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    subject: str = ""
    remedy: RemedyRef | None = None
    runs: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    step: int | None = None
    text: str = ""
    details: dict[str, Scalar] = Field(default_factory=dict)


class Question(Record):
    """An experiment asked for: which one, about which remedies, and the numbers it needs of what is known so far.

    ``priors`` go with ``remedies``: how strongly signs point to each, from 0 to 1.
    """

    experiment: str
    remedies: tuple[RemedyRef, ...] = ()
    priors: tuple[float, ...] = ()
    params: dict[str, Scalar] = Field(default_factory=dict)


class Finding(Record):
    """A cause's standing, with the evidence for it and the remedies that were tried or would settle it."""

    cause: str
    branch: Branch
    standing: Standing
    confidence: float = Field(ge=0, le=1)
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remedies: tuple[RemedyRef, ...] = ()


class Step(Record):
    """One question of the flowchart with its answer: the path a diagnosis took."""

    question: str
    answer: str
    evidence: tuple[Evidence, ...] = ()


class Cost(Record):
    """What a diagnosis took: in baseline runs (by steps trained, so reproducible) and in wall seconds, all included."""

    runs: float = 0.0
    seconds: float = 0.0
    baseline_seconds: float = 0.0

    @property
    def ratio(self) -> float:
        """Wall seconds of everything over those of one baseline run."""
        return self.seconds / self.baseline_seconds if self.baseline_seconds else math.nan


def _saved(record: Any, path: str | Path) -> Path:
    from traindx import report

    return report.save(record, Path(path))


class Shown(Record):
    """A record that knows how to show itself; the report is imported when it is asked for."""

    _task: Any = PrivateAttr(default=None)
    _memory: Any = PrivateAttr(default=None)

    @property
    def task(self) -> Any:
        """The live task, in the process that made this record; None after loading from a file or a store."""
        return self._task

    def save(self, path: str | Path) -> Path:
        """Write one self-contained HTML file or, by the ending, JSON. Returns the path."""
        return _saved(self, path)

    def __str__(self) -> str:
        from traindx import report

        return report.to_text(self)  # type: ignore[arg-type]  # the two records that are shown

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from traindx import report

        return report.to_html(self, fragment=True)  # type: ignore[arg-type]


class Diagnosis(Shown):
    """The branch of the guide, the ranked findings, the path that led there and the runs behind it."""

    schema_version: Literal[1] = 1
    key: str
    task_name: str
    task_fingerprint: str
    task_summary: dict[str, Scalar] = Field(default_factory=dict)
    recipe: Recipe
    branch: Branch
    sentence: str
    findings: tuple[Finding, ...] = ()
    path: tuple[Step, ...] = ()
    advice: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    runs: tuple[Run, ...] = ()
    cost: Cost = Cost()
    test_openings: int = 0

    @property
    def top(self) -> Finding | None:
        """The first confirmed finding, else the first suspected one, else None."""
        for standing in (Standing.CONFIRMED, Standing.SUSPECTED):
            for finding in self.findings:
                if finding.standing is standing:
                    return finding
        return None

    @property
    def healthy(self) -> bool:
        """Nothing was found that an experiment confirms, and the losses are where they can be."""
        return self.branch is Branch.HEALTHY

    @property
    def baseline(self) -> Run | None:
        """The first run of the untouched task and recipe, at full length."""
        return next((r for r in self.runs if not r.remedies and r.horizon is None), None)


# The chance of error that a 95 % interval leaves on either side.
ONE_SIDED = 0.025


class Comparison(Record):
    """Before against after, paired over seeds: one measure of a treatment.

    ``low`` and ``high`` are Student's 95 % interval of the mean paired ``gain``, ``probability`` that it is above zero under the same model;
    of measures that are positive and better when lower, gains are what the mean ratio takes off the mean before.
    On a test set that answered several questions the intervals hold for all ``looks`` together, and are wider for it (Bonferroni).
    Without any model: ``wins`` is the share of pairs that improved, ``p_value`` that of Wilcoxon's signed-rank test of no improvement (with
    five pairs that all improve it is 1/32; None where no pair differs).
    """

    measure: str
    higher_is_better: bool
    before: tuple[float, ...]
    after: tuple[float, ...]
    seeds: tuple[int, ...]
    gain: float
    low: float
    high: float
    looks: int = Field(default=1, ge=1)
    probability: float = Field(ge=0, le=1)
    wins: float = Field(default=0.0, ge=0, le=1)
    p_value: float | None = None

    @property
    def improved(self) -> bool:
        """The interval of the paired gain lies above zero; or ranks alone say so as surely, where one large gain widens the interval."""
        return self.low > 0 or (self.gain > 0 and self.p_value is not None and self.p_value <= ONE_SIDED / self.looks)


class Treatment(Shown):
    """The remedies applied, and their verification on seeds, and where there is one on a test set, that played no part in choosing them.

    ``changes`` tells them for the user's own code: a sentence a remedy, lines of code for the network, counts of rows, numbers of the recipe.
    """

    schema_version: Literal[1] = 1
    key: str
    diagnosis: Diagnosis
    remedies: tuple[RemedyRef, ...] = ()
    recipe: Recipe
    changes: tuple[str, ...] = ()
    verified: bool
    sentence: str
    comparisons: tuple[Comparison, ...] = ()
    runs: tuple[Run, ...] = ()
    cost: Cost = Cost()
    test_openings: int = 0

    def export(self, path: str | Path) -> Any:
        """Write a plain PyTorch script of the treated training, with data, recipe and weights beside it; see `traindx.handover`."""
        from traindx import handover

        return handover.export(self, path)


class Profile(Record):
    """The loss at points on a line: ``positions`` in the unit that ``label`` says, 0 where the weights are. ``marks`` name positions."""

    name: str
    label: str
    positions: tuple[float, ...]
    losses: tuple[float, ...]
    marks: dict[str, float] = Field(default_factory=dict)


class Surface(Record):
    """The loss in a plane: ``losses[i][j]`` at ``y[i]`` and ``x[j]``, the weights at (0, 0), and the way of the training in it."""

    name: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    way_x: tuple[float, ...] = ()
    way_y: tuple[float, ...] = ()
    note: str = ""


class Curvature(Shown):
    """What the training loss looks like around the weights of a run at one step: what kind of point that is, its spectrum, its pictures.

    ``answer`` is ``not-critical``, ``saddle``, ``minimum-like``, ``flat`` or ``undecided``. ``curves`` follow the training;
    ``density`` is that of the eigenvalues, where it was estimated.
    """

    schema_version: Literal[1] = 1
    key: str
    task_name: str
    task_fingerprint: str
    recipe: Recipe
    step: int
    answer: str
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    curves: dict[str, Curve] = Field(default_factory=dict)
    density: Profile | None = None
    profiles: tuple[Profile, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    run: Run
    cost: Cost = Cost()


class Verdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not-reproduced"
    DIFFERS = "differs"
    SKIPPED = "skipped"


class Check(Record):
    """One number that was measured, beside the lecture's, and whether it is what counts as reproduced.

    Of trainings it is the mean over seeds, with Student's 95 % interval of that mean.
    """

    label: str
    measured: float
    low: float | None = None
    high: float | None = None
    lecture: str
    holds: bool


class Plot(Record):
    """Lines over one axis, or ``points`` of several kinds: ``lines`` by name, each positions and heights.

    ``log`` and ``log_x`` say which axes are logarithmic; ``names`` are those of the positions 1, 2, ….
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    lines: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    log: bool = False
    log_x: bool = False
    marks: dict[str, float] = Field(default_factory=dict)
    points: bool = False
    names: tuple[str, ...] = ()


class LabResult(Record):
    """What a lab found."""

    name: str
    claims: tuple[int, ...]
    question: str
    claim: str
    source: str
    verdict: Verdict
    sentence: str
    checks: tuple[Check, ...] = ()
    plots: tuple[Plot, ...] = ()
    seconds: float = 0.0


def find(evidence: Sequence[Evidence], experiment: str, measure: str, subject: str | None = None) -> Evidence | None:
    """The latest evidence of this experiment and measure (and subject), or None."""
    for item in reversed(evidence):
        if item.experiment == experiment and item.measure == measure and subject in (None, item.subject):
            return item
    return None
