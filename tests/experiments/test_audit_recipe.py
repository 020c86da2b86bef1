"""The audit of the recipe, against numbers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_labs import RECIPE, dict_task, lab_for, vectors_task
from torch import nn

from traindx.experiments.audit.recipe import SPENT, recipe_evidence
from traindx.records import Evidence

ROWS = 400


def rows(count: int = ROWS, order: str = "random") -> tuple[np.ndarray, np.ndarray]:
    """Rows of four classes, sorted by class or not."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, count)
    return rng.normal(size=(count, 3)).astype(np.float32), np.sort(y) if order == "sorted" else y


def audited(data: tuple[Any, Any] | None = None, loss: nn.Module | None = None, outputs: int = 4, **changes: Any) -> dict[str, Evidence]:
    x, y = rows() if data is None else data
    task = vectors_task(x, y, outputs, loss, validation=(x[:20], y[:20]))
    return {e.measure: e for e in recipe_evidence(lab_for(task, RECIPE.replace(**changes)))}


# --- Updates and batches -----------------------------------------------------------------------------------------------------------


def test_batch_and_updates_against_the_rows() -> None:
    found = audited(batch_size=100, epochs=5)
    assert found["planned_updates"].value == 20
    assert (found["batch_share"].value, found["batch_share"].details["batch_size"]) == (0.25, 100)


def test_accumulated_batches_count_together_and_never_beyond_the_rows() -> None:
    assert audited(batch_size=50, accumulate=4)["batch_share"].value == 0.5
    assert audited(batch_size=10_000)["batch_share"].details["batch_size"] == ROWS


def test_warmup_in_shares_of_the_training() -> None:
    assert audited(batch_size=100, epochs=5, warmup_steps=5)["planned_warmup"].value == 0.25
    assert audited()["planned_warmup"].value == 0


# --- Optimizer ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "momentum"),
    [
        ({"momentum": 0.99}, 0.99),
        ({"momentum": 0.0}, 0.0),
        ({"optimizer": "adam", "momentum": 0.0}, 0.9),
        ({"optimizer": "adam", "optimizer_options": {"betas": [0.5, 0.999]}}, 0.5),
        ({"optimizer": "adagrad", "momentum": 0.0}, 0.0),
    ],
)
def test_momentum_of_every_kind(changes: dict[str, Any], momentum: float) -> None:
    assert audited(**changes)["momentum"].value == momentum


def test_decay_is_the_recipes_or_the_optimizers_own() -> None:
    assert audited(weight_decay=0.1)["weight_decay"].value == 0.1
    assert audited(optimizer_options={"weight_decay": 0.2})["weight_decay"].value == 0.2


def test_names_are_kept_and_a_bound_is_told_only_where_there_is_one() -> None:
    found = audited(optimizer="adam", schedule="cosine", momentum=0.0)
    assert (found["optimizer"].text, found["schedule"].text, found["schedule"].value) == ("adam", "cosine", 1)
    assert audited()["schedule"].value == 0 and "clip_norm" not in audited()
    assert audited(clip_norm=0.5)["clip_norm"].value == 0.5


# --- Schedules ---------------------------------------------------------------------------------------------------------------------


def test_the_share_of_a_schedule_that_is_spent() -> None:
    plan = {"batch_size": 20, "epochs": 20}
    assert audited(**plan)["spent_share"].value == 0
    assert audited(schedule="linear", **plan)["spent_share"].value == pytest.approx(SPENT, abs=0.01)
    cosine = 1 - np.arccos(2 * SPENT - 1) / np.pi
    assert audited(schedule="cosine", **plan)["spent_share"].value == pytest.approx(cosine, abs=0.01)
    epochs_to_spend = 5  # 1/2, 1/4, 1/8, 1/16, 1/32
    assert audited(schedule="exponential:0.5", **plan)["spent_share"].value == pytest.approx(1 - epochs_to_spend / 20, abs=0.06)
    assert audited(schedule="step:5:0.01", **plan)["spent_share"].value == pytest.approx(0.75, abs=0.01)


# --- Order of the rows -------------------------------------------------------------------------------------------------------------


def order(data: tuple[Any, Any], loss: nn.Module | None = None, outputs: int = 4) -> float:
    return audited(data, loss, outputs)["row_order"].value


def test_order_of_classes() -> None:
    assert order(rows(order="sorted")) > 0.95
    assert order(rows()) == pytest.approx(0, abs=0.1)
    x, _ = rows()
    assert order((x, np.arange(ROWS) % 4)) < 0, "classes that take turns are less alike than by chance"


def test_order_of_one_hot_and_of_real_targets() -> None:
    x, y = rows(order="sorted")
    assert order((x, np.eye(4, dtype=np.float32)[y])) > 0.95
    real = np.random.default_rng(1).normal(size=(ROWS, 1)).astype(np.float32)
    assert order((x, np.sort(real, 0)), nn.MSELoss(), 1) > 0.95
    by_hand = 1 - (np.diff(real[:, 0]) ** 2).mean() / 2 / real.var(ddof=1)
    assert order((x, real), nn.MSELoss(), 1) == pytest.approx(by_hand, rel=1e-4)


def test_no_order_where_all_targets_are_equal_or_rows_are_few() -> None:
    x, y = rows()
    assert "row_order" not in audited((x, np.zeros(ROWS, int)))
    assert "row_order" not in audited((x, np.ones((ROWS, 1), np.float32)), nn.MSELoss(), 1)
    assert "row_order" not in audited((x[:18], y[:18]))


def test_missing_targets_do_not_raise() -> None:
    x, _ = rows()
    y = np.linspace(0, 1, ROWS, dtype=np.float32)[:, None]
    y[::7] = np.nan
    assert "planned_updates" in audited((x, y), nn.MSELoss(), 1)


def test_rows_drawn_by_weight_are_shuffled() -> None:
    x, y = rows()
    weighted = vectors_task(x, y, 4, validation=(x, y), sample_weight=torch.ones(ROWS))
    found = {e.measure: e.value for e in recipe_evidence(lab_for(weighted, RECIPE.replace(shuffle=False)))}
    assert found["shuffled"] == 1
    assert audited(shuffle=False)["shuffled"].value == 0 and audited()["shuffled"].value == 1


def test_batches_of_any_structure_have_no_order() -> None:
    assert "row_order" not in {e.measure for e in recipe_evidence(lab_for(dict_task()))}
