from __future__ import annotations

import itertools
import math

import pytest
import torch
from planted_losses import formula, network, quadratic, regression
from torch import nn

from traindx.curvature.sharpness import sharpness


def highest_of_all_corners(matrix: torch.Tensor, at: torch.Tensor, box: torch.Tensor) -> float:
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=len(at))), dtype=at.dtype)
    points = at + signs * box
    return float((0.5 * torch.einsum("ci,ij,cj->c", points, matrix, points)).max())


# Of bowls of 2 to 6 weights, the share whose highest corner is met from 8 starts; in the others the search ends at a lower corner.
MET = 0.9


def test_of_convex_quadratics_the_highest_corner_is_nearly_always_met_and_never_passed() -> None:
    shares = []
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        size = 2 + seed % 5
        root = torch.randn(size, size, generator=generator, dtype=torch.float64)
        matrix, at = root @ root.T, 0.1 * torch.randn(size, generator=generator, dtype=torch.float64)
        found = sharpness(quadratic(matrix, at), 0.1, starts=8)
        assert found.value == pytest.approx(100 * (found.highest - found.loss) / (1 + found.loss))
        shares.append(found.highest / highest_of_all_corners(matrix, at, 0.1 * (at.abs() + 1)))
    assert max(shares) <= 1 + 1e-12
    assert sum(share > 1 - 1e-9 for share in shares) >= MET * len(shares)


def test_the_definition_by_hand() -> None:
    found = sharpness(formula(lambda w: w[0] ** 2 / 2, 0.0), epsilon=0.1)
    assert found.highest == pytest.approx(0.005)
    assert found.value == pytest.approx(0.5)


def test_sharper_is_sharper() -> None:
    flat, sharp = (sharpness(formula(lambda w, a=a: a * w[0] ** 2, 0.0)).value for a in (1.0, 100.0))
    assert sharp == pytest.approx(100 * flat)


def rescaled(model: nn.Sequential, by: float) -> nn.Sequential:
    """The same function: ReLU layers that are larger by a factor, and the next one smaller."""
    with torch.no_grad():
        for parameter in model[0].parameters():
            parameter.mul_(by)
        model[2].weight.div_(by)
    return model


@pytest.mark.parametrize("by", [0.1, 10.0])
def test_only_the_relative_box_is_blind_to_rescaling(by: float) -> None:
    plain = regression(network(3, 8, 2, activation=nn.ReLU))
    other = regression(rescaled(network(3, 8, 2, activation=nn.ReLU), by))
    assert other.loss() == pytest.approx(plain.loss())
    assert sharpness(other, relative=True).value == pytest.approx(sharpness(plain, relative=True).value, rel=1e-6)
    assert sharpness(other).value != pytest.approx(sharpness(plain).value, rel=0.05)


def test_a_loss_that_breaks_in_the_box_is_infinitely_sharp() -> None:
    assert sharpness(formula(lambda w: torch.log(w[0]) ** 2, 0.5), epsilon=2.0).value == math.inf


def test_a_loss_below_minus_one_has_no_sharpness_by_this_definition() -> None:
    assert math.isnan(sharpness(formula(lambda w: w[0] ** 2 - 3, 0.0)).value)


def test_the_weights_are_left_as_they_were() -> None:
    objective = regression(network(3, 8, 2))
    before = objective.flat()
    sharpness(objective)
    assert torch.equal(objective.flat(), before)


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"steps": 0}, {"starts": 0}])
def test_what_cannot_be_used_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give positive ones"):
        sharpness(formula(lambda w: w[0] ** 2, 0.0), **wrong)  # type: ignore[arg-type]
