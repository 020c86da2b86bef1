"""The audit of the model, on small real models whose numbers are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_labs import answer, dict_task, digits_task, lab_for, values, vectors_task
from torch import Tensor, nn

from traindx.diagnosis.rules.missing_nonlinearity import AFFINE
from traindx.experiments.audit.model import model_evidence
from traindx.records import Evidence
from traindx.tasks import Task

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
Y = np.arange(60) % 3
WIDE = 400
"""Units of layers whose weights' root mean square is near its expectation."""


def audited(build: Callable[[], nn.Module], x: Any = X, loss: nn.Module | None = None, **arguments: Any) -> dict[str, Evidence]:
    task = Task(build, loss or nn.CrossEntropyLoss(), (x, Y), **arguments)
    return {e.measure: e for e in model_evidence(lab_for(task)) if e.measure != "narrowing"}


def stack(*between: nn.Module, outputs: int = 3) -> Callable[[], nn.Module]:
    """Two layers with something between them."""
    return lambda: nn.Sequential(nn.Linear(6, 8), *between, nn.Linear(8, outputs))


# --- Affinity ----------------------------------------------------------------------------------------------------------------------

AFFINE_MAPS = {
    "nothing between": stack(),
    "identity and dropout": stack(nn.Identity(), nn.Dropout(0.5)),
    "a norm in evaluation mode": stack(nn.BatchNorm1d(8)),
    "a softmax at the end": lambda: nn.Sequential(*stack()(), nn.Softmax(1)),
    "a sigmoid at the end": lambda: nn.Sequential(*stack()(), nn.Sigmoid()),
}
BENT_MAPS = {
    "relu": stack(nn.ReLU()),
    "leaky relu": stack(nn.LeakyReLU(0.2)),
    "tanh": stack(nn.Tanh()),
    "layer norm": stack(nn.LayerNorm(8)),
    "relu, and a softmax at the end": lambda: nn.Sequential(*stack(nn.ReLU())(), nn.Softmax(1)),
}


@pytest.mark.parametrize("name", AFFINE_MAPS)
def test_layers_without_a_bend_are_one_affine_map(name: str) -> None:
    found = audited(AFFINE_MAPS[name])["distance_from_affine"]
    assert found.value < AFFINE
    assert found.details["weight_layers"] >= 2


@pytest.mark.parametrize("name", BENT_MAPS)
def test_a_single_bend_is_far_from_affine(name: str) -> None:
    assert audited(BENT_MAPS[name])["distance_from_affine"].value > 1e6 * AFFINE


def test_a_bend_far_from_the_rows_is_seen() -> None:
    """Inputs so small that biases keep every rectifier on its side."""
    assert audited(stack(nn.ReLU()), 1e-3 * X)["distance_from_affine"].value > AFFINE


def test_a_bend_of_few_units_is_seen() -> None:
    class OneBend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 50), nn.Linear(50, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.first(x)
            return self.last(torch.cat([h[:, :49], h[:, 49:].relu()], 1))

    assert audited(OneBend)["distance_from_affine"].value > AFFINE


def test_what_is_no_array_of_real_numbers_has_no_affinity() -> None:
    assert "distance_from_affine" not in values(model_evidence(lab_for(dict_task())))
    tokens = np.random.default_rng(0).integers(0, 9, (60, 5))
    found = audited(lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 3)), tokens)
    assert "distance_from_affine" not in found


def test_missing_inputs_do_not_raise() -> None:
    x = X.copy()
    x[::3, 0], x[1, 1] = np.nan, np.inf
    found = audited(stack(), x)
    assert found["distance_from_affine"].value < AFFINE


def test_the_model_that_is_audited_stays_as_it_was() -> None:
    kept = stack(nn.ReLU())()
    before = {k: v.clone() for k, v in kept.state_dict().items()}
    audited(lambda: kept)
    assert kept.training and all(torch.equal(v, before[k]) and v.dtype == before[k].dtype for k, v in kept.state_dict().items())


