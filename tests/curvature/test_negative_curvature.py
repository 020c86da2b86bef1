"""The certificate on planted saddles and minima: what it says is true, in either precision and from every seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from families import make
from torch import Tensor, nn

from traindx.curvature import Certificate, Objective, dense_hessian, negative_curvature

SEEDS = 10
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}


class TwoWeights(nn.Module):
    """y = w1 w2 x."""

    def __init__(self, w1: float, w2: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([w1, w2]))

    def forward(self, x: Tensor) -> Tensor:
        return self.w[0] * self.w[1] * x


def two_weights(w1: float, w2: float) -> Objective:
    return Objective(TwoWeights(w1, w2), nn.MSELoss(), [(torch.ones(1), torch.ones(1))])


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def filled(model: nn.Module, fill: Callable[[Tensor], Tensor]) -> nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(fill(parameter))
    return model


def mlp(*widths: int, activation: type[nn.Module] = nn.Tanh) -> nn.Module:
    layers: list[nn.Module] = []
    for inward, outward in itertools.pairwise(widths):
        layers += [nn.Linear(inward, outward, bias=False), activation()]
    return nn.Sequential(*layers[:-1])


def regression(model: nn.Module, outputs: int = 2) -> Objective:
    inputs = drawn(16, 3)
    return Objective(model, nn.MSELoss(), [(inputs, inputs @ drawn(3, outputs))])


def solved_linear(depth: int) -> Objective:
    """A deep linear network at a global minimum: its product is the matrix that made the targets. Small integers, so without rounding."""
    last = torch.tensor([[1.0, -2.0, 0.0], [3.0, 1.0, -1.0]])
    model = filled(mlp(3, *[3] * (depth - 1), 2, activation=nn.Identity), lambda p: torch.eye(3) if len(p) == 3 else last)
    inputs = torch.arange(48.0).reshape(16, 3) % 7 - 3
    return Objective(model, nn.MSELoss(), [(inputs, inputs @ last.T)])


SADDLES: dict[str, Callable[[], Objective]] = {
    "two weights at zero": lambda: two_weights(0.0, 0.0),
    "zero-initialized network": lambda: regression(filled(mlp(3, 4, 2), torch.zeros_like)),
    "symmetric network": lambda: regression(filled(mlp(3, 4, 2), lambda p: 0.3 * torch.ones_like(p))),
    "two linear layers at zero": lambda: regression(filled(mlp(3, 3, 2, activation=nn.Identity), torch.zeros_like)),
    "trained a little": lambda: (lambda case: Objective(case.model.float(), case.loss, [(x.float(), y) for x, y in case.batches]))(
        make("tanh")
    ),
}
MINIMA: dict[str, Callable[[], Objective]] = {
    "two weights on the valley": lambda: two_weights(1.0, 1.0),
    "two uneven weights on the valley": lambda: two_weights(4.0, 0.25),
    "least squares": lambda: regression(nn.Linear(3, 2)),
    "logistic regression": lambda: Objective(nn.Linear(3, 4), nn.CrossEntropyLoss(), [(drawn(16, 3), torch.arange(16) % 4)]),
    "deep linear network, solved": lambda: solved_linear(3),
}
FLAT = {"three linear layers at zero": lambda: regression(filled(mlp(3, 3, 3, 2, activation=nn.Identity), torch.zeros_like))}
"""A saddle of higher order: its Hessian is zero, and so it has no negative curvature to be found."""


def in_precision(objective: Objective, dtype: torch.dtype) -> Objective:
    def convert(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return Objective(objective.model.to(dtype), objective._loss, [tuple(map(convert, batch)) for batch in objective._batches])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", sorted({**SADDLES, **MINIMA, **FLAT}))
def test_no_wrong_answer_on_planted_points(name: str, dtype: torch.dtype) -> None:
    objective = in_precision({**SADDLES, **MINIMA, **FLAT}[name](), dtype)
    matrix = dense_hessian(objective)
    lowest = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
    for seed in range(SEEDS):
        answer = negative_curvature(objective, seed=seed)
        assert answer.found == (name in SADDLES)
        if answer.found:
            assert answer.vector is not None and float(answer.vector.norm()) == pytest.approx(1, abs=1e-5)
            quotient = float(answer.vector.double() @ matrix @ answer.vector.double())
            assert answer.value == pytest.approx(quotient, abs=10 * answer.noise)
            assert lowest - ROUNDING[dtype] <= quotient < 0
        else:
            assert lowest >= -answer.bound - ROUNDING[dtype] and answer.vector is None


def test_words_never_claim_a_minimum() -> None:
    saddle, valley = negative_curvature(two_weights(0.0, 0.0)), negative_curvature(two_weights(1.0, 1.0))
    assert "negative curvature: v'Hv = " in str(saddle) and "gradient of norm 0" in str(saddle)
    assert "lambda_min >= -" in str(valley) and "with probability 0.99" in str(valley) and "minimum" not in str(valley)


def test_the_bound_tightens_with_products_and_holds() -> None:
    spectrum = torch.linspace(0.0, 1.0, 400, dtype=torch.float64)

    class Diagonal:
        size, dtype, device = 400, torch.float64, torch.device("cpu")

        def hvp(self, v: Tensor) -> Tensor:
            return spectrum * v

        def gradient(self) -> Tensor:
            return torch.zeros(400)

    def answers(products: int, epsilon: float = 0.001) -> list[Certificate]:
        return [negative_curvature(Diagonal(), epsilon=epsilon, seed=seed, products=products) for seed in range(20)]  # type: ignore[arg-type]

    few, many, enough = answers(20), answers(60), answers(200, epsilon=0.01)
    assert not any(answer.found for answer in (*few, *many, *enough))
    assert max(a.bound for a in many) < min(a.bound for a in few)
    assert all(answer.bound <= 0.01 and answer.products < 80 for answer in enough)
    assert math.isinf(answers(3)[0].bound)


def test_a_failing_bound_would_be_noticed() -> None:
    """The spectrum's lowest value stays above -bound also where the one negative eigenvalue is tiny and easily missed."""
    for depth in (1e-1, 1e-2, 1e-3, 1e-4):
        values = torch.cat([torch.tensor([-depth], dtype=torch.float64), torch.linspace(0, 1, 500, dtype=torch.float64)])

        class Diagonal:
            size, dtype, device = 501, torch.float64, torch.device("cpu")

            def hvp(self, v: Tensor, values: Tensor = values) -> Tensor:
                return values * v

            def gradient(self) -> Tensor:
                return torch.zeros(501)

        for seed in range(SEEDS):
            answer = negative_curvature(Diagonal(), seed=seed)  # type: ignore[arg-type]
            assert answer.found or answer.bound >= depth


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"delta": 1.0}, {"products": 0}])
def test_senseless_wishes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        negative_curvature(two_weights(0.0, 0.0), **wrong)  # type: ignore[arg-type]
