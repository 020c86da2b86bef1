"""The closed form is the Hessian of the network; critical points are counted once, and only where the gradient is zero."""

from __future__ import annotations

import numpy as np
import pytest

from traindx.curvature import dense_hessian
from traindx.labs import census
from traindx.labs.census import PARAMETERS, Point, counted, derivatives, objective, off_by, search


@pytest.fixture
def theta() -> np.ndarray:
    return np.random.default_rng(0).normal(size=PARAMETERS)


def test_the_closed_form_is_what_products_give(theta: np.ndarray) -> None:
    loss, gradient, hessian = derivatives(theta)
    here = objective(theta)
    assert loss == pytest.approx(here.loss(), rel=1e-12)
    assert np.allclose(gradient, here.gradient().numpy(), rtol=1e-10, atol=1e-14)
    assert np.allclose(hessian, dense_hessian(here).numpy(), rtol=1e-10, atol=1e-13)
    assert off_by(theta) < census.EXACT


def test_a_search_lowers_the_gradient(theta: np.ndarray) -> None:
    found = search(np.random.default_rng(7))
    assert found.gradient < 1e-3 * np.linalg.norm(derivatives(theta)[1])
    assert found.loss == derivatives(found.theta)[0]


def test_the_constant_output_is_a_critical_point_with_near_zero_eigenvalues(theta: np.ndarray) -> None:
    """Without hidden units that matter, the output bias alone is fitted: moving the other weights changes nothing to second order."""
    constant = np.zeros(PARAMETERS)
    constant[-1] = census.Y.mean()
    loss, gradient, _ = derivatives(constant)
    point = Point(constant, loss, float(np.linalg.norm(gradient)))
    units_in_another_order = Point(constant.copy(), loss, point.gradient)
    not_critical = Point(theta, derivatives(theta)[0], float(np.linalg.norm(derivatives(theta)[1])))
    found = counted([not_critical, point, units_in_another_order])
    assert found.points == (point,)
    assert found.near_zero[0] > 0.5 and found.kinds[0] in ("degenerate", "saddle")
    assert found.positive[0] + found.negative[0] + found.near_zero[0] == pytest.approx(1)
