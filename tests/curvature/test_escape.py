from __future__ import annotations

import pytest
import torch
from planted_losses import formula, network, regression
from torch import Tensor, nn

from traindx.curvature import Objective
from traindx.curvature.escape import By, escape


def product_of_weights(w: Tensor) -> Tensor:
    return (1 - w.prod()) ** 2


def constant(model: nn.Sequential, value: float) -> nn.Sequential:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


SADDLES = {
    "product of two": (lambda: formula(product_of_weights, 0.0, 0.0), By.CURVATURE),
    "product of three": (lambda: formula(product_of_weights, 0.0, 0.0, 0.0), By.SEARCH),
    "product of four": (lambda: formula(product_of_weights, 0.0, 0.0, 0.0, 0.0), By.SEARCH),
    "zero network": (lambda: regression(constant(network(3, 8, 2), 0.0)), By.CURVATURE),
    "zero network in float32": (lambda: regression(constant(network(3, 8, 2, double=False), 0.0)), By.CURVATURE),
    "deep zero network": (lambda: regression(constant(network(3, 8, 8, 2), 0.0)), By.CURVATURE),
    "deep linear zero network": (lambda: regression(constant(network(3, 8, 8, 2, activation=nn.Identity), 0.0)), By.CURVATURE),
    "equal units": (lambda: regression(constant(network(3, 8, 2), 0.1)), By.CURVATURE),
    "equal units, two layers": (lambda: regression(constant(network(3, 8, 8, 2), 0.1)), By.CURVATURE),
}


@pytest.mark.parametrize("name", SADDLES)
def test_the_loss_is_lower_where_it_leads(name: str) -> None:
    make, by = SADDLES[name]
    objective = make()
    before = objective.flat()
    found = escape(objective)
    assert found.by is by
    assert torch.equal(objective.flat(), before)
    with objective.at(found.point):
        assert objective.loss() == found.after
    assert found.after < found.before == objective.loss()
    assert torch.allclose(found.point, before + found.step * found.direction)
    assert min(found.tried.losses) == found.after


@pytest.mark.parametrize("at", [(1.0, 1.0), (2.0, 0.5)])
def test_nothing_is_claimed_at_a_minimum(at: tuple[float, float]) -> None:
    found = escape(formula(product_of_weights, *at))
    assert found.by is By.NOTHING
    assert found.fall == 0
    assert torch.equal(found.point, torch.tensor(at, dtype=torch.float64))


def test_a_direction_is_used_on_both_sides() -> None:
    loss = lambda w: (w[0] ** 2 - 1) ** 2 + 0.2 * w[0] ** 3  # noqa: E731
    found = escape(formula(loss, 0.0), torch.tensor([3.0], dtype=torch.float64))
    assert found.step < 0
    assert float(found.direction.norm()) == pytest.approx(1)


def test_a_direction_that_does_not_curve_down_is_refused() -> None:
    with pytest.raises(ValueError, match="negative one"):
        escape(formula(product_of_weights, 1.0, 1.0), torch.tensor([1.0, 1.0], dtype=torch.float64))
    with pytest.raises(ValueError, match="direction is zero"):
        escape(formula(product_of_weights, 0.0, 0.0), torch.zeros(2, dtype=torch.float64))


def trained(objective: Objective, steps: int = 400) -> float:
    optimizer = torch.optim.Adam(objective.model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = sum((nn.functional.mse_loss(objective.model(x), y) for x, y in objective._batches), torch.zeros(())) / len(
            objective._batches
        )
        loss.backward()
        optimizer.step()
    return objective.loss()


@pytest.mark.parametrize("widths", [(3, 8, 2), (3, 8, 8, 2)])
def test_a_network_that_starts_at_zero_trains_once_it_has_escaped(widths: tuple[int, ...]) -> None:
    stuck = regression(constant(network(*widths), 0.0))
    without = trained(stuck)
    free = regression(constant(network(*widths), 0.0))
    torch.nn.utils.vector_to_parameters(escape(free).point, free.model.parameters())
    assert trained(free) < 0.8 * without
