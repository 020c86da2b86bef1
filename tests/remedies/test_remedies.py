"""One suite for all remedies, and what each of them promises besides."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from patients import OF_THE_RECIPE, RECIPE, SAMPLES, flipped, network, patient, rows
from torch import Tensor, nn

from traindx.records import InputError, NotApplicable, Outcome, Recipe, RemedyRef
from traindx.remedies import (
    REMEDIES,
    AddDropout,
    AddSkips,
    AddWeightDecay,
    AlignTestInputs,
    BlackBoxShift,
    Deepen,
    DropSuspectLabels,
    FewerRows,
    ImportanceWeights,
    InsertNormalization,
    MatchClassProportions,
    MoreEpochs,
    Narrow,
    RealignLabels,
    Remedy,
    RepairLabels,
    ScaleRate,
    StandardizeInputs,
    SwapActivations,
    Widen,
    drop_suspect_labels,
    make_remedy,
)
from traindx.remedies.fewer_rows import LEAST_ROWS
from traindx.remedies.match_test import LARGEST_WEIGHT, MISMATCH
from traindx.remedies.scale_rate import LARGEST_FACTOR
from traindx.tasks import Task
from traindx.training import fit, total_steps

OPENING = (ImportanceWeights, MatchClassProportions, AlignTestInputs, BlackBoxShift)
"""Remedies of a mismatch, which look at the test set."""


@pytest.fixture
def task(request: pytest.FixtureRequest) -> Task:
    """The task that the test's remedy is for."""
    kind = type(request.getfixturevalue("remedy")) if "remedy" in request.fixturenames else Remedy
    return patient(kind)[0]


@pytest.fixture(params=REMEDIES, ids=lambda kind: kind.id)
def remedy(request: pytest.FixtureRequest) -> Remedy:
    return SAMPLES[request.param]


@pytest.fixture
def recipe(remedy: Remedy) -> Recipe:
    """The recipe that the test's remedy is for."""
    return patient(type(remedy))[1]


# --- All of them -------------------------------------------------------------------------------------------------------------------


def test_every_remedy_has_a_sample_and_an_id_of_its_own() -> None:
    assert set(SAMPLES) == set(REMEDIES)
    assert len({kind.id for kind in REMEDIES}) == len(REMEDIES)
    assert all(kind.size > 0 for kind in REMEDIES)


def test_a_remedy_comes_back_from_its_record(remedy: Remedy) -> None:
    assert make_remedy(remedy.ref) == remedy
    stored = RemedyRef.model_validate_json(remedy.ref.model_dump_json())
    assert make_remedy(stored) == remedy and hash(stored) == hash(remedy.ref)


def test_a_remedy_is_frozen(remedy: Remedy) -> None:
    name = next(iter(f.name for f in dataclasses.fields(remedy)), "anything")  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(remedy, name, 1)


def test_what_was_given_stays_as_it_was(remedy: Remedy, task: Task, recipe: Recipe) -> None:
    given = recipe.model_copy()
    fingerprint, kept = task.fingerprint, copy.copy(task.__dict__)
    data = [column.clone() for side in (task.train, task.validation) for column in side.columns]
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    remedy.apply(task, recipe)
    assert recipe == given
    assert {k: v for k, v in task.__dict__.items() if k != "_fingerprint"} == {k: v for k, v in kept.items() if k != "_fingerprint"}
    assert all(
        torch.allclose(a, b, 0, 0, equal_nan=True)
        for a, b in zip(data, [c for side in (task.train, task.validation) for c in side.columns], strict=True)
    )
    assert copy.copy(task).fingerprint == fingerprint
    assert torch.equal(torch.get_rng_state(), state[0]) and (np.random.get_state()[1] == state[1]).all()


def test_the_change_is_another_training(remedy: Remedy, task: Task, recipe: Recipe) -> None:
    changed, other = remedy.apply(task, recipe)
    if isinstance(remedy, OF_THE_RECIPE):
        assert changed.fingerprint == task.fingerprint and other != recipe
    else:
        assert (changed.fingerprint != task.fingerprint) is not isinstance(remedy, AlignTestInputs), "what is trained on stays the same"
        assert changed.remedies[-1] == remedy.ref


def test_the_same_change_twice_is_the_same_training(remedy: Remedy, task: Task, recipe: Recipe) -> None:
    (one, first), (two, second) = remedy.apply(task, recipe), remedy.apply(task, recipe)
    assert first == second and one.fingerprint == two.fingerprint


def test_the_result_trains(remedy: Remedy, task: Task, recipe: Recipe) -> None:
    run = fit(*remedy.apply(task, recipe), horizon=2).run
    assert run.outcome is Outcome.FINISHED and run.steps == 2
    assert all(math.isfinite(run.last(name)) for name in ("train_loss", "validation_loss", "batch_loss"))


