"""The convolutional reference joins where rows have places that the user's network looks at, and sees what classical models cannot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_labs import Net, answer, lab_for
from torch import Tensor, nn

from traindx.diagnosis.reading import REFERENCES
from traindx.experiments.convolutional import FEWEST_ROWS
from traindx.experiments.layout import Layout, places
from traindx.experiments.references import reference_rows
from traindx.tasks import Task

CONVOLUTIONAL = "convolutional-network"


def marks(rows: int = 600, length: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1, T): a rise and a fall, or a fall and a rise, anywhere in noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    x = 0.3 * rng.normal(size=(rows, 1, length))
    for row, place in enumerate(rng.integers(0, length - 4, rows)):
        x[row, 0, place : place + 4] += np.array([1, 1, -1, -1]) * (2 * y[row] - 1)
    return x.astype(np.float32), y


def words(rows: int = 600, length: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """(N, T) tokens: whether one stands right before another; both are always there."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(2, 12, (rows, length)), rng.integers(0, 2, rows)
    for row in range(rows):
        first = rng.integers(0, length - 1)
        x[row, [first, first + 1]] = (0, 1) if y[row] else (1, 0)
    return x, y


class Shaped(nn.Module):
    """Rows are put into a shape before the first layer."""

    def __init__(self, first: nn.Module, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.first, self.shape, self.last = first, shape, nn.LazyLinear(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, outputs)."""
        found = self.first(x.reshape(-1, *self.shape))
        return self.last((found[0] if isinstance(found, tuple) else found).flatten(1))


def shaped(first: Callable[[], nn.Module], *shape: int, outputs: int = 2) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        model = Shaped(first(), shape, outputs)
        model(torch.zeros(2, *shape))
        return model

    return make


@pytest.mark.parametrize(
    ("model", "row", "found"),
    [
        (shaped(lambda: nn.Conv2d(2, 3, 3), 2, 6, 4), (48,), Layout((2, 6, 4))),
        (shaped(lambda: nn.Conv1d(3, 2, 3), 3, 10), (3, 10), Layout((3, 10))),
        (shaped(lambda: nn.Conv1d(3, 2, 3), 3, 10), (10, 3), Layout((3, 10), channels_last=True)),
        (shaped(lambda: nn.LSTM(3, 4, batch_first=True), 10, 3), (10, 3), Layout((3, 10), channels_last=True)),
        (shaped(lambda: nn.LSTM(3, 4, batch_first=True), 10, 3), (30,), Layout((3, 10), channels_last=True)),
        (shaped(lambda: nn.LSTM(3, 4, batch_first=True), 10, 3), (3, 10), Layout((3, 10))),
        (shaped(lambda: nn.Sequential(nn.Linear(3, 4), nn.Conv1d(10, 2, 3)), 10, 3), (10, 3), None),
        (Net(48), (48,), None),
    ],
    ids=[
        "pictures handed over flat",
        "signals",
        "signals, channels last",
        "sequences, channels last",
        "sequences handed over flat",
        "sequences that the network turns",
        "not the rows themselves",
        "no places",
    ],
)
def test_the_first_layer_of_places_tells_the_layout(model: Callable[[], nn.Module], row: tuple[int, ...], found: Layout | None) -> None:
    x, y = np.random.default_rng(0).normal(size=(40, *row)).astype(np.float32), np.arange(40) % 2
    assert places(Task(model, nn.CrossEntropyLoss(), (x, y)), torch.from_numpy(x)) == found


def losses(task: Task) -> dict[str, float]:
    return {e.subject: e.value for e in answer(lab_for(task), "references") if e.measure == "out_of_fold_loss"}


def ahead(found: dict[str, float]) -> float:
    """The convolutional reference's loss in shares of the best classical one's."""
    return found[CONVOLUTIONAL] / min(found[name] for name in REFERENCES if name != CONVOLUTIONAL)


def test_it_sees_what_stands_anywhere() -> None:
    x, y = marks()
    assert ahead(losses(Task(shaped(lambda: nn.Conv1d(1, 4, 5), 1, 24), nn.CrossEntropyLoss(), (x, y)))) < 0.5


def test_channels_that_come_last_are_told_apart() -> None:
    """The marks in one channel of three, the others noise, place by place."""
    x, y = marks()
    rows = np.concatenate([x, np.random.default_rng(1).normal(size=(len(x), 2, 24))], 1).astype(np.float32).transpose(0, 2, 1)
    assert ahead(losses(Task(shaped(lambda: nn.LSTM(3, 8, batch_first=True), 24, 3), nn.CrossEntropyLoss(), (rows, y)))) < 0.6


def test_it_sees_the_order_of_tokens() -> None:
    x, y = words()
    assert ahead(losses(Task(Tokens, nn.CrossEntropyLoss(), (x, y)))) < 0.7


class Tokens(nn.Module):
    """Words through a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.layer, self.last = nn.Embedding(12, 4), nn.LSTM(4, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T) -> (N, 2)."""
        return self.last(self.layer(self.embedding(x))[0][:, -1])


def test_numbers_and_several_labels_a_row() -> None:
    x, y = marks()
    numbers = np.stack([y, 1 - y], 1).astype(np.float32)
    regression = losses(Task(shaped(lambda: nn.Conv1d(1, 4, 5), 1, 24), nn.MSELoss(), (x, numbers * 100)))
    assert ahead(regression) < 0.5
    labels = losses(Task(shaped(lambda: nn.Conv1d(1, 4, 5), 1, 24), nn.BCEWithLogitsLoss(), (x, numbers), kind="multilabel"))
    assert ahead(labels) < 0.6


def test_few_rows_or_missing_values_have_none() -> None:
    x, y = marks(FEWEST_ROWS - 50)
    model = shaped(lambda: nn.Conv1d(1, 4, 5), 1, 24)
    assert CONVOLUTIONAL not in losses(Task(model, nn.CrossEntropyLoss(), (x, y)))
    x, y = marks()
    x[::7, 0, 3] = np.nan
    assert CONVOLUTIONAL not in losses(Task(model, nn.CrossEntropyLoss(), (x, y)))


def test_the_same_numbers_again_and_the_random_state_as_it_was() -> None:
    x, y = marks(300)
    task = Task(shaped(lambda: nn.Conv1d(1, 4, 5), 1, 24), nn.CrossEntropyLoss(), (x, y))
    assert reference_rows(task) is not None
    state = torch.random.get_rng_state()
    first = losses(task)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.rand(3)
    assert losses(task) == first
