"""The zoo: every fault can be planted, differs from its twin, and the figures are computed right."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from accuracy import wilson
from zoo.cases import Case, candidates
from zoo.faults import BRANCHES, FAULTS
from zoo.programs import PROGRAMS
from zoo.scripts import SCRIPTS

# Programs on data that ships with scikit-learn.
SHIPPED = [
    "digits-mlp",
    "digits-deep-tanh",
    "digits-lstm",
    "digits-encoder",
    "digits-cnn",
    "friedman1-gelu",
    "clusters-sgd",
    "linear-sgd",
    "cancer-mlp",
    "moons-bce",
]


def test_every_cause_can_be_planted() -> None:
    assert {f.cause for f in FAULTS} == set(BRANCHES)


def test_a_fault_has_one_name_within_its_cause() -> None:
    names = [(f.cause, f.name) for f in FAULTS]
    assert len(names) == len(set(names))


def test_most_causes_are_planted_in_held_out_scripts() -> None:
    held_out = [script for script in SCRIPTS.values() if script.held_out]
    causes = Counter(mistake.cause for script in held_out for mistake in script.mistakes)
    assert len(held_out) >= 8
    assert set(causes) <= set(BRANCHES) and len(causes) >= 0.6 * len(BRANCHES)  # as people ask about them: some hardly ever
    assert sum(count >= 2 for count in causes.values()) >= 0.4 * len(BRANCHES)


def test_only_the_later_scripts_are_held_out() -> None:
    held_out = {case.program for case in candidates() if case.held_out}
    assert held_out == {name for name, script in SCRIPTS.items() if script.held_out}
    assert not held_out & set(PROGRAMS)
    assert "hastie-silu" not in held_out


def test_a_case_has_one_name() -> None:
    names = [case.name for case in candidates()]
    assert len(names) == len(set(names))


# Scripts on data that ships with scikit-learn or is drawn.
@pytest.mark.parametrize(
    "name",
    [
        *("hastie-silu", "shells-deep", "patch-autoencoder", "adding-gru", "majority-transformer", "spectral-lines", "cancer-selu"),
        *("robot-arm", "beacons", "tank-lstm", "bearing-conv", "chords", "bicycle-loans", "molecule-assay"),
        *("shape-pictures", "digit-pairs", "motif-attention", "remarks-gru"),
    ],
)
def test_a_mistake_differs_from_its_twin(name) -> None:
    script = SCRIPTS[name]
    for mistake in script.mistakes:
        faulty, twin = (script.planted(mistake, 1, planted) for planted in (True, False))
        task = faulty.task()
        assert task.build(0) is not None
        assert faulty.recipe.seed == twin.recipe.seed
        same_rows = all(_equal(a, b) for a, b in zip(_tables(faulty), _tables(twin), strict=True))
        assert mistake.faulty or not same_rows or faulty.loss.reduction != twin.loss.reduction


def _tables(training):
    return [array for pair in (training.train, training.validation, training.test) for array in (pair or ())]


def test_two_variants_of_a_script_are_two_trainings() -> None:
    first, second = (SCRIPTS["hastie-silu"].training(v) for v in (1, 2))
    assert first.recipe != second.recipe
    assert not _equal(first.train[0], second.train[0])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.cause}-{f.name}")
def test_a_fault_differs_from_its_twin(fault) -> None:
    fitting = [name for name in SHIPPED if fault.sensible(PROGRAMS[name].draft())]
    if not fitting:
        pytest.skip("no program on shipped data")
    case = Case(fitting[0], fault, 1)
    assert case.build(True)[1].seed == case.build(False)[1].seed
    faulty, twin = case.draft(True), case.draft(False)
    parts = [
        (*(vars(d)[k] for k in ("arch", "recipe", "shape", "form")), repr(d.loss), d.loss.reduction, len(d.changes)) for d in (faulty, twin)
    ]
    same_rows = all((a is None) == (b is None) and (a is None or _equal(a, b)) for a, b in zip(_rows(faulty), _rows(twin), strict=True))
    assert parts[0] != parts[1] or not same_rows or fault.cause == "local-minimum"


def _rows(draft):
    tables = [(draft.x, draft.y), draft.validation, draft.test]
    return [array for pair in tables for array in (pair or (None, None))]


def _equal(a, b) -> bool:
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def test_two_variants_are_two_trainings() -> None:
    first, second = (PROGRAMS["digits-mlp"].draft(v) for v in (1, 2))
    assert first.recipe != second.recipe
    assert not _equal(first.x, second.x)


def test_the_interval_of_wilson() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
