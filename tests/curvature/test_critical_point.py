from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_losses import formula, network, quadratic, regression
from torch import Tensor, nn

from traindx.curvature import Objective
from traindx.curvature.critical_point import Answer, critical_point
from traindx.curvature.slope import gradient_noise, slope

PLANTED = 200


def product_of_weights(w: Tensor) -> Tensor:
    return (1 - w.prod()) ** 2


# --- Planted points ------------------------------------------------------------------------------------------------------------------


def curved(seed: int, negative: bool) -> tuple[Objective, Answer]:
    """A quartic whose critical point lies anywhere, with eigenvalues over three decades, some of them negative where it is a saddle."""
    generator = torch.Generator().manual_seed(seed)
    size = int(torch.randint(2, 40, (), generator=generator))
    dtype = torch.float32 if seed % 3 == 0 else torch.float64
    values = 10 ** (-3 * torch.rand(size, generator=generator, dtype=torch.float64))
    if negative:
        count = int(torch.randint(1, size, (), generator=generator))
        values[:count] *= -1
    q, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    matrix = ((q * values) @ q.T).to(dtype)
    at = torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)

    def loss(w: Tensor) -> Tensor:
        away = w - at
        return 1 + 0.5 * away @ matrix @ away + 0.01 * away.square().sum() ** 2

    found = formula(loss, *at.tolist())
    if dtype is torch.float32:
        found.model.float()
        found = Objective(found.model, lambda out, _: out, found._batches)
    return found, Answer.SADDLE if negative else Answer.MINIMUM_LIKE


def zero_network(seed: int) -> tuple[Objective, Answer]:
    """One hidden layer, all weights zero, the best constant as output: a saddle, for targets that depend on the inputs."""
    objective = regression(network(3, 2 + seed % 7, 2, double=seed % 2 == 0), seed=seed)
    layers = objective.model
    assert isinstance(layers, nn.Sequential)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.zero_()
        layers[-1].bias.copy_(torch.cat([targets for _, targets in objective._batches]).mean(0))
    return objective, Answer.SADDLE


