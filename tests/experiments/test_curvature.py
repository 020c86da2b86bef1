"""Curvature of a baseline: where it began, where it ended, and what leaving a saddle gains. Real, tiny trainings."""

from __future__ import annotations

import numpy as np
import pytest
from small_labs import RECIPE, answer, digits_task, lab_for, values
from torch import Tensor, nn

from traindx.experiments.curvature import bound_of_stability
from traindx.tasks import Task


def at_the_origin() -> nn.Module:
    """Two layers of zeros: without biases no gradient ever moves them."""
    model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.Tanh(), nn.Linear(8, 1, bias=False))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def on_a_saddle() -> Task:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    return Task(at_the_origin, nn.MSELoss(), (x, x[:, :1] - x[:, 1:2]))


def test_a_training_at_the_origin_of_two_layers_ended_on_a_saddle_and_leaves_it() -> None:
    found = {e.measure: e for e in answer(lab_for(on_a_saddle()), "critical_point")}
    assert found["answer"].details["answer"] == "saddle"
    assert found["negative_curvature"].value < 0
    assert found["escape_fall_share"].value > 0.01
    assert found["gain_of_escape_share"].value > 0.5, "trained on from off the saddle, against trained on from it"


def test_a_training_that_still_goes_down_ended_at_no_critical_point() -> None:
    found = {e.measure: e for e in answer(lab_for(digits_task(), RECIPE.replace(lr=1e-3)), "critical_point")}
    assert found["answer"].details["answer"] == "not-critical"
    assert found["products"].value < 100


def test_the_rate_times_the_largest_eigenvalue_tells_a_stable_rate_from_one_that_overshoots() -> None:
    for lr, above in ((1e-4, False), (100.0, True)):
        shown = [
            e
            for e in answer(lab_for(digits_task(), RECIPE.replace(lr=lr)), "critical_point")
            if e.measure == "rate_times_largest_eigenvalue"
        ]
        assert shown[0].subject == "start" and shown[0].threshold == bound_of_stability(RECIPE)
        assert (shown[0].value > shown[0].threshold) is above


class Bags(nn.Module):
    """Means of vectors that are looked up; torch has no second derivative of that."""

    def __init__(self) -> None:
        super().__init__()
        self.bags, self.head = nn.EmbeddingBag(4, 3), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.bags(x))
        return out


def test_an_operation_without_a_second_derivative_is_told() -> None:
    rng = np.random.default_rng(0)
    task = Task(Bags, nn.MSELoss(), (rng.integers(0, 4, (200, 5)), rng.normal(size=(200, 1)).astype(np.float32)))
    (start, end, point) = answer(lab_for(task), "critical_point")
    assert {e.measure for e in (start, end, point)} == {"not-applicable"}
    assert "embedding_bag" in point.text


def test_no_bound_is_known_for_adaptive_optimizers() -> None:
    adam = RECIPE.replace(optimizer="adam", momentum=0.0, lr=1e-3)
    assert bound_of_stability(adam) is None
    assert "rate_times_largest_eigenvalue" not in values(answer(lab_for(digits_task(), adam), "critical_point"))


def test_a_diverged_training_has_no_end_to_look_at() -> None:
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    task = Task(lambda: nn.Linear(4, 1), nn.MSELoss(), (x, x[:, :1]))
    found = answer(lab_for(task, RECIPE.replace(lr=1e3)), "critical_point")
    assert "not-applicable" in {e.measure for e in found}


def test_the_bound_grows_with_momentum() -> None:
    assert bound_of_stability(RECIPE.replace(momentum=0.0)) == 2
    assert bound_of_stability(RECIPE.replace(momentum=0.9)) == pytest.approx(3.8)