# --- Parameters --------------------------------------------------------------------------------------------------------------------


def test_everything_learns_by_default() -> None:
    found = audited(stack(nn.ReLU()))
    assert found["learnable"].value == found["parameters"].value == 6 * 8 + 8 + 8 * 3 + 3
    assert found["frozen_share"].value == found["frozen_drawn_share"].value == found["unused_share"].value == 0


def test_frozen_weights_that_were_drawn_are_told_from_pretrained_ones() -> None:
    def drawn() -> nn.Module:
        model = stack(nn.ReLU())()
        model[0].weight.requires_grad_(False)
        return model

    kept = torch.full((8, 6), 0.1)

    def loaded() -> nn.Module:
        model = drawn()
        model[0].weight.data.copy_(kept)
        return model

    assert audited(drawn)["frozen_drawn_share"].value == pytest.approx(48 / 72), "of the weights, biases aside"
    assert audited(drawn)["frozen_share"].value == pytest.approx(48 / 83)
    assert audited(loaded)["frozen_drawn_share"].value == 0
    assert audited(loaded)["frozen_share"].value == pytest.approx(48 / 83)


def test_parameters_that_no_gradient_reaches_are_counted() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.forgotten = nn.Linear(6, 3), nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    assert audited(Forgetful)["unused_share"].value == pytest.approx(42 / (21 + 42))


# --- Fresh weights -----------------------------------------------------------------------------------------------------------------


def initialized(scheme: Callable[[torch.Tensor], Any]) -> dict[str, float]:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Linear(6, WIDE), nn.ReLU(), nn.Linear(WIDE, WIDE), nn.ReLU(), nn.Linear(WIDE, 3))
        for layer in model:
            if isinstance(layer, nn.Linear):
                scheme(layer.weight.data)
        return model

    return {measure: e.value for measure, e in audited(build).items()}


