"""What rows and labels show without any network: missing values, label sets, copies, unrelated labels; and rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_labs import Net, answer, digits, lab_for, values
from torch import nn

from traindx.experiments.audit.data import copies, label_sets, non_finite_rows
from traindx.remedies import AlignTestInputs, BalanceClasses, FillMissing, RealignLabels, RemoveDuplicates, RepairLabels
from traindx.tasks import Task

SHUFFLE = np.random.default_rng(3)


def task(x: np.ndarray, y: np.ndarray, **arguments: Any) -> Task:
    return Task(Net(), nn.CrossEntropyLoss(), (x, y), **arguments)


def test_a_missing_value_is_found_and_filled_in() -> None:
    x, y = digits(200)
    x[:, 3] += 1
    x[7, 3] = np.nan
    (found,) = non_finite_rows(task(x, y), 0)
    assert found.details == {"rows": 1, "borne": False} and "feature 3" in found.text
    mended, _ = FillMissing().apply(task(x, y), lab_for(task(x, y)).recipe)
    assert non_finite_rows(mended, 0) == [] and mended.train.inputs is not None
    assert non_finite_rows(task(*digits(200)), 0) == []


def test_labels_from_one_are_refused_and_numbered_anew() -> None:
    x, y = digits(200)
    (found,) = label_sets(task(x, y + 1), 0)
    assert (found.measure, found.details["distinct"], found.details["largest"]) == ("refused_labels", 10, 10.0)
    mended, _ = RepairLabels().apply(task(x, y + 1), lab_for(task(x, y)).recipe)
    assert label_sets(mended, 0) == [] and label_sets(task(x, y), 0) == []


def test_validation_labels_that_are_shifted() -> None:
    x, y = digits(400)
    (found,) = label_sets(Task(Net(outputs=11), nn.CrossEntropyLoss(), (x[:300], y[:300]), (x[300:], y[300:] + 1)), 0)
    assert found.details["shift"] == 1


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_copies_across_the_splits(noise: float) -> None:
    x, y = digits(300)
    more = (x[200:230] + noise * x[:200].std(0) * SHUFFLE.normal(size=(30, 64))).astype(np.float32)
    leaking = task(np.concatenate([x[:200], more]), np.concatenate([y[:200], y[200:230]]), validation=(x[200:], y[200:]))
    (found,) = copies(leaking)
    assert found.value == pytest.approx(0.3) and found.details["within"] == 0 and found.details["agreeing"] == 1
    mended, _ = RemoveDuplicates().apply(leaking, lab_for(leaking).recipe)
    assert copies(mended)[0].value == 0 and len(mended.train) == 200
    assert copies(task(x, y))[0].value == 0


def test_equal_rows_of_few_discrete_columns_are_no_copies() -> None:
    x = SHUFFLE.integers(0, 3, (600, 5)).astype(np.float32)
    (found,) = copies(Task(Net(5, 8, 2), nn.CrossEntropyLoss(), (x, (x.sum(1) > 5).astype(np.int64))))
    assert found.value < 0.05


def test_labels_shuffled_shifted_and_as_they_are() -> None:
    x, y = digits(400)
    whole, moved, mixed = (values(answer(lab_for(task(x, labels)), "relation")) for labels in (y, np.roll(y, 1), SHUFFLE.permutation(y)))
    assert whole["explained"] > 0.5 > whole["explained_shifted"]
    assert moved["explained_shifted"] > 0.5 > moved["explained"]
    assert max(mixed.values()) < 0.1
    mended, _ = RealignLabels(1).apply(task(x, np.roll(y, 1)), lab_for(task(x, y)).recipe)
    assert values(answer(lab_for(mended), "relation"))["explained"] > 0.5


@pytest.mark.parametrize(("lags", "others"), [(10, 0), (1, 6), (3, 12)])
def test_labels_of_rows_that_hold_the_values_before_are_not_tried_as_out_of_step(lags: int, others: int) -> None:
    """The value before is among a row's own inputs: every reference model would know it."""
    series = np.zeros(612)
    for i in range(2, 612):
        series[i] = 0.35 * series[i - 1] - 0.3 * series[i - 2] + SHUFFLE.normal()
    past = np.lib.stride_tricks.sliding_window_view(series, lags)[:-1]
    x = np.concatenate([past, SHUFFLE.normal(size=(len(past), others))], 1).astype(np.float32)
    task = Task(lambda: nn.Linear(lags + others, 1), nn.MSELoss(), (x, series[lags:, None].astype(np.float32)))
    found = {e.measure: e for e in answer(lab_for(task), "relation")}
    assert found["explained"].details["offsets"] < 4
    assert "explained_shifted" not in found or found["explained_shifted"].value < 0.5


@pytest.mark.parametrize("label", ["tokens", "place", "neighbours"])
def test_labels_of_rows_of_tokens(label: str) -> None:
    tokens = SHUFFLE.integers(0, 6, (600, 12))
    y = {
        "tokens": (tokens == 2).sum(1) > 1,
        "place": tokens[:, 3] % 2 == 0,
        "neighbours": ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 4)).any(1),
    }[label].astype(np.int64)
    model = nn.Sequential(nn.Embedding(6, 4), nn.Flatten(), nn.Linear(48, 2))
    related, mixed = (
        answer(lab_for(Task(lambda: model, nn.CrossEntropyLoss(), (tokens, labels))), "relation") for labels in (y, SHUFFLE.permutation(y))
    )
    assert values(related)["explained"] > 0.1 and float(related[0].details["p_value"]) < 0.01
    assert values(mixed)["explained"] < 0.02 and float(mixed[0].details["p_value"]) > 0.02


def test_rows_of_a_class_that_nearly_all_share_say_little() -> None:
    x, y = digits(400)
    for labels, telling in ((y, 400), (np.where(np.arange(400) % 20, 0, 1), 40)):
        assert answer(lab_for(task(x, labels)), "relation")[0].details["telling"] == telling


def test_rare_classes_are_drawn_as_often() -> None:
    x, y = digits(400)
    kept = (y != 9) | (np.arange(len(y)) % 8 == 0)
    balanced, _ = BalanceClasses().apply(task(x[kept], y[kept]), lab_for(task(x, y)).recipe)
    weights, labels = balanced.sample_weight, balanced.labels
    assert weights is not None and labels is not None
    sums = [float(weights[labels == c].sum()) for c in range(10)]
    assert max(sums) == pytest.approx(min(sums))


@pytest.mark.parametrize("kind", ["global", "range", "moments"])
def test_test_inputs_are_put_back(kind: str) -> None:
    x, y = digits(400)
    scaled = task(x[:300], y[:300], test=(255 * x[300:] + 3, y[300:]))
    aligned, _ = AlignTestInputs(kind).apply(scaled, lab_for(scaled).recipe)
    assert aligned.test is not None
    inputs = aligned.test.inputs("a test")
    assert inputs is not None and abs(float(inputs.mean()) - float(x[:300].mean())) < 0.1
