"""Remedies of outputs, losses, targets and fresh weights: what changes, and when they decline."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from patients import RECIPE, binary, ending, frozen, network, numbered_from_one, patient, regression, rows, sound
from torch import Tensor, nn

from traindx.records import NotApplicable
from traindx.remedies import (
    AlignShapes,
    FillMissing,
    InsertActivations,
    LinearOutput,
    MeanReduction,
    OutputWidth,
    PerturbStart,
    ProperLoss,
    RealignLabels,
    Reinitialize,
    Remedy,
    RemoveDuplicates,
    RepairLabels,
    SigmoidOutput,
    StandardizeTargets,
    Unfreeze,
)
from traindx.tasks import Task
from traindx.training import evaluation_mode, fit


def mended(remedy: Remedy, task: Task) -> Task:
    return remedy.apply(task, RECIPE)[0]


def first_batch(task: Task, rows: int = 8) -> list[Tensor]:
    return list(next(iter(task.train.batches([torch.arange(rows)], torch.device("cpu")))))


def passed(task: Task, model: nn.Module, rows: int = 8) -> tuple[Tensor, Tensor]:
    """(outputs, targets) of a few rows."""
    with evaluation_mode(model):
        return task.forward(model, tuple(first_batch(task, rows)))


def names(model: nn.Module) -> list[str]:
    return [type(m).__name__ for m in model.modules() if not list(m.children())]


# --- Outputs and losses ------------------------------------------------------------------------------------------------------------


def test_aligned_rows_meet_their_own_target_only() -> None:
    task = regression(flat=True)
    changed = mended(AlignShapes(), task)
    model = task.build(0)
    outputs, targets = passed(changed, model)
    assert outputs.shape == targets.shape == (8, 1)
    assert torch.equal(targets[:, 0], passed(task, model)[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(changed.loss(outputs, targets)) == pytest.approx(float(((outputs - targets) ** 2).mean()))


def test_shapes_that_agree_stay() -> None:
    task = sound()
    changed = mended(AlignShapes(), task)
    assert passed(changed, task.build(0))[1].shape == passed(task, task.build(0))[1].shape == (8,)


def test_the_mean_is_the_sum_over_the_rows() -> None:
    summed = sound(loss=nn.CrossEntropyLoss(reduction="sum"))
    changed, model = mended(MeanReduction(), summed), summed.build(0)
    outputs, targets = passed(summed, model)
    assert float(changed.loss(outputs, targets)) == pytest.approx(float(nn.functional.cross_entropy(outputs, targets)))
    with pytest.raises(NotApplicable, match="already"):
        MeanReduction().apply(changed, RECIPE)


def test_linear_outputs_are_what_the_softmax_was_given() -> None:
    task = sound(ending(nn.Softmax(1)))
    changed = mended(LinearOutput(), task)
    (before, _), (after, _) = passed(task, task.build(0)), passed(changed, changed.build(0))
    assert torch.allclose(after.softmax(1), before, atol=1e-6) and "Softmax" not in names(changed.build(0))
    with pytest.raises(NotApplicable, match="do not come from an activation"):
        LinearOutput().apply(changed, RECIPE)


def test_a_sigmoid_takes_the_place_of_the_softmax() -> None:
    task = binary(ending(nn.Softmax(1), outputs=1), nn.BCELoss())
    assert bool((passed(task, task.build(0))[0] == 1).all())
    changed = mended(SigmoidOutput(), task)
    outputs, _ = passed(changed, changed.build(0))
    assert len(outputs.unique()) > 1 and bool(((outputs > 0) & (outputs < 1)).all())
    with pytest.raises(NotApplicable, match="do not come from an activation"):
        SigmoidOutput().apply(sound(), RECIPE)


def test_another_number_of_outputs() -> None:
    changed = mended(OutputWidth(7), sound())
    assert passed(changed, changed.build(0))[0].shape == (8, 7)
    with pytest.raises(NotApplicable, match="one linear layer"):
        OutputWidth(7).apply(sound(lambda: nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 3, 6), nn.Flatten())), RECIPE)


def test_negative_log_likelihood_becomes_cross_entropy_of_logits() -> None:
    task = sound(loss=nn.NLLLoss())
    outputs, targets = passed(task, task.build(0))
    assert float(mended(ProperLoss(), task).loss(outputs, targets)) == pytest.approx(float(nn.functional.cross_entropy(outputs, targets)))


def test_a_distance_is_what_a_proper_loss_is_judged_by() -> None:
    one_hot = np.eye(3, dtype=np.float32)[rows(240)[1]]
    task = sound(ending(nn.Softmax(1)), nn.MSELoss(), one_hot, kind="classification", test=None)
    changed = mended(ProperLoss(), task)
    logits, targets = passed(changed, changed.build(0))
    assert "Softmax" not in names(changed.build(0))
    assert float(changed.loss(logits, targets)) == pytest.approx(float(nn.functional.mse_loss(logits.softmax(1), targets)))
    assert float(changed.training_loss(logits, targets)) == pytest.approx(float(nn.functional.cross_entropy(logits, targets)))


def test_a_loss_of_classes_is_kept_and_real_targets_have_none() -> None:
    with pytest.raises(NotApplicable, match="already"):
        ProperLoss().apply(sound(), RECIPE)
    with pytest.raises(NotApplicable, match="no classes"):
        ProperLoss().apply(regression(), RECIPE)


# --- Targets -----------------------------------------------------------------------------------------------------------------------


def test_standardised_targets_keep_the_users_units() -> None:
    task = regression()
    changed, model = mended(StandardizeTargets(), task), mended(StandardizeTargets(), task).build(0)
    targets = task.train.targets
    assert targets is not None
    outputs, _ = passed(changed, model)
    assert abs(float(outputs.mean() - targets.mean())) < 100 * float(targets.std()), "a fresh network predicts about the mean"
    mean, std = targets.mean(), targets.std(correction=0)
    expected = nn.functional.mse_loss((outputs - mean) / std, (targets[:8] - mean) / std)
    assert float(changed.training_loss(outputs, targets[:8])) == pytest.approx(float(expected), rel=1e-4)
    assert float(changed.loss(outputs, targets[:8])) == pytest.approx(float(nn.functional.mse_loss(outputs, targets[:8])))


@pytest.mark.parametrize(
    "y", [np.full((240, 1), 3.0, np.float32), np.where(np.arange(240) == 0, np.nan, np.arange(240.0)).astype(np.float32)[:, None]]
)
def test_constant_and_missing_targets_have_no_scale(y: np.ndarray) -> None:
    with pytest.raises(NotApplicable, match="constant or not finite"):
        StandardizeTargets().apply(sound(ending(outputs=1), nn.MSELoss(), y, test=None, kind="regression"), RECIPE)


def test_classes_are_not_standardised() -> None:
    with pytest.raises(NotApplicable, match="real numbers"):
        StandardizeTargets().apply(sound(), RECIPE)


# --- Weights -----------------------------------------------------------------------------------------------------------------------


def constant() -> nn.Module:
    model = network()
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    return model


def test_fresh_weights_part_equal_units() -> None:
    model = mended(Reinitialize(), sound(constant)).build(0)
    weights = [m.weight.detach() for m in model.modules() if isinstance(m, nn.Linear)]
    assert all(len(w.unique(dim=0)) == len(w) for w in weights)
    assert all(0.5 < float(w.square().mean().sqrt()) * w.shape[1] ** 0.5 < 2 for w in weights)


def test_noise_is_in_proportion_to_the_weights() -> None:
    before, after = sound().build(0), mended(PerturbStart(0.5), sound()).build(0)
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    for old, new in ((b.detach(), a.detach()) for b, a in pairs):
        if old.ndim == 2:
            least = max(float(old.square().mean().sqrt()), old.shape[1] ** -0.5)
            assert float((new - old).square().mean().sqrt()) == pytest.approx(0.5 * least, rel=0.4)


def test_starts_differ_by_draw_and_seed_and_are_the_same_again() -> None:
    def start(draw: int, seed: int) -> Tensor:
        return next(mended(PerturbStart(0.5, draw), sound()).build(seed).parameters()).detach()

    assert torch.equal(start(0, 0), start(0, 0))
    assert not torch.equal(start(0, 0), start(1, 0)) and not torch.equal(start(0, 0), start(0, 1))


@pytest.mark.parametrize("remedy", [Reinitialize(), PerturbStart()], ids=lambda r: r.id)
def test_pretrained_weights_are_kept(remedy: Remedy) -> None:
    kept = network()
    with pytest.raises(NotApplicable, match="pretrained"):
        remedy.apply(sound(lambda: kept), RECIPE)


def test_everything_learns_again() -> None:
    task = sound(frozen)
    assert all(p.requires_grad for p in mended(Unfreeze(), task).build(0).parameters())
    assert not all(p.requires_grad for p in task.build(0).parameters())
    with pytest.raises(NotApplicable, match="no parameter is frozen"):
        Unfreeze().apply(sound(), RECIPE)


def test_activations_stand_where_none_stood() -> None:
    linear = sound(lambda: nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)))
    assert names(mended(InsertActivations("relu"), linear).build(0)) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    with pytest.raises(NotApplicable, match="without an activation"):
        InsertActivations("relu").apply(sound(), RECIPE)


# --- Rows --------------------------------------------------------------------------------------------------------------------------


def test_gaps_become_the_training_mean() -> None:
    task, recipe = patient(FillMissing)
    changed = mended(FillMissing(), task)
    given, filled = task.train.inputs, changed.train.inputs
    assert given is not None and filled is not None
    missing = torch.isnan(given[:, 0])
    assert torch.allclose(filled[missing, 0], given[~missing, 0].mean(), rtol=1e-4)
    assert torch.equal(filled[~missing], given[~missing])
    assert fit(changed, recipe, horizon=1).run.last("train_loss") < float("inf")


def test_rows_without_a_class_are_left_out_and_the_other_classes_are_integers() -> None:
    x, y = rows(240)
    labels = y.astype(float)
    labels[5], test = np.nan, (x[:2], np.array([1.0, np.nan]))
    task = Task(network, nn.CrossEntropyLoss(), (x, labels), test=test)
    changed = mended(FillMissing(), task)
    assert len(changed.train) + len(changed.validation) == 239
    assert changed.train.targets is not None and changed.train.targets.dtype == torch.long
    assert set(changed.train.targets.tolist()) == set(y.tolist()), "no class is a mean, and none is new"
    assert changed.test is not None and changed.test.rows("a look").targets.tolist() == [1, nn.CrossEntropyLoss().ignore_index]  # type: ignore[union-attr]
    assert fit(changed, RECIPE, horizon=1).run.last("train_loss") < float("inf")


def test_numbers_that_the_loss_takes_as_floats_stay_floats() -> None:
    x, y = rows(240)
    shares = (y > 0).astype(float)[:, None]
    shares[5] = np.nan
    task = Task(lambda: nn.Linear(x.shape[1], 1), nn.BCEWithLogitsLoss(), (x, shares))
    targets = mended(FillMissing(), task).train.targets
    assert targets is not None and targets.dtype == torch.float32 and bool(torch.isfinite(targets).all())


def test_labels_are_numbered_from_zero() -> None:
    targets = mended(RepairLabels(), numbered_from_one()).train.targets
    assert targets is not None and targets.unique().tolist() == [0, 1, 2]
    with pytest.raises(NotApplicable, match="split off"):
        RepairLabels(split="validation", offset=1.0).apply(sound(), RECIPE)


def test_copies_of_validation_rows_are_left_out() -> None:
    task, _ = patient(RemoveDuplicates)
    assert len(mended(RemoveDuplicates(), task).train) == len(task.train) - 30
    with pytest.raises(NotApplicable, match="no training row is repeated"):
        RemoveDuplicates().apply(sound(), RECIPE)


def test_labels_come_back_to_their_rows() -> None:
    x, y = rows(200)
    slipped = Task(network, nn.CrossEntropyLoss(), (x[1:], y[:-1]))
    changed = mended(RealignLabels(1), slipped)
    truth = {tuple(row): int(label) for row, label in zip(x, y, strict=True)}
    inputs, targets = changed.train.inputs, changed.train.targets
    assert inputs is not None and targets is not None
    assert all(truth[tuple(row)] == int(label) for row, label in zip(inputs.numpy(), targets, strict=True))
    with pytest.raises(NotApplicable, match="too few"):
        RealignLabels(200).apply(slipped, RECIPE)