def test_validation_rows_stay_the_same_rows(remedy: Remedy, task: Task, recipe: Recipe) -> None:
    if isinstance(remedy, RealignLabels | RepairLabels):
        pytest.skip("what it mends is the labels of every split")
    changed, _ = remedy.apply(task, recipe)
    assert torch.equal(changed.validation.targets, task.validation.targets)


def test_two_remedies_go_together(remedy: Remedy, task: Task, recipe: Recipe) -> None:
    changed, other = remedy.apply(*StandardizeInputs().apply(task, recipe))
    assert changed.remedies[0] == StandardizeInputs().ref
    assert fit(changed, other, horizon=1).run.outcome is Outcome.FINISHED


def pairs_of_columns(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return model(batch["x"]), batch["y"]


class Named(torch.utils.data.Dataset[Any]):
    """Rows as dictionaries."""

    def __init__(self) -> None:
        self.x, self.y = rows(60)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": self.x[index], "y": int(self.y[index])}


class Drawn(torch.utils.data.Dataset[Any]):
    """Rows that are drawn anew each time, from the global random state."""

    def __init__(self) -> None:
        self.x, self.targets = rows(60)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.x[index]) + 0.1 * torch.randn(6), int(self.targets[index])


def test_rows_that_are_drawn_leave_the_random_state_as_it_was(remedy: Remedy, recipe: Recipe) -> None:
    task = Task(network, nn.CrossEntropyLoss(), Drawn())
    state = torch.get_rng_state()
    try:
        remedy.apply(task, recipe)
    except NotApplicable as reason:
        assert len(str(reason)) > 10
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_of_any_structure_train_or_the_reason_is_said(remedy: Remedy, recipe: Recipe) -> None:
    task = Task(network, nn.CrossEntropyLoss(), Named(), forward=pairs_of_columns, kind="classification")
    try:
        changed, other = remedy.apply(task, recipe)
    except NotApplicable as reason:
        assert len(str(reason)) > 10
    else:
        assert fit(changed, other, horizon=1).run.outcome is Outcome.FINISHED


def test_what_does_not_exist_is_an_error_that_lists_what_does() -> None:
    with pytest.raises(InputError, match="scale-rate"):
        make_remedy(RemedyRef(id="prayer"))
    with pytest.raises(InputError, match="remedy widen"):
        make_remedy(RemedyRef(id="widen", params={"depth": 3}))


@pytest.mark.parametrize("kind", [ScaleRate, Widen])
def test_stronger_is_more_of_the_same_and_ends(kind: type[Remedy]) -> None:
    remedy: Remedy | None = SAMPLES[kind]
    seen = []
    while remedy is not None and len(seen) < 30:
        seen.append(remedy)
        remedy = remedy.stronger()
    assert 2 < len(seen) < 30 and len(set(seen)) == len(seen)
    assert {r.id for r in seen} == {kind.id}
    if kind is ScaleRate:
        factors = [float(r.ref.params["factor"]) for r in seen]
        assert factors == sorted(factors, reverse=True) and factors[-1] >= 1 / LARGEST_FACTOR


# --- The recipe --------------------------------------------------------------------------------------------------------------------


def test_scale_rate_changes_the_rate_alone(task: Task) -> None:
    assert RECIPE.differences(ScaleRate(10.0).apply(task, RECIPE)[1]) == {"lr": (0.05, 0.5)}
    with pytest.raises(NotApplicable, match="zero"):
        ScaleRate(10.0).apply(task, RECIPE.replace(lr=0.0))


def test_more_epochs_stretch_the_limit_in_steps_too(task: Task) -> None:
    limited = RECIPE.replace(max_steps=7)
    for recipe in (RECIPE, limited):
        longer = MoreEpochs(3.0).apply(task, recipe)[1]
        assert total_steps(len(task.train), longer) == 3 * total_steps(len(task.train), recipe)


def test_weight_decay_never_falls_and_is_decoupled_where_steps_are_rescaled(task: Task) -> None:
    decay = AddWeightDecay(1.0)
    assert decay.apply(task, RECIPE)[1].weight_decay > 0
    assert decay.apply(task, RECIPE.replace(weight_decay=5.0))[1].weight_decay == 5.0
    adam = decay.apply(task, RECIPE.replace(optimizer="adam"))[1]
    assert adam.optimizer == "adamw" and adam.weight_decay > decay.apply(task, RECIPE)[1].weight_decay
    with pytest.raises(NotApplicable, match="no weight decay"):
        decay.apply(task, RECIPE.replace(optimizer="rprop"))


# --- The rows ----------------------------------------------------------------------------------------------------------------------


