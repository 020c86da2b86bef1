"""Images moved while training: what is moved, when, and that a seed gives the same training again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from traindx.records import NotApplicable, Recipe
from traindx.remedies.augment import Augment, image_shape, mirrored, moved
from traindx.tasks import Task
from traindx.training import fit

RECIPE = Recipe(optimizer="sgd", lr=0.01, epochs=2, batch_size=8)


def cnn() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def task(model: object = cnn, shape: tuple[int, ...] = (64,)) -> Task:
    inputs = torch.rand(40, *shape, generator=torch.Generator().manual_seed(0))
    return Task(model, nn.CrossEntropyLoss(), (inputs, torch.arange(40) % 2))  # type: ignore[arg-type]


def test_moves_by_whole_pixels_and_repeats_edges() -> None:
    image = torch.arange(9.0).reshape(1, 9)
    down = moved(image, (1, 3, 3), torch.tensor([1]), torch.tensor([0]))
    assert down.reshape(3, 3).tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    right = moved(image, (1, 3, 3), torch.tensor([0]), torch.tensor([1]))
    assert right.reshape(3, 3).tolist() == [[0, 0, 1], [3, 3, 4], [6, 6, 7]]
    assert mirrored(image, (1, 3, 3)).reshape(3, 3).tolist() == [[2, 1, 0], [5, 4, 3], [8, 7, 6]]


def test_moves_in_training_mode_only() -> None:
    changed, _ = Augment(2, True).apply(task(), RECIPE)
    model, inputs = changed.build(0), changed.train.inputs
    assert inputs is not None
    plain = task().build(0)
    assert torch.equal(model.eval()(inputs), plain(inputs))
    assert not torch.equal(model.train()(inputs), plain(inputs))


def test_a_seed_gives_the_same_training_again() -> None:
    changed, recipe = Augment().apply(task(), RECIPE)
    first, second = (fit(changed, recipe).run.curves["validation_loss"].values for _ in range(2))
    assert first == second != fit(task(), RECIPE).run.curves["validation_loss"].values


def test_finds_images_by_what_a_convolution_reads() -> None:
    flat = nn.Sequential(nn.Linear(64, 2))
    assert image_shape(task()) == (1, 8, 8)
    assert image_shape(task(lambda: flat)) is None
    assert image_shape(task(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), (1, 8, 8))) == (1, 8, 8)


def test_declines_what_is_no_image() -> None:
    with pytest.raises(NotApplicable, match="not images"):
        Augment().apply(task(lambda: nn.Sequential(nn.Linear(64, 2))), RECIPE)
