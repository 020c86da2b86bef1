"""The audit of one batch on its way to the loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_labs import dict_task, lab_for
from torch import nn

import traindx as tdx
from traindx.experiments.audit.shapes import ROWS, UNEXPECTED, shape_evidence
from traindx.records import Branch, Evidence, Recipe, Standing
from traindx.tasks import Task

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 6)).astype(np.float32)
CLASSES = np.arange(80) % 3
TARGETS = (X[:, :1] * 3).astype(np.float32)
BINARY = (X[:, :1] > 0).astype(np.float32)


def network(outputs: int = 3, *end: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, outputs), *end)


def audited(model: Callable[[], nn.Module], loss: Any, y: Any, x: Any = X, **arguments: Any) -> dict[str, Evidence]:
    return {e.measure: e for e in shape_evidence(lab_for(Task(model, loss, (x, y), **arguments)))}


def classes(*end: nn.Module, loss: Any = None, outputs: int = 3) -> dict[str, Evidence]:
    return audited(network(outputs, *end), loss or nn.CrossEntropyLoss(), CLASSES)


def regression(*end: nn.Module, y: Any = TARGETS, loss: Any = None, outputs: int = 1) -> dict[str, Evidence]:
    return audited(network(outputs, *end), loss or nn.MSELoss(), y)


# --- Widths ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [3, 5])
def test_widths_of_classes(outputs: int) -> None:
    found = classes(outputs=outputs)
    assert (found["output_width"].value, found["needed_width"].value) == (outputs, 3)
    assert found["needed_width"].details == {"smallest": 0, "distinct": 3}


def test_widths_of_regressions() -> None:
    found = regression(y=X[:, :2], outputs=2)
    assert (found["output_width"].value, found["needed_width"].value) == (2, 2)
    assert found["distance_between_rows"].value == 1


def test_ignored_labels_need_no_output() -> None:
    y = CLASSES.copy()
    y[:5] = -100
    found = audited(network(), nn.CrossEntropyLoss(), y)
    assert (found["needed_width"].value, found["needed_width"].details["smallest"]) == (3, 0)


# --- Broadcasting ------------------------------------------------------------------------------------------------------------------


def test_columns_against_flat_targets_are_broadcast() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = regression(y=TARGETS[:, 0])["broadcast_pairs"]
    assert found.value == min(ROWS, 64)
    assert "(N, 1)" in found.text and "(N,)" in found.text


def test_images_without_their_channel_are_broadcast() -> None:
    flat = lambda: nn.Sequential(nn.Linear(6, 12), nn.Unflatten(1, (3, 4)))  # noqa: E731
    found = audited(flat, nn.MSELoss(), np.repeat(X[:, None, None, :4], 3, 2))
    assert found["broadcast_pairs"].details["same_size"] and found["broadcast_pairs"].value == 64 * 3 * 4


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.HuberLoss(), lambda o, t: (o - t).abs().sum(1).mean()])
def test_one_output_is_repeated_for_several_targets(loss: Any) -> None:
    found = regression(y=X[:, :3], loss=loss)
    assert (
        found["repeated_outputs"].value == 3 and "(N, 1)" in found["repeated_outputs"].text and "(N, 3)" in found["repeated_outputs"].text
    )
    assert found["needed_width"].value == 3 and "repeated_outputs" not in regression(y=X[:, :3], loss=loss, outputs=3)


def test_one_channel_is_repeated_for_several() -> None:
    model = lambda: nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (1, 2, 2)))  # noqa: E731
    found = audited(model, nn.MSELoss(), X[:, :3, None, None].repeat(2, 2).repeat(2, 3))
    assert (found["output_width"].value, found["needed_width"].value) == (1, 3) and "repeated_outputs" in found


def test_targets_that_the_loss_reads_in_its_own_way_are_not_repeated() -> None:
    weights = np.abs(X[:, 1:2])
    weighted = lambda o, t: ((o - t[:, :1]) ** 2 * t[:, 1:]).mean()  # noqa: E731
    survival = lambda o, t: -((o.squeeze(1) - torch.logcumsumexp(o.squeeze(1), 0)) * t[:, 1]).mean()  # noqa: E731
    for loss in (weighted, survival):
        assert "repeated_outputs" not in regression(y=np.concatenate([TARGETS, weights], 1), loss=loss)


def test_sound_shapes_are_not_broadcast() -> None:
    flat = audited(network(1, nn.Flatten(0)), nn.MSELoss(), TARGETS[:, 0])
    for found in (regression(), flat, classes(), audited(network(1), nn.BCEWithLogitsLoss(), BINARY)):
        assert "broadcast_pairs" not in found


def test_a_loss_that_aligns_shapes_itself_does_not_broadcast() -> None:
    found = regression(y=TARGETS[:, 0], loss=lambda o, t: ((o.squeeze(1) - t) ** 2).mean())
    assert "broadcast_pairs" not in found


def test_a_loss_that_refuses_shapes_is_told() -> None:
    found = audited(network(1), nn.BCEWithLogitsLoss(), BINARY[:, 0])
    assert "broadcast_pairs" not in found
    assert "size" in found["loss_error"].text and found["loss_error"].details["only_shapes_differ"]
    assert not audited(network(1), nn.BCEWithLogitsLoss(), np.repeat(BINARY, 3, 1))["loss_error"].details["only_shapes_differ"]


def test_class_numbers_that_are_no_integers_are_told_and_no_width_is_blamed() -> None:
    found = audited(network(3), nn.CrossEntropyLoss(), CLASSES.astype(np.float32))["loss_error"]
    assert found.details["only_type_differs"] and not found.details["only_shapes_differ"]
    diagnosis = tdx.diagnose(Task(network(3), nn.CrossEntropyLoss(), (X, CLASSES.astype(np.float32))), Recipe(epochs=1))
    assert diagnosis.branch is Branch.UNDECIDED and "make the targets integers" in diagnosis.sentence
    assert diagnosis.top is None or diagnosis.top.standing is Standing.NOT_APPLICABLE


# --- What outputs can be -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.Sigmoid()])
def test_outputs_that_are_probabilities_whatever_the_input(end: nn.Module) -> None:
    found = classes(end)
    assert found["outputs_are_probabilities"].value == 1
    assert found["outputs_are_probabilities"].details["sums_to_one"] == isinstance(end, nn.Softmax)


@pytest.mark.parametrize("end", [(), (nn.ReLU(),), (nn.Tanh(),), (nn.LogSoftmax(1),)])
def test_outputs_that_can_be_more_than_probabilities(end: tuple[nn.Module, ...]) -> None:
    assert classes(*end)["outputs_are_probabilities"].value == 0


def test_one_sigmoid_before_a_loss_of_logits() -> None:
    assert audited(network(1, nn.Sigmoid()), nn.BCEWithLogitsLoss(), BINARY)["outputs_are_probabilities"].value == 1
    assert "outputs_are_probabilities" not in audited(network(1, nn.Sigmoid()), nn.BCELoss(), BINARY)


@pytest.mark.parametrize(("end", "value"), [(nn.Softmax(1), 1.0), (nn.LogSoftmax(1), 0.0)])
def test_a_softmax_over_one_unit_is_constant(end: nn.Module, value: float) -> None:
    found = regression(end)["constant_output"]
    assert found.value == value
    assert found.details["activation"] == {1.0: "softmax", 0.0: "log_softmax"}[value]
    assert "constant_output" not in regression()


def test_targets_out_of_reach() -> None:
    outside = float((np.abs(TARGETS[:64]) > 1).mean())
    found = regression(nn.Tanh())["targets_out_of_reach"]
    assert found.value == pytest.approx(outside, abs=0.1) and found.details["activation"] == "tanh"
    assert regression(nn.ReLU())["targets_out_of_reach"].value == pytest.approx(float((TARGETS < 0).mean()), abs=0.1)
    assert regression(nn.Sigmoid(), y=BINARY * 0.5 + 0.2)["targets_out_of_reach"].value == 0
    assert "targets_out_of_reach" not in regression()


# --- What the loss expects ---------------------------------------------------------------------------------------------------------


def test_a_loss_of_logarithms_wants_logarithms() -> None:
    assert UNEXPECTED in classes(loss=nn.NLLLoss())
    assert UNEXPECTED not in classes(nn.LogSoftmax(1), loss=nn.NLLLoss())


def test_a_loss_of_probabilities_wants_probabilities() -> None:
    assert UNEXPECTED not in audited(network(1, nn.Sigmoid()), nn.BCELoss(), BINARY)


def test_a_distance_between_classes_is_told() -> None:
    one_hot = np.eye(3, dtype=np.float32)[CLASSES]
    found = audited(network(3, nn.Softmax(1)), nn.MSELoss(), one_hot, kind="classification")
    assert found["distance_on_classes"].value == 1
    assert "distance_on_classes" not in regression() and "distance_on_classes" not in classes()


# --- Reduction ---------------------------------------------------------------------------------------------------------------------


def test_means_and_sums_over_the_rows() -> None:
    assert classes()["loss_growth_with_rows"].value == pytest.approx(1, rel=1e-4)
    assert classes(loss=nn.CrossEntropyLoss(reduction="sum"))["loss_growth_with_rows"].value == pytest.approx(2, rel=1e-4)
    assert regression(loss=lambda o, t: ((o - t) ** 2).sum())["loss_growth_with_rows"].value == pytest.approx(2, rel=1e-4)


# --- What cannot be looked at ------------------------------------------------------------------------------------------------------


def test_a_forward_pass_that_raises_is_told() -> None:
    found = audited(lambda: nn.Linear(7, 3), nn.CrossEntropyLoss(), CLASSES)
    assert list(found) == ["forward_error"] and "RuntimeError" in found["forward_error"].text


def test_missing_values_do_not_raise() -> None:
    x, y = X.copy(), TARGETS.copy()
    x[::2, 0], y[::3] = np.nan, np.nan
    assert audited(network(), nn.CrossEntropyLoss(), CLASSES, x)["output_width"].value == 3
    assert audited(network(1, nn.Tanh()), nn.MSELoss(), y, x)["output_width"].value == 1
    x[:] = np.nan
    assert audited(network(), nn.CrossEntropyLoss(), CLASSES, x)["output_width"].value == 3


def test_batches_of_any_structure_are_looked_at() -> None:
    found = {e.measure: e.value for e in shape_evidence(lab_for(dict_task()))}
    assert found["output_width"] == 10 and found["loss_growth_with_rows"] == pytest.approx(1, rel=1e-4)


def test_tokens_are_not_scaled() -> None:
    tokens = rng.integers(0, 9, (80, 5))
    model = lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 3), nn.Softmax(1))  # noqa: E731
    assert audited(model, nn.CrossEntropyLoss(), CLASSES, tokens)["outputs_are_probabilities"].value == 1


def test_nothing_is_drawn_or_trained() -> None:
    state = torch.get_rng_state()
    classes()
    assert torch.equal(torch.get_rng_state(), state)
