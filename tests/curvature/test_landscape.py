from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_losses import formula, network, quadratic, regression
from torch import Tensor, nn

from traindx.curvature import Objective, vectorized
from traindx.curvature.landscape import around, between, filter_normalized, line, plane, principal, two_directions
from traindx.curvature.vectorized import losses_at


def one_by_one(objective: Objective, points: list[Tensor]) -> list[float]:
    found = []
    for point in points:
        with objective.at(point):
            found.append(objective.loss())
    return found


class ByValue(nn.Module):
    """Takes another way where its input is large: vectorization cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x)
        return out if float(out.detach().mean()) > 0 else -out


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lstm(x.unsqueeze(-1))[0][:, -1])


def normalized() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 2))


MODELS = {
    "chain": lambda: network(3, 8, 2, double=False),
    "batch-norm": normalized,
    "by-value": ByValue,
    "lstm": Recurrent,
    "convolution": lambda: nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)),
    "half-frozen": lambda: network(3, 8, 2, double=False),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_many_points_have_the_losses_of_single_ones(name: str, training: bool) -> None:
    torch.manual_seed(0)
    base = regression(MODELS[name]())
    chosen = [n for n, _ in base.model.named_parameters() if n.endswith("weight")] if name == "half-frozen" else None
    objective = Objective(base.model, nn.MSELoss(), base._batches, parameters=chosen, training=training)
    points = [objective.flat() + 0.1 * i * torch.ones(objective.size) for i in range(7)]
    before = {k: v.clone() for k, v in base.model.state_dict().items()}
    assert losses_at(objective, iter(points)) == pytest.approx(one_by_one(objective, points), rel=1e-5)
    assert all(torch.equal(before[k], v) for k, v in base.model.state_dict().items())


def test_memory_is_bounded_by_the_chunk() -> None:
    objective = regression(network(3, 8, 2))
    a_point = vectorized._Vectorized(objective).bytes_a_point()
    assert a_point > 8 * objective.size
    assert vectorized._Passes(objective, 5 * a_point).room == 5
    assert vectorized._Passes(objective, 1).room == 1


def test_weights_of_batches_count() -> None:
    x, y = torch.randn(10, 3), torch.randn(10, 2)
    model = network(3, 4, 2, double=False)
    uneven = Objective(model, nn.MSELoss(), [(x[:9], y[:9]), (x[9:], y[9:])])
    whole = Objective(model, nn.MSELoss(), [(x, y)])
    points = [whole.flat() * (1 + 0.1 * i) for i in range(4)]
    assert losses_at(uneven, points) == pytest.approx(losses_at(whole, points), rel=1e-5)


def test_what_is_not_finite_is_infinite() -> None:
    assert losses_at(formula(lambda w: w[0].log(), 1.0), [torch.tensor([v], dtype=torch.float64) for v in (math.e, -1.0, 1.0)]) == [
        1.0,
        math.inf,
        0.0,
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_a_line_through_a_quadratic_is_a_parabola(size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    root, at, direction = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((size, size), (size,), (size,)))
    matrix = root + root.T
    found = line(quadratic(matrix, at), direction, radius=2.0, points=9)
    slope, curvature = float(direction @ matrix @ at), float(direction @ matrix @ direction)
    here = float(0.5 * at @ matrix @ at)
    assert found.positions[4] == 0.0
    assert found.losses == pytest.approx([here + slope * t + 0.5 * curvature * t * t for t in found.positions], abs=1e-9)


def test_between_two_solutions() -> None:
    objective = formula(lambda w: (w[0] ** 2 - 1) ** 2, -1.0)
    found = between(objective, torch.tensor([1.0]), points=7)
    assert found.positions == pytest.approx((-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25))
    assert found.losses[1] == found.losses[5] == 0.0
    assert found.losses[3] == 1.0


def test_a_plane_has_rows_of_y_and_columns_of_x() -> None:
    objective = formula(lambda w: w[0] + 10 * w[1], 0.0, 0.0)
    first, second = torch.eye(2)
    found = plane(objective, first, second, x=(0.0, 1.0, 2.0), y=(0.0, 1.0))
    assert found.losses == ((0.0, 1.0, 2.0), (10.0, 11.0, 12.0))


def test_filters_of_a_direction_have_the_norms_of_the_weights() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2)).double()
    objective = Objective(model, nn.MSELoss(), [(torch.randn(5, 1, 3, 3).double(), torch.randn(5, 2).double())])
    pieces = filter_normalized(objective).split([p.numel() for p in objective.parameters])
    for piece, parameter in zip(pieces, objective.parameters, strict=True):
        piece = piece.view(parameter.shape)
        if parameter.ndim == 1:
            assert not piece.any()
        else:
            norms = (piece.flatten(1).norm(dim=1), parameter.detach().flatten(1).norm(dim=1))
            assert torch.allclose(*norms)


def test_two_directions_are_orthogonal_and_seeded() -> None:
    objective = regression(network(3, 8, 2))
    first, second = two_directions(objective, seed=3)
    assert float(first @ second) == pytest.approx(0, abs=1e-9)
    assert all(torch.equal(a, b) for a, b in zip((first, second), two_directions(objective, seed=3), strict=True))
    assert not torch.equal(first, two_directions(objective, seed=4)[0])


def test_a_way_in_a_plane_is_shown_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(9, 2, generator=generator, dtype=torch.float64))[0].T
    points = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    way = [point @ basis + 3 for point in points]
    found = principal(way)
    assert sum(found.shares) == pytest.approx(1.0)
    assert found.shares[0] >= found.shares[1]
    again = [way[-1] + x * found.first + y * found.second for x, y in zip(found.x, found.y, strict=True)]
    assert all(torch.allclose(a, b) for a, b in zip(again, way, strict=True))


def test_a_way_without_a_plane_is_refused() -> None:
    with pytest.raises(ValueError, match="at least three"):
        principal([torch.zeros(3), torch.ones(3)])
    with pytest.raises(ValueError, match="on one line"):
        principal([torch.zeros(3), torch.ones(3), 3 * torch.ones(3)])


def test_positions_cover_values_with_a_margin() -> None:
    positions = around((0.0, 4.0), points=7)
    assert (positions[0], positions[-1]) == (-1.0, 5.0)
    with pytest.raises(ValueError, match="positive radius"):
        line(formula(lambda w: w[0], 0.0), torch.ones(1), radius=0.0)