def ridge(seed: int) -> tuple[Objective, Answer]:
    """Regression by a linear layer, with a penalty, at its least-squares solution: the one minimum."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    y = x @ torch.randn(5, 1, generator=generator, dtype=torch.float64) + torch.randn(60, 1, generator=generator, dtype=torch.float64)
    layer = nn.Linear(5, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linalg.solve(x.T @ x + 0.6 * torch.eye(5, dtype=torch.float64), x.T @ y).T)
    loss = lambda out, target: F.mse_loss(out, target) + 0.01 * layer.weight.square().sum()  # noqa: E731
    return Objective(layer, loss, list(zip(x.chunk(6), y.chunk(6), strict=True))), Answer.MINIMUM_LIKE


KINDS: tuple[Callable[[int], tuple[Objective, Answer]], ...] = (
    lambda seed: curved(seed, negative=False),
    lambda seed: curved(seed, negative=True),
    zero_network,
    ridge,
)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=("curved minimum", "curved saddle", "zero network", "ridge"))
def test_no_planted_point_is_called_something_else(kind: int) -> None:
    wrong = []
    for seed in range(PLANTED // len(KINDS)):
        objective, truth = KINDS[kind](seed)
        before = objective.flat()
        found = critical_point(objective, seed=seed)
        if found.answer is not truth:
            wrong.append((seed, found.answer.value, found.reason))
        assert torch.equal(objective.flat(), before)
    assert wrong == []


# --- The guide's example -------------------------------------------------------------------------------------------------------------


def test_the_origin_of_the_guides_example_is_a_saddle() -> None:
    found = critical_point(formula(product_of_weights, 0.0, 0.0))
    assert found.answer is Answer.SADDLE
    assert (found.smallest, found.largest) == pytest.approx((-2, 2))
    assert found.escape is not None
    assert found.escape.after < found.escape.before == 1.0


def test_its_valley_is_flat_and_no_minimum() -> None:
    found = critical_point(formula(product_of_weights, 1.0, 1.0))
    assert found.answer is Answer.FLAT
    assert (found.smallest, found.largest) == (pytest.approx(0, abs=1e-9), pytest.approx(4))
    assert found.escape is not None
    assert found.escape.fall == 0


def test_beside_the_valley_the_loss_is_sloping() -> None:
    found = critical_point(formula(product_of_weights, 1.0, 1.2))
    assert found.answer is Answer.NOT_CRITICAL
    assert "0.04" in found.reason


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_deep_linear_networks_at_zero_are_flat_with_a_way_down(depth: int) -> None:
    found = critical_point(formula(product_of_weights, *[0.0] * depth))
    assert found.answer is Answer.FLAT
    assert found.escape is not None
    assert found.escape.fall > 0.1
    assert "beyond what curvature sees" in found.reason


def test_a_maximum_is_a_saddle_that_rises_nowhere() -> None:
    found = critical_point(formula(lambda w: torch.exp(-w.square().sum()), 0.0, 0.0))
    assert found.answer is Answer.SADDLE
    assert "a maximum" in found.reason


def test_what_is_not_finite_is_undecided() -> None:
    assert critical_point(formula(lambda w: (w / 0).sum(), 1.0)).answer is Answer.UNDECIDED


def test_a_duplicated_unit_is_never_a_minimum() -> None:
    """At a minimum, one unit is split in two with half the outgoing weight each: flat or a saddle (Fukumizu and Amari 2000)."""
    small = regression(network(3, 2, 2))
    optimizer = torch.optim.LBFGS(
        small.model.parameters(), max_iter=2000, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = sum((F.mse_loss(small.model(x), y) for x, y in small._batches), torch.zeros(())) / len(small._batches)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    large, first, last = network(3, 3, 2), small.model[0], small.model[2]  # type: ignore[index]
    with torch.no_grad():
        for new, old in ((large[0].weight, first.weight), (large[0].bias, first.bias)):
            new.copy_(torch.cat([old, old[:1]]))
        half = torch.cat([last.weight[:, :1] / 2, last.weight[:, 1:], last.weight[:, :1] / 2], 1)
        large[2].weight.copy_(half)
        large[2].bias.copy_(last.bias)
    assert critical_point(regression(large)).answer in (Answer.FLAT, Answer.SADDLE)


# --- The slope -----------------------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 8), st.integers(0, 1000))
def test_on_a_quadratic_the_slope_gains_all_there_is(size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    root, at = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((size, size), (size,)))
    matrix = root @ root.T / size + 0.1 * torch.eye(size, dtype=torch.float64)
    found = slope(quadratic(matrix, at))
    assert found.gain == pytest.approx(found.loss, rel=1e-6)
    assert found.norm == pytest.approx(float(torch.linalg.vector_norm(matrix @ at)))
    assert found.is_critical is False


def test_the_noise_is_the_standard_error_of_the_mean_gradient() -> None:
    objective = regression(network(3, 4, 2), rows=60, batches=60)
    gradients = torch.stack([g for _, g in objective.batch_gradients()])
    truth = math.sqrt(float(gradients.var(0, correction=1).sum()) / 60)
    assert gradient_noise(objective, objective.gradient()) == pytest.approx(truth)


def test_one_batch_has_no_noise() -> None:
    objective = formula(product_of_weights, 1.0, 1.2)
    assert math.isnan(gradient_noise(objective, objective.gradient()))


def test_the_bottom_of_a_long_valley_is_sloping() -> None:
    """The gradient is small against the curvature across the valley, and yet much is to be gained along it."""
    found = critical_point(formula(lambda w: 0.5 * (1e4 * w[0] ** 2 + 1e-1 * (w[1] - 10) ** 2), 0.0, 0.0))
    assert found.answer is Answer.NOT_CRITICAL


def test_a_model_that_raises_is_left_as_it_was() -> None:
    class Third(nn.Linear):
        passes = 0

        def forward(self, x: Tensor) -> Tensor:
            Third.passes += 1
            if Third.passes > 20:
                raise RuntimeError("no more passes")
            return super().forward(x)

    objective = regression(Third(3, 2).double())
    objective.model.train()
    before = objective.flat()
    with pytest.raises(RuntimeError, match="no more passes"):
        critical_point(objective)
    assert torch.equal(objective.flat(), before)
    assert objective.model.training
