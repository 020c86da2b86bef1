"""Eigenvalues, trace, density and inertia against dense Hessians, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from families import FAMILIES, make
from torch import Tensor, nn

from traindx.curvature import Objective, dense_hessian, density, eigenpairs, inertia, trace
from traindx.curvature.krylov import Krylov, Stream, random_vector

SEEDS = 20
TOLERANCE = 1e-3
RELATIVE_ABOVE = 0.01  # smaller values than this share of the largest are held to that share


class Dense:
    """A matrix in the place of an objective, so that many seeds cost little."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix, self.size, self.dtype, self.device = matrix, len(matrix), matrix.dtype, matrix.device
        self.products = 0

    def hvp(self, v: Tensor) -> Tensor:
        self.products += 1
        return self.matrix @ v

    def gradient(self) -> Tensor:
        return torch.zeros(self.size)


def objective_of(name: str, seed: int = 0, **options: Any) -> Objective:
    case = make(name, seed)
    return Objective(case.model, case.loss, case.batches, training=case.training, **options)


@lru_cache
def spectrum(name: str) -> tuple[Any, Tensor]:
    """A family's Hessian as a matrix, and its eigenvalues in descending order."""
    matrix = dense_hessian(objective_of(name))
    matrix = (matrix + matrix.T) / 2
    return Dense(matrix), torch.linalg.eigvalsh(matrix).flip(0)


def with_spectrum(values: list[float], size: int = 60, dtype: torch.dtype = torch.float64) -> Any:
    """A dense matrix with these eigenvalues, and zeros else."""
    basis = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    return Dense((basis[:, : len(values)] * torch.tensor(values) @ basis[:, : len(values)].T).to(dtype))


def relative_errors(found: Tensor, truth: Tensor, scale: float) -> Tensor:
    return (found - truth).abs() / truth.abs().clamp_min(RELATIVE_ABOVE * scale)


# --- Eigenpairs --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("largest", "smallest"), [(5, 0), (3, 2)])
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_eigenvalues_are_within_the_tolerance_for_every_seed(name: str, largest: int, smallest: int) -> None:
    matrix, values = spectrum(name)
    truth = torch.cat([values[:largest], values[len(values) - smallest :]])
    scale = float(values.abs().max())
    for seed in range(SEEDS):
        found = eigenpairs(matrix, largest, smallest, tolerance=TOLERANCE, seed=1000 * seed)
        assert found.converged
        assert relative_errors(found.values, truth, scale).max() <= TOLERANCE
        residuals = (matrix.matrix @ found.vectors.T - found.vectors.T * found.values).norm(dim=0)
        assert torch.allclose(residuals, found.residuals, atol=1e-10 * scale, rtol=1e-6)
        assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(largest + smallest, dtype=torch.float64), atol=1e-10)


@pytest.mark.parametrize("name", ["tanh", "lstm", "encoder", "batch-norm-training"])
def test_eigenpairs_of_a_model(name: str) -> None:
    _, values = spectrum(name)
    objective = objective_of(name)
    found = eigenpairs(objective, 3, 1)
    assert found.products == objective.products
    assert relative_errors(found.values, torch.cat([values[:3], values[-1:]]), float(values.abs().max())).max() <= TOLERANCE


def test_the_same_seed_gives_the_same_answer() -> None:
    first, second = (eigenpairs(objective_of("tanh"), 3, 1, seed=7) for _ in range(2))
    assert torch.equal(first.values, second.values) and torch.equal(first.vectors, second.vectors)


@pytest.mark.parametrize(
    "values",
    [
        [3.0, 3.0, 2.0, 2.0, 1.0, -0.5, -0.5],
        [1.0] * 9 + [0.5] * 9,
        [2.0] * 60,
        [0.0],
        [1.0],
        [5.0, 4.0, 3.0, -6.0, -6.0, -6.0],
    ],
)
def test_equal_eigenvalues_are_found_as_often_as_they_occur(values: list[float]) -> None:
    matrix = with_spectrum(values)
    truth = torch.tensor(sorted([*values, *[0.0] * (60 - len(values))], reverse=True), dtype=torch.float64)
    for seed in range(SEEDS):
        found = eigenpairs(matrix, 5, 3, seed=100 * seed)
        assert found.converged
        assert (found.values - torch.cat([truth[:5], truth[-3:]])).abs().max() <= TOLERANCE * max(abs(v) for v in values)


def test_repeated_eigenvalues_of_several_linear_outputs() -> None:
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 6, generator=draws, dtype=torch.float64)
    model = nn.Linear(6, 4, bias=False).double()
    objective = Objective(model, nn.MSELoss(), [(inputs, torch.zeros(40, 4, dtype=torch.float64))])
    single = torch.linalg.eigvalsh(inputs.T @ inputs / (40 * 4) * 2).flip(0)
    found = eigenpairs(objective, 9)
    assert relative_errors(found.values, single.repeat_interleave(4)[:9], float(single[0])).max() <= TOLERANCE