def test_standardised_columns_have_mean_0_and_deviation_1_by_the_training_rows_only(task: Task) -> None:
    changed, _ = StandardizeInputs().apply(task, RECIPE)
    train, validation = changed.train.inputs, changed.validation.inputs
    assert train is not None and validation is not None
    assert train.mean(0).abs().max() < 1e-4 and (train.std(0, correction=0) - 1).abs().max() < 1e-3
    assert validation.mean(0).abs().max() > 1e-3, "validation rows have numbers of their own"
    raw, given = task.train.inputs, task.validation.inputs
    assert raw is not None and given is not None and changed.test is not None and task.test is not None
    by_hand = (given - raw.mean(0)) / raw.std(0, correction=0)
    assert torch.allclose(validation, by_hand, atol=1e-4)
    test, sealed = changed.test.inputs("a look"), task.test._rows.inputs
    assert test is not None and sealed is not None
    assert torch.allclose(test, (sealed - raw.mean(0)) / raw.std(0, correction=0), atol=1e-4)


def test_images_are_standardised_by_channel_and_constants_are_centred() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(60, 3, 4, 4)) * np.array([1, 50, 0])[:, None, None] + 7).astype(np.float32)
    task = Task(lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), nn.CrossEntropyLoss(), (x, np.arange(60) % 2))
    inputs = StandardizeInputs().apply(task, RECIPE)[0].train.inputs
    assert inputs is not None
    assert torch.allclose(inputs.std((0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-3)
    assert torch.allclose(inputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)


class Coded(nn.Module):
    """A number beside a category that is looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(5, 3), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat([x[:, :1] / 1000, self.table(x[:, 1].long())], 1))


def test_columns_that_are_looked_up_keep_their_codes() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 5000, 100), rng.integers(0, 5, 100)], 1).astype(np.float32)
    task = Task(Coded, nn.MSELoss(), (x, rng.normal(size=(100, 1)).astype(np.float32)))
    inputs = StandardizeInputs().apply(task, RECIPE)[0].train.inputs
    assert inputs is not None
    assert set(inputs[:, 1].tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert inputs[:, 0].std().item() == pytest.approx(1, abs=0.05)


def test_whole_numbers_that_saturate_a_network_are_no_codes() -> None:
    x = np.random.default_rng(0).integers(0, 5000, (100, 6)).astype(np.float32)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    task = Task(lambda: network, nn.MSELoss(), (x, x[:, :1] * 0))
    inputs = StandardizeInputs().apply(task, RECIPE)[0].train.inputs
    assert inputs is not None
    assert torch.allclose(inputs.std(0), torch.ones(6), atol=0.05)


def test_dropped_labels_are_mostly_wrong_ones() -> None:
    x, y = rows(500)
    noisy, wrong = flipped(y, 0.2)
    task = Task(network, nn.CrossEntropyLoss(), (x, noisy), validation=rows(50, 3))
    changed, _ = DropSuspectLabels().apply(task, RECIPE)
    kept = {tuple(row) for row in changed.train.inputs.tolist()}
    dropped = np.array([tuple(row) not in kept for row in task.train.inputs.tolist()])
    assert dropped.sum() > 0.7 * wrong.sum()
    assert wrong[dropped].mean() > 0.9
    assert len(changed.validation) == 50


def test_suspects_are_looked_for_once_while_the_rows_live(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows(300)
    task = Task(network, nn.CrossEntropyLoss(), (x, flipped(y, 0.2)[0]), validation=rows(50, 3))
    first, _ = DropSuspectLabels().apply(task, RECIPE)
    monkeypatch.setattr(drop_suspect_labels, "judging_probabilities", None)
    again, _ = DropSuspectLabels().apply(task, RECIPE)
    assert len(again.train) == len(first.train) < len(task.train)


def test_clean_labels_are_not_dropped() -> None:
    x, y = rows(300)
    task = Task(network, nn.CrossEntropyLoss(), ((x - x.mean(0)) / x.std(0) + 20 * np.eye(6)[y], y))
    with pytest.raises(NotApplicable, match="no label is contradicted"):
        DropSuspectLabels().apply(task, RECIPE)


def test_fewer_rows_keep_the_classes_balance_and_the_updates(task: Task) -> None:
    changed, recipe = FewerRows(0.5).apply(task, RECIPE)
    before, after = (torch.bincount(t.labels).double() for t in (task, changed))
    assert abs(len(changed.train) - len(task.train) / 2) <= 1
    assert ((after - before / 2).abs() <= 1).all()
    assert total_steps(len(changed.train), recipe) == total_steps(len(task.train), RECIPE)
    assert len({tuple(row) for row in changed.train.inputs.tolist()} - {tuple(row) for row in task.train.inputs.tolist()}) == 0


def test_fewer_rows_are_others_with_another_seed(task: Task) -> None:
    one, other = (FewerRows(0.5).apply(task, RECIPE.replace(seed=seed))[0] for seed in (0, 1))
    assert one.fingerprint != other.fingerprint


def test_too_few_rows_are_not_halved() -> None:
    task = Task(network, nn.CrossEntropyLoss(), rows(LEAST_ROWS))
    with pytest.raises(NotApplicable, match="too few"):
        FewerRows(0.5).apply(task, RECIPE)


# --- The test set ------------------------------------------------------------------------------------------------------------------


def drawn_shares(task: Task) -> np.ndarray:
    """The share of each class among rows drawn by weight."""
    weights, labels = task.sample_weight, task.labels
    assert weights is not None and labels is not None and len(weights) == len(labels)
    return np.bincount(labels.numpy(), weights.numpy(), 3) / float(weights.sum())


def test_class_proportions_become_those_of_the_test_set(task: Task) -> None:
    assert task.test is not None
    wanted = torch.bincount(task.test._rows.targets).double().numpy() / len(task.test)
    changed, _ = MatchClassProportions().apply(task, RECIPE)
    assert drawn_shares(changed) == pytest.approx(wanted, abs=1e-6)
    assert task.test.questions == [MISMATCH]


def test_importance_weights_favour_what_looks_like_the_test_set() -> None:
    x, y = rows(300)
    shifted = x[:, 4] > np.median(x[:, 4])
    task = Task(network, nn.CrossEntropyLoss(), (x, y), validation=rows(50, 3), test=(x[shifted], None))
    weights = ImportanceWeights().apply(task, RECIPE)[0].sample_weight
    assert weights is not None
    assert weights[shifted].mean() > 1.5 * weights[~shifted].mean()
    assert float(weights.min()) > 0 and float(weights.max()) <= LARGEST_WEIGHT


def test_the_test_set_is_needed_and_its_labels_only_where_proportions_are_matched() -> None:
    bare = Task(network, nn.CrossEntropyLoss(), rows(100))
    for kind in (ImportanceWeights, MatchClassProportions):
        with pytest.raises(NotApplicable, match="test set"):
            kind().apply(bare, RECIPE)
    unlabelled = Task(network, nn.CrossEntropyLoss(), rows(100), test=(rows(50, 2)[0], None))
    ImportanceWeights().apply(unlabelled, RECIPE)
    with pytest.raises(NotApplicable, match="labelled"):
        MatchClassProportions().apply(unlabelled, RECIPE)


@pytest.mark.parametrize("kind", [k for k in REMEDIES if k not in OPENING], ids=lambda k: k.id)
def test_all_others_leave_the_test_set_sealed(kind: type[Remedy]) -> None:
    task, recipe = patient(kind)
    changed, _ = SAMPLES[kind].apply(task, recipe)
    assert task.test is not None and changed.test is not None
    assert task.test.openings == 0 and changed.test.openings == 0


# --- The model ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SwapActivations, AddSkips, Widen, Narrow], ids=lambda k: k.id)
def test_pretrained_weights_are_not_thrown_away(kind: type[Remedy]) -> None:
    kept = network()
    task = Task(lambda: kept, nn.CrossEntropyLoss(), rows(60))
    with pytest.raises(NotApplicable, match="pretrained"):
        SAMPLES[kind].apply(task, RECIPE)


def test_what_keeps_pretrained_weights_may_be_applied() -> None:
    kept = network()
    task = Task(lambda: kept, nn.CrossEntropyLoss(), rows(60))
    changed, _ = AddDropout(0.5).apply(task, RECIPE)
    state = changed.build(0).state_dict()
    assert all(any(torch.equal(value, other) for other in state.values()) for value in kept.state_dict().values())


def test_the_model_is_what_it_is_called(task: Task) -> None:
    def built(remedy: Remedy) -> nn.Module:
        return remedy.apply(task, RECIPE)[0].build(0)

    def linears(model: nn.Module) -> list[int]:
        return [m.out_features for m in model.modules() if isinstance(m, nn.Linear)]

    def count(model: nn.Module, kind: type[nn.Module]) -> int:
        return sum(isinstance(m, kind) for m in model.modules())

    assert linears(built(Widen(2, ""))) == [32, 32, 32, 3]
    assert linears(built(Widen(2, "2"))) == [16, 32, 16, 3]
    assert linears(built(Narrow(4))) == [4, 4, 4, 3]
    assert len(linears(built(Deepen(16)))) == 5
    assert count(built(SwapActivations("relu")), nn.ReLU) == 3 and count(built(SwapActivations("relu")), nn.Tanh) == 0
    assert count(built(AddDropout(0.25)), nn.Dropout) == 3
    assert count(built(InsertNormalization()), nn.BatchNorm1d) + count(built(InsertNormalization()), nn.LayerNorm) == 3
