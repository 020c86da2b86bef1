"""Records to store: plain ones by name, and every kind of odd one by hypothesis."""

from __future__ import annotations

import json
import math

from hypothesis import strategies as st

from traindx.records import (
    Branch,
    Comparison,
    Cost,
    Curve,
    Diagnosis,
    Evidence,
    Finding,
    Outcome,
    Recipe,
    Record,
    RemedyRef,
    Run,
    Standing,
    Step,
    Treatment,
)


def exact(*records: Record) -> str:
    """Text that is equal only for records that are equal in every bit and in every order; NaN equals NaN."""
    return json.dumps([record.model_dump() for record in records])


def a_run(key: str, task: str = "task", length: int = 3) -> Run:
    curves = {name: Curve(steps=tuple(range(length)), values=tuple(s / 7 for s in range(length))) for name in ("train_loss", "batch_loss")}
    return Run(
        key=key,
        task=task,
        task_name="digits",
        recipe=Recipe(lr=0.1, optimizer_options={"betas": [0.9, 0.99]}),
        remedies=(RemedyRef(id="learning-rate", params={"factor": 10.0}),),
        outcome=Outcome.FINISHED,
        steps=length,
        epochs=1.5,
        seconds=0.25,
        curves=curves,
        spread={"train_loss": 0.01},
    )


def a_diagnosis(key: str, *runs: Run) -> Diagnosis:
    evidence = Evidence(experiment="lr-range", measure="loss", value=math.nan, runs=tuple(r.key for r in runs), details={"low": -math.inf})
    finding = Finding(cause="x", branch=Branch.OPTIMIZATION, standing=Standing.CONFIRMED, confidence=0.9, summary="s", evidence=(evidence,))
    return Diagnosis(
        key=key,
        task_name="digits",
        task_fingerprint="task",
        recipe=Recipe(),
        branch=Branch.OPTIMIZATION,
        sentence="It does not train.",
        findings=(finding,),
        evidence=(evidence,),
        runs=runs,
    )


def a_treatment(key: str, diagnosis: Diagnosis, *runs: Run) -> Treatment:
    return Treatment(key=key, diagnosis=diagnosis, recipe=Recipe(lr=0.2), verified=True, sentence="It trains now.", runs=runs)


# --- Odd ones ----------------------------------------------------------------------------------------------------------------------

INT64 = st.integers(-(2**63), 2**63 - 1)
SIZES = st.integers(0, 2**63 - 1)
KEYS = st.text("0123456789abcdef", min_size=1, max_size=20)
TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "\0", "a\0b", "\\", "\\u0000", "\ud800", "'; DROP TABLE runs; --", "é☃"]
)
FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324])
UNSIGNED_ZERO = FLOATS.map(lambda value: value + 0.0)  # a column of SQLite does not keep the sign of zero
SCALARS = st.booleans() | st.integers() | FLOATS | TEXTS
FACTS = st.dictionaries(TEXTS, SCALARS, max_size=3)
REMEDIES = st.lists(st.builds(RemedyRef, id=TEXTS, params=FACTS), max_size=2).map(tuple)


def tuples(items: st.SearchStrategy[Record], most: int = 2) -> st.SearchStrategy[tuple[Record, ...]]:
    return st.lists(items, max_size=most).map(tuple)


RECIPES = st.builds(
    Recipe,
    optimizer=TEXTS,
    lr=st.floats(min_value=0),
    weight_decay=st.floats(min_value=0),
    schedule=TEXTS,
    clip_norm=st.none() | st.floats(min_value=0, exclude_min=True),
    seed=st.integers(min_value=0),
    optimizer_options=st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=2), max_size=2),
)
CURVES = st.builds(Curve, steps=st.lists(INT64, max_size=4).map(tuple), values=st.lists(FLOATS, max_size=4).map(tuple))
RUNS = st.builds(
    Run,
    key=KEYS,
    task=KEYS,
    task_name=TEXTS,
    recipe=RECIPES,
    remedies=REMEDIES,
    outcome=st.sampled_from(Outcome),
    reason=TEXTS,
    steps=SIZES,
    epochs=UNSIGNED_ZERO,
    seconds=UNSIGNED_ZERO,
    horizon=st.none() | SIZES,
    threads=SIZES,
    device=TEXTS,
    parameters=SIZES,
    curves=st.dictionaries(TEXTS, CURVES, max_size=3),
    spread=st.dictionaries(TEXTS, FLOATS, max_size=2),
)
MAYBE = st.none() | FLOATS
EVIDENCE = st.builds(
    Evidence,
    experiment=TEXTS,
    measure=TEXTS,
    value=FLOATS,
    low=MAYBE,
    high=MAYBE,
    threshold=MAYBE,
    subject=TEXTS,
    remedy=st.none() | st.builds(RemedyRef, id=TEXTS, params=FACTS),
    runs=st.lists(KEYS, max_size=2).map(tuple),
    seeds=st.lists(st.integers(), max_size=2).map(tuple),
    step=st.none() | INT64,
    text=TEXTS,
    details=FACTS,
)
FINDINGS = st.builds(
    Finding,
    cause=TEXTS,
    branch=st.sampled_from(Branch),
    standing=st.sampled_from(Standing),
    confidence=st.floats(0, 1),
    summary=TEXTS,
    evidence=tuples(EVIDENCE),
    remedies=REMEDIES,
)
COSTS = st.builds(Cost, runs=FLOATS, seconds=FLOATS, baseline_seconds=FLOATS)
DIAGNOSES = st.builds(
    Diagnosis,
    key=KEYS,
    task_name=TEXTS,
    task_fingerprint=KEYS,
    task_summary=FACTS,
    recipe=RECIPES,
    branch=st.sampled_from(Branch),
    sentence=TEXTS,
    findings=tuples(FINDINGS, 1),
    path=tuples(st.builds(Step, question=TEXTS, answer=TEXTS, evidence=tuples(EVIDENCE, 1)), 1),
    advice=st.lists(TEXTS, max_size=2).map(tuple),
    evidence=tuples(EVIDENCE, 1),
    runs=tuples(RUNS),
    cost=COSTS,
    test_openings=SIZES,
)
COMPARISONS = st.builds(
    Comparison,
    measure=TEXTS,
    higher_is_better=st.booleans(),
    before=st.lists(FLOATS, max_size=2).map(tuple),
    after=st.lists(FLOATS, max_size=2).map(tuple),
    seeds=st.lists(st.integers(), max_size=2).map(tuple),
    gain=FLOATS,
    low=FLOATS,
    high=FLOATS,
    probability=st.floats(0, 1),
)
TREATMENTS = st.builds(
    Treatment,
    key=KEYS,
    diagnosis=DIAGNOSES,
    remedies=REMEDIES,
    recipe=RECIPES,
    verified=st.booleans(),
    sentence=TEXTS,
    comparisons=tuples(COMPARISONS, 1),
    runs=tuples(RUNS, 1),
    cost=COSTS,
    test_openings=SIZES,
)