def test_more_than_there_are_is_all_there_are() -> None:
    matrix, values = spectrum("linear")
    found = eigenpairs(matrix, 40, 40)
    assert found.converged and torch.allclose(found.values, values, atol=1e-10)


@pytest.mark.parametrize("rows", [20, 30])
def test_bounded_memory_takes_more_products_to_the_same_tolerance(rows: int) -> None:
    matrix = with_spectrum([float(v) for v in np.linspace(1, 3, 40)] + [-1.0, -0.9])
    free, bound = (eigenpairs(matrix, 3, 1, memory_bytes=memory) for memory in (2**30, rows * 60 * 8))
    assert free.converged and bound.converged and bound.products >= free.products
    truth = torch.tensor([*np.linspace(1, 3, 40)[:-4:-1], -1.0])
    assert relative_errors(bound.values, truth, 3.0).max() <= TOLERANCE
    assert torch.allclose((matrix.matrix @ bound.vectors.T - bound.vectors.T * bound.values).norm(dim=0), bound.residuals, atol=1e-8)


def test_a_lower_end_that_lies_close_costs_no_more_than_it_must() -> None:
    """The bulk of a network with five values above it and three below: a search that looked rarely, or for long, would take over 40."""
    matrix = with_spectrum([5.0, 4.0, 3.2, 2.6, 2.2, -0.56, -0.45, -0.4, *np.linspace(-0.3, 1.0, 150)], size=160)
    found = [eigenpairs(matrix, 5, 1, seed=seed) for seed in range(SEEDS)]
    assert all(relative_errors(f.values, torch.tensor([5.0, 4.0, 3.2, 2.6, 2.2, -0.56]), 5.0).max() <= TOLERANCE for f in found)
    assert np.median([f.products for f in found]) <= 40


def test_too_few_products_are_admitted() -> None:
    matrix, values = spectrum("tanh")
    found = eigenpairs(matrix, 5, 2, products=8)
    assert not found.converged and found.products == 8
    assert ((values[:, None] - found.values).abs().min(dim=0).values <= found.residuals + 1e-12).all()


def test_float32_reaches_the_tolerance_and_knows_its_noise() -> None:
    case = make("encoder")
    batches = [(x.float(), y) for x, y in case.batches]
    objective = Objective(case.model.float(), case.loss, batches)
    found, (_, values) = eigenpairs(objective, 3, 1), spectrum("encoder")
    assert found.converged and 0 < found.noise < 1e-5 * float(values[0])
    assert relative_errors(found.values, torch.cat([values[:3], values[-1:]]), float(values[0])).max() <= TOLERANCE


def test_a_layer_on_its_own() -> None:
    objective = objective_of("tanh", parameters=["2"])
    truth = torch.linalg.eigvalsh(dense_hessian(objective)).flip(0)
    assert relative_errors(eigenpairs(objective, 2).values, truth[:2], float(truth[0])).max() <= TOLERANCE


def test_the_gauss_newton_matrix() -> None:
    objective = objective_of("tanh")
    truth = torch.linalg.eigvalsh(torch.stack([objective.ggn(e) for e in torch.eye(objective.size, dtype=torch.float64)])).flip(0)
    found = eigenpairs(objective, 3, matrix="gauss-newton")
    assert relative_errors(found.values, truth[:3], float(truth[0])).max() <= TOLERANCE


