"""The audit's numbers against numpy and by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from small_labs import Net, answer, dict_task, lab_for, values, vectors_task
from torch import Tensor, nn

from traindx.tasks import Task


def audit(task: Task) -> dict[str, float]:
    return values(answer(lab_for(task), "audit"))


def given(x: Any, y: Any, outputs: int = 2, loss: nn.Module | None = None) -> Task:
    """All rows train: validation rows are given."""
    return vectors_task(x, y, outputs, loss, validation=(x, y))


def test_scales_of_rows_of_features() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 4)) * [0.1, 1, 10, 100] + [0, 1, 500, 0]).astype(np.float32)
    found = audit(given(x, rng.integers(0, 2, 200)))
    mean, std, root_mean_square = x.mean(0), x.std(0, ddof=1), np.sqrt((x.astype(float) ** 2).mean(0))
    assert found["feature_scale_largest"] == pytest.approx(root_mean_square.max(), rel=1e-4)
    assert found["feature_scale_spread"] == pytest.approx(std.max() / std.min(), rel=1e-4)
    assert found["feature_offset"] == pytest.approx((abs(mean) / std).max(), rel=1e-4)
    assert np.sort(root_mean_square)[1] <= found["feature_scale_median"] * (1 + 1e-5) <= np.sort(root_mean_square)[2] * (1 + 1e-4)
    assert (found["rows"], found["constant_inputs"], found["non_finite_inputs"]) == (200, 0, 0)


def test_scales_of_images_are_by_channel() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 2, 5, 5)) * np.array([1.0, 50.0])[:, None, None]).astype(np.float32)
    y = rng.integers(0, 2, 30)
    task = Task(lambda: nn.Sequential(nn.Flatten(), nn.Linear(50, 2)), nn.CrossEntropyLoss(), (x, y), validation=(x, y))
    std = x.transpose(1, 0, 2, 3).reshape(2, -1).std(1, ddof=1)
    assert audit(task)["feature_scale_spread"] == pytest.approx(std[1] / std[0], rel=1e-4)


def test_missing_and_constant_columns_are_counted() -> None:
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    x[:, 3] = 7
    x[:5, 0] = np.nan
    found = audit(given(x, np.arange(100) % 2))
    assert found["non_finite_inputs"] == pytest.approx(5 / 400)
    assert found["constant_inputs"] == pytest.approx(1 / 4)
    assert math.isfinite(found["feature_scale_largest"]) and found["feature_scale_largest"] < 7


def test_only_constant_columns() -> None:
    found = audit(given(np.ones((40, 3), np.float32), np.arange(40) % 2))
    assert found["constant_inputs"] == 1 and "feature_scale_largest" not in found


def test_tokens_have_no_scale() -> None:
    tokens = np.random.default_rng(0).integers(0, 9, (60, 5))
    task = Task(
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2)), nn.CrossEntropyLoss(), (tokens, np.arange(60) % 2)
    )
    assert not [name for name in audit(task) if name.startswith("feature_")]


def test_the_rarest_class_and_the_targets_of_a_regression() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    assert audit(given(x, np.arange(100) % 10 == 0, 2))["rarest_class_share"] == pytest.approx(0.1)
    y = np.linspace(5, 15, 100).astype(np.float32)[:, None]
    found = audit(given(x, y, 1, nn.MSELoss()))
    assert found["target_mean"] == pytest.approx(10, rel=1e-4)
    assert found["target_std"] == pytest.approx(y.std(ddof=1), rel=1e-4)
    assert found["non_finite_targets"] == 0


# --- Pure error --------------------------------------------------------------------------------------------------------------------


def test_pure_error_of_classes_by_hand() -> None:
    x = np.array([[0], [0], [0], [1], [1], [2], [3], [3]], np.float32)
    y = np.array([0, 0, 1, 1, 1, 0, 1, 0])
    found = next(e for e in answer(lab_for(given(x, y)), "audit") if e.measure == "pure_error")
    assert found.value == pytest.approx(2 / 8), "one of three zeros and one of two threes cannot be right"
    assert found.details["repeated_rows"] == pytest.approx(7 / 8)


def test_pure_error_of_a_regression_by_hand() -> None:
    x = np.array([[0], [0], [1], [1], [2]], np.float32)
    y = np.array([1, 3, 5, 5, 9], np.float32)
    found = audit(given(x, y[:, None], 1, nn.MSELoss()))
    assert found["pure_error"] == pytest.approx(2 / 2 / y.var(), rel=1e-5), "squares within groups over their two degrees of freedom"


def test_pure_error_of_classes_in_any_form() -> None:
    x, y = np.array([[0], [0], [0], [1], [1]], np.float32), np.array([0, 0, 1, 1, 1])
    column = given(x, y[:, None].astype(np.float32), 1, nn.BCEWithLogitsLoss())
    one_hot = given(x, np.eye(2, dtype=np.float32)[y], 2, nn.CrossEntropyLoss())
    assert audit(column)["pure_error"] == audit(one_hot)["pure_error"] == pytest.approx(1 / 5)


def test_pure_error_of_sets_of_labels() -> None:
    x, y = np.array([[0], [0], [1], [1]], np.float32), np.array([[1, 0, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]], np.float32)
    assert audit(given(x, y, 3, nn.BCEWithLogitsLoss()))["pure_error"] == pytest.approx(1 / 4)


def test_pure_error_of_several_numbers_a_row() -> None:
    x = np.array([[0], [0], [1], [1], [2]], np.float32)
    y = np.array([[1, 0], [3, 0], [5, 4], [5, 4], [9, 8]], np.float32)
    assert audit(given(x, y, 2, nn.MSELoss()))["pure_error"] == pytest.approx(2 / 2 / y.var(0).sum(), rel=1e-5)


def test_where_there_is_no_pure_error_the_reason_is_told() -> None:
    x, y = np.zeros((40, 3), np.float32), np.linspace(0, 1, 40).astype(np.float32)[:, None]
    missing = y.copy()
    missing[3] = np.nan
    for task, reason in ((dict_task(), "plain arrays"), (given(x, missing, 1, nn.MSELoss()), "not finite")):
        found = next(e for e in answer(lab_for(task), "audit") if e.measure == "pure_error")
        assert math.isnan(found.value) and reason in found.text


def test_pure_error_counts_vectors_and_not_values() -> None:
    x = np.array([[0, 1], [1, 0], [0, 0], [1, 1]], np.float32)
    assert audit(given(x, np.array([0, 1, 0, 1])))["pure_error"] == 0


def test_labels_that_continue_their_rows() -> None:
    text = np.random.default_rng(0).integers(0, 12, 300)
    windows, following = np.lib.stride_tricks.sliding_window_view(text, 4)[:-1].copy(), text[4:]
    blank = windows.copy()
    blank[:, :3] = 0
    found = [audit(given(x, y))["continues"] for x, y in ((windows, following), (blank, following), (windows, following % 2))]
    assert found == [1, 0, 0], "what follows; most of it is blank; two classes are no alphabet"
    assert "continues" not in audit(given(windows.astype(np.float32), following))


# --- The model ---------------------------------------------------------------------------------------------------------------------


def test_layers_parameters_and_narrowing() -> None:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 2), nn.ReLU(), nn.Linear(2, 10))
        model[0].weight.requires_grad_(False)
        return model

    x = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
    found = answer(lab_for(Task(build, nn.CrossEntropyLoss(), (x, np.arange(60) % 10))), "audit")
    total = 20 * 30 + 30 + 30 * 2 + 2 + 2 * 10 + 10
    assert values(found)["parameters"] == total
    assert values(found)["frozen_share"] == pytest.approx(600 / total)
    assert values(found)["weight_layers"] == 3
    narrowing = {e.subject: e.value for e in found if e.measure == "narrowing"}
    assert narrowing == {"0": pytest.approx(2 / 30), "2": pytest.approx(10 / 2)}, "what must pass over what can"


def test_recurrent_layers_are_layers_and_have_a_width() -> None:
    class Melody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.states, self.last = nn.Embedding(9, 6), nn.LSTM(6, 2, batch_first=True), nn.Linear(2, 9)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.states(self.table(x))[0][:, -1])

    x = np.random.default_rng(0).integers(0, 9, (60, 5))
    found = answer(lab_for(Task(Melody, nn.CrossEntropyLoss(), (x, x[:, 0]))), "audit")
    assert (values(found)["weight_layers"], values(found)["tables"]) == (2, 1)
    assert {e.subject: e.value for e in found if e.measure == "narrowing"} == {"states": pytest.approx(6 / 2)}


def test_a_pretrained_factory_is_seen() -> None:
    kept = Net(3, 8, 2)()
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    task = Task(lambda: kept, nn.CrossEntropyLoss(), (x, np.arange(40) % 2))
    assert audit(task)["pretrained"] == 1


def test_batches_of_any_structure_are_audited_by_their_model_alone() -> None:
    found = audit(dict_task())
    assert found["rows"] == 96 and found["weight_layers"] == 2
    assert not {"feature_scale_largest", "rarest_class_share"} & set(found) and math.isnan(found["pure_error"])


def test_nothing_is_trained() -> None:
    lab = lab_for(given(np.eye(6, dtype=np.float32), np.arange(6) % 2))
    answer(lab, "audit")
    assert lab.spending.work == 0 and not lab.runs
