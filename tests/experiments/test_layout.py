"""What the network's layers are handed tells which columns are codes, and references and audit take them for what they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_labs import Net, answer, lab_for
from torch import Tensor, nn

from traindx.diagnosis.rules.missing_nonlinearity import AFFINE, LAYERS
from traindx.experiments.layout import coded_columns
from traindx.tasks import Task
from traindx.tasks.features import MAX_NAMES, Features

COUNTS = (30, 7)


def shops(rows: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """(N, 4): a code, a number, another code, a number; what is sold depends on the codes, in no order of them."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, count, rows) for count in COUNTS)
    of_first, of_second = (rng.normal(size=count) for count in COUNTS)
    numbers = rng.normal(size=(2, rows))
    y = of_first[first] + of_second[second] + 0.2 * numbers[0] + 0.1 * rng.normal(size=rows)
    return np.stack([first, numbers[0], second, numbers[1]], 1).astype(np.float32), y[:, None].astype(np.float32)


class Sold(nn.Module):
    """Codes as vectors beside numbers, and layers; without ``bend`` they are one affine map."""

    def __init__(self, bend: bool = True, layers: int = 2) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, 4) for count in COUNTS)
        hidden = [nn.Linear(10, 16), nn.ReLU() if bend else nn.Identity()] if layers > 1 else []
        self.layers = nn.Sequential(*hidden, nn.Linear(16 if hidden else 10, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4) -> (N, 1)."""
        vectors = [table(x[:, j].long()) for table, j in zip(self.tables, (0, 2), strict=True)]
        outputs: Tensor = self.layers(torch.cat([*vectors, x[:, 1::2]], 1))
        return outputs


def sold(**options: bool | int) -> Task:
    return Task(lambda: Sold(**options), nn.MSELoss(), shops())


class Words(nn.Module):
    """A sequence of tokens in one table."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(9, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T) -> (N, 2)."""
        outputs: Tensor = self.last(self.table(x).mean(1))
        return outputs


def test_columns_that_are_looked_up_are_codes() -> None:
    assert coded_columns(sold()) == (0, 2)
    rng = np.random.default_rng(0)
    assert coded_columns(Task(Words, nn.CrossEntropyLoss(), (rng.integers(0, 9, (40, 5)), np.arange(40) % 2))) == ()
    assert coded_columns(Task(Net(4, 8, 1), nn.MSELoss(), shops())) == ()


def test_features_have_a_column_a_name_and_the_numbers_beside_them() -> None:
    x = torch.from_numpy(shops()[0])
    found = Features(x, (0, 2))(x)
    assert found.shape == (900, 2 + sum(COUNTS))
    assert (found[:, 2:].sum(1) == 2).all(), "one of each code's columns is 1"
    many = torch.arange(2000).float()[:, None]
    assert Features(many, (0,))(many).shape[1] == MAX_NAMES


def test_references_know_names() -> None:
    found = {e.subject: e.value for e in answer(lab_for(sold()), "references") if e.measure == "out_of_fold_loss"}
    assert found["linear"] < 0.1 * found["constant"], "a sum of what the names add"


@pytest.mark.parametrize(("options", "seen"), [({"bend": False}, True), ({"bend": True}, False), ({"layers": 1}, False)])
def test_layers_behind_vectors_of_codes_without_a_bend(options: dict[str, bool | int], seen: bool) -> None:
    (found,) = (e for e in answer(lab_for(sold(**options)), "audit") if e.measure == "distance_from_affine")
    assert (found.value < AFFINE and float(found.details["weight_layers"]) >= LAYERS) is seen


class Fit(nn.Module):
    """How a buyer's vector fits a good's: a product of two vectors is no affine map."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = (nn.Embedding(count, 4) for count in COUNTS)
        self.scale = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4) -> (N, 1)."""
        fit = (self.one(x[:, 0].long()) * self.other(x[:, 2].long())).sum(1, keepdim=True)
        outputs: Tensor = self.scale(fit)
        return outputs


def test_a_product_of_vectors_is_a_bend() -> None:
    (found,) = (e for e in answer(lab_for(Task(Fit, nn.MSELoss(), shops())), "audit") if e.measure == "distance_from_affine")
    assert found.value > AFFINE


def test_constant_outputs_and_a_forward_pass_that_fails_say_nothing_of_a_bend() -> None:
    def silent() -> nn.Module:
        model = Sold()
        nn.init.zeros_(model.layers[-1].weight)
        nn.init.zeros_(model.layers[-1].bias)
        return model

    def too_small() -> nn.Module:
        model = Sold()
        model.tables[0] = nn.Embedding(3, 4)
        return model

    for make in (silent, too_small):
        found = answer(lab_for(Task(make, nn.MSELoss(), shops())), "audit")
        assert "distance_from_affine" not in {e.measure for e in found}