def test_a_product_that_is_not_symmetric_is_refused() -> None:
    matrix = Dense(torch.randn(30, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(ArithmeticError, match="not that of a symmetric matrix"):
        eigenpairs(matrix, 1)


def test_a_product_that_is_not_finite_is_refused() -> None:
    case = make("tanh")
    with torch.no_grad():
        case.model[0].weight.fill_(float("nan"))
    with pytest.raises(ArithmeticError, match="not finite"):
        eigenpairs(Objective(case.model, case.loss, case.batches), 1)


@pytest.mark.parametrize("wrong", [{"largest": 0}, {"largest": -1}, {"largest": 1, "tolerance": 0.0}])
def test_senseless_wishes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"largest=.*ask for one value at least"):
        eigenpairs(spectrum("tanh")[0], **wrong)


# --- Krylov ------------------------------------------------------------------------------------------------------------------------


def test_a_basis_stays_orthonormal_and_its_matrix_is_the_projection() -> None:
    matrix = with_spectrum([float(v) for v in np.geomspace(1e-8, 100, 60)])
    krylov = Krylov(matrix.hvp, random_vector(matrix, Stream.NORM, 0))
    for step in range(40):
        if step == 15:
            krylov.inject(random_vector(matrix, Stream.NORM, 1))
        if step == 25:
            krylov.restart(np.arange(10, 25))
        krylov.step()
    q = krylov.vectors(np.eye(krylov.size))
    assert torch.allclose(q @ q.T, torch.eye(krylov.size, dtype=torch.float64), atol=1e-12)
    assert np.allclose((q @ matrix.matrix @ q.T).numpy(), krylov.matrix, atol=1e-11)


# --- Trace -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_trace_is_right_within_its_standard_error(name: str) -> None:
    matrix, values = spectrum(name)
    found = [trace(matrix, 12, seed=100 * seed) for seed in range(60)]
    scores = np.array([(each.value - float(values.sum())) / max(each.standard_error, 1e-12 * float(values.abs().max())) for each in found])
    bias = np.array([each.value for each in found]) - float(values.sum())
    assert abs(bias.mean()) < 4.5 * bias.std(ddof=1) / np.sqrt(len(bias)) + 1e-9 * float(values.abs().max())
    assert np.median(np.abs(scores)) < 2


def test_trace_makes_use_of_a_krylov_space() -> None:
    objective, (_, values) = objective_of("lstm"), spectrum("lstm")
    space = eigenpairs(objective, 5, keep_basis=True).krylov
    before = objective.products
    rms = {}
    for name, given in (("with", space), ("without", None)):
        found = [trace(objective, 10, seed=100 * seed, krylov=given) for seed in range(15)]
        rms[name] = np.sqrt(np.mean([(each.value - float(values.sum())) ** 2 for each in found]))
    assert rms["with"] < rms["without"]
    assert objective.products - before == 300


def test_trace_of_a_small_matrix_is_exact() -> None:
    matrix, values = spectrum("linear")
    found = trace(matrix, 60)
    assert found.standard_error == 0 and found.value == pytest.approx(float(values.sum()), rel=1e-10)
    with pytest.raises(ValueError, match="products=3"):
        trace(matrix, 3)


# --- Density -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_moments_of_the_density_are_right_within_their_standard_errors(name: str) -> None:
    matrix, values = spectrum(name)
    found = density(matrix, probes=40, steps=6)
    for order in (1, 2, 3, 4):
        estimate, truth = found.moment(order), float((values**order).mean())
        assert abs(estimate.value - truth) < 4.5 * estimate.standard_error + 1e-12 * float(values.abs().max()) ** order


def test_density_of_a_whole_space_is_the_spectrum() -> None:
    matrix = with_spectrum([3.0, 2.0, 1.0, -1.0], size=8)
    found = density(matrix, probes=200, steps=8)
    share = found.share_between(0.5, 10.0)
    assert abs(share.value - 3 / 8) < 4 * share.standard_error
    where, height, error = found.curve(width=0.05)
    assert np.trapezoid(height, where) == pytest.approx(1, abs=1e-3)
    assert (error >= 0).all() and abs(where[height.argmax()]) < 0.05  # most of the spectrum is at zero
    assert found.products == sum(len(nodes) for nodes in found.nodes) <= 200 * 8
    assert np.trapezoid(found.curve()[1], found.curve()[0]) == pytest.approx(1, abs=1e-2)
    with pytest.raises(ValueError, match="two probes"):
        density(matrix, probes=1)


# --- Inertia -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_counts_are_those_of_the_eigenvalues(name: str) -> None:
    _, values = spectrum(name)
    scale = float(values.abs().max())
    for threshold in (1e-6, 1e-3, 0.1):
        found = inertia(objective_of(name), threshold)
        assert found.threshold == pytest.approx(threshold * scale, rel=1e-6)
        assert (found.positive, found.negative) == (int((values > found.threshold).sum()), int((values < -found.threshold).sum()))
        assert found.near_zero == len(values) - found.positive - found.negative
        assert found.minimum_ratio == found.positive / len(values) and found.near_zero_share == found.near_zero / len(values)


@pytest.mark.parametrize("counts", [(5, 0, 0), (0, 0, 7), (3, 3, 1), (0, 4, 9), (30, 20, 10)])
def test_counts_of_planted_signs(counts: tuple[int, int, int]) -> None:
    positive, negative, zero = counts
    matrix = with_spectrum([1.0 + i / 7 for i in range(positive)] + [-1.0 - i / 5 for i in range(negative)], size=sum(counts))
    found = inertia(matrix)
    assert (found.positive, found.negative, found.near_zero) == (positive, negative, zero)
    assert "near-zero share" in str(found)


def test_a_threshold_below_the_noise_is_raised() -> None:
    case = make("tanh")
    objective = Objective(case.model.float(), case.loss, [(x.float(), y) for x, y in case.batches])
    found = inertia(objective, 0.0)
    assert 0 < found.noise < found.threshold < 1e-5 * found.norm


def test_a_matrix_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"43 parameters need 29584 bytes.*choose fewer"):
        inertia(objective_of("tanh"), memory_bytes=20_000)
    with pytest.raises(ValueError, match="threshold=-1"):
        inertia(objective_of("tanh"), -1)


def test_ties_between_functions() -> None:
    """The trace is the sum of the eigenvalues, and the density's share above zero is the inertia's, on one model."""
    objective, (_, values) = objective_of("relu"), spectrum("relu")
    checks: list[Callable[[], float]] = [
        lambda: eigenpairs(objective, objective.size).values.sum().item(),
        lambda: trace(objective, 60).value,
        lambda: density(objective, 2, objective.size).size * float(values.mean()),
    ]
    for check in checks:
        assert check() == pytest.approx(float(values.sum()), rel=1e-6)