def test_gains_of_known_initializations() -> None:
    he = initialized(lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"))
    assert he["smallest_gain"] == pytest.approx(math.sqrt(2), rel=0.1)
    assert he["largest_gain"] == pytest.approx(math.sqrt(2), rel=0.1)
    large = initialized(lambda w: w.normal_())
    assert large["largest_gain"] == pytest.approx(math.sqrt(WIDE), rel=0.1)
    assert initialized(lambda w: w.zero_())["smallest_gain"] == 0


def test_equal_units_have_no_spread_and_independent_ones_have_it() -> None:
    assert initialized(lambda w: w.normal_())["unit_spread"] == pytest.approx(1, rel=0.2)
    assert initialized(lambda w: w.fill_(0.1))["unit_spread"] == pytest.approx(0, abs=1e-6)
    assert initialized(lambda w: w.zero_())["unit_spread"] == 0
    near = initialized(lambda w: w.fill_(0.1).add_(1e-3 * torch.randn(w.shape)))
    assert near["unit_spread"] == pytest.approx(1e-2, rel=0.2)


class Factors(nn.Module):
    """The product of two vectors that are looked up, and a bias a row of the first table."""

    def __init__(self, fill: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.buyers, self.goods, self.bias = nn.Embedding(5, 4), nn.Embedding(7, 4), nn.Embedding(5, 1)
        nn.init.zeros_(self.bias.weight)
        for table in (self.buyers, self.goods):
            fill(table.weight.data)

    def forward(self, x: Tensor) -> Tensor:
        buyer, good = x[:, 0].long() % 5, x[:, 1].long() % 7
        return (self.buyers(buyer) * self.goods(good)).sum(1, keepdim=True) + self.bias(buyer)


def test_tables_of_equal_columns_have_no_spread_and_tables_of_one_column_may_be_zero() -> None:
    assert audited(lambda: Factors(lambda w: w.zero_()))["unit_spread"].value == 0
    assert audited(lambda: Factors(lambda w: w.normal_()))["unit_spread"].value > 0.5


class FactorsAndLine(Factors):
    """The same beside a line of the numbers: the tables alone are not all that has weights."""

    def __init__(self, fill: Callable[[Tensor], object]) -> None:
        super().__init__(fill)
        self.line = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        score = super().forward(x) + self.line(x[:, :2])
        return torch.cat([score, 2 * score, -score], 1)


def test_tables_of_zeros_that_multiply_each_other_are_stuck_there() -> None:
    assert audited(lambda: FactorsAndLine(lambda w: w.zero_()))["unit_spread"].value == 0
    assert "unit_spread" not in audited(lambda: FactorsAndLine(lambda w: w.normal_()))


class Places(nn.Module):
    """A table of zeros that is added to a drawn one, before a layer: nothing wrong with that."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.head = nn.Embedding(5, 4), nn.Embedding(6, 4), nn.Linear(4, 3)
        nn.init.zeros_(self.places.weight)

    def forward(self, x: Tensor) -> Tensor:
        place = torch.arange(x.shape[1]).clamp(max=5)
        out: Tensor = self.head((self.words(x.long().abs() % 5) + self.places(place)).mean(1))
        return out


def test_a_table_of_zeros_before_a_layer_says_nothing() -> None:
    assert audited(Places)["unit_spread"].value > 0.5


def test_biases_dropout_and_norms_are_seen() -> None:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.8), nn.Linear(8, 3))
        model[0].bias.data.fill_(-5)
        return model

    found = audited(build)
    assert (found["bias_offset"].value, found["dropout"].value, found["norm_layers"].value) == (5, 0.8, 1)


def test_images_and_regressions_are_audited_too() -> None:
    images = digits_task(model=lambda: nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10)))
    assert values(model_evidence(lab_for(images)))["distance_from_affine"] < AFFINE
    regression = vectors_task(X, X[:, :1], 1, nn.MSELoss())
    assert values(model_evidence(lab_for(regression)))["distance_from_affine"] > AFFINE


# --- The graph -------------------------------------------------------------------------------------------------------------------------


class Cut(nn.Module):
    """Two layers, the first behind a cut, and one that nothing depends on."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.first, self.last, self.idle = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(4, 8)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.first(x))
        if self.way == "numpy":
            hidden = torch.tensor(hidden.detach().numpy())
        if self.way == "step":
            hidden = (hidden > 0).float()
        return self.last(hidden)


@pytest.mark.parametrize(("way", "cut"), [("numpy", 40), ("step", 40), ("none", 0)])
def test_parameters_behind_a_cut_are_told_from_those_that_nothing_depends_on(way: str, cut: int) -> None:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    task = Task(lambda: Cut(way), nn.CrossEntropyLoss(), (x, np.arange(60) % 2))
    found = values(answer(lab_for(task), "audit"))
    assert found["cut_share"] == pytest.approx(cut / 98)
    assert found["unused_share"] == pytest.approx((cut + 40) / 98)


class LeftOut(nn.Module):
    """Blocks that are left out at random in training, noise in evaluation, and a layer that nothing depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.idle = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(4, 8)
        self.blocks = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        for block in self.blocks:
            if not (self.training and torch.rand(()) < 0.3):
                x = x + torch.relu(block(x))
        return self.last(nn.functional.dropout(x, 0.1))


def test_what_is_drawn_in_the_forward_pass_is_no_cut() -> None:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    found = values(answer(lab_for(Task(LeftOut, nn.CrossEntropyLoss(), (x, np.arange(60) % 2))), "audit"))
    assert found["cut_share"] == 0


def test_a_model_that_cannot_be_copied_is_looked_at_all_the_same() -> None:
    class Keeping(Cut):
        def forward(self, x: Tensor) -> Tensor:
            self.kept = super().forward(x)
            return self.kept

    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    found = values(answer(lab_for(Task(lambda: Keeping("numpy"), nn.CrossEntropyLoss(), (x, np.arange(60) % 2))), "audit"))
    assert found["cut_share"] == pytest.approx(40 / 98)
