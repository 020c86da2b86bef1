"""The training loop against slower truths and hand-made values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from programs import RECIPE, Net, digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from traindx import InputError, Outcome, Recipe, Task
from traindx.probes import default_probes
from traindx.training import evaluation_steps, fit
from traindx.training.evaluation import evaluate, evaluation_mode
from traindx.training.optimizers import optimizer_class
from traindx.training.schedules import make_schedule


def task(**changes: Any) -> Task:
    return Task(Net, nn.CrossEntropyLoss(), **{"train": digits(), **changes})


def test_the_loop_is_a_plain_loop() -> None:
    """Bit-equal to a loop written by hand over the same rows in the same order."""
    made, recipe = task(), Recipe(lr=0.05, momentum=0.9, epochs=2, batch_size=32)
    fitted = fit(made, recipe, keep_weights=True)
    model, order = made.build(0), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x, y = made.train.inputs, made.train.targets
    assert x is not None and y is not None and fitted.weights is not None
    for _ in range(2):
        for index in torch.randperm(len(x), generator=order).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
    assert all(torch.equal(value, fitted.weights[name]) for name, value in model.state_dict().items())


def test_probes_and_seeds() -> None:
    plain, watched, other = fit(task(), RECIPE), fit(task(), RECIPE, default_probes()), fit(task(), RECIPE.replace(seed=1))
    assert all(watched.run.curves[name] == curve for name, curve in plain.run.curves.items())
    assert other.run.curves["batch_loss"] != plain.run.curves["batch_loss"]


def test_a_horizon_is_the_beginning_of_the_whole_run() -> None:
    recipe = Recipe(lr=0.1, epochs=4, schedule="cosine")
    whole, short = fit(task(), recipe).run, fit(task(), recipe, horizon=7).run
    assert short.steps == 7 and short.horizon == 7
    assert short.curves["batch_loss"].values == whole.curves["batch_loss"].values[:7]


def test_accumulated_batches_are_one_larger_batch() -> None:
    one = fit(task(), Recipe(lr=0.1, epochs=2, batch_size=40, precision="float64", max_steps=4), keep_weights=True)
    two = fit(task(), Recipe(lr=0.1, epochs=2, batch_size=20, accumulate=2, precision="float64", max_steps=4), keep_weights=True)
    assert one.weights is not None and two.weights is not None
    assert all(torch.allclose(value, two.weights[name], rtol=1e-10, atol=1e-12) for name, value in one.weights.items())


def test_early_stopping_puts_the_best_weights_back() -> None:
    fitted = fit(task(train=digits(100)), Recipe(optimizer="adam", lr=0.05, epochs=200, early_stopping=3))
    losses = fitted.run.curves["validation_loss"].values
    assert fitted.run.outcome is Outcome.STOPPED
    assert losses[-1] == min(losses)


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("constant", 50, 1.0),
        ("cosine", 0, 1.0),
        ("cosine", 50, 0.5),
        ("linear", 25, 0.75),
        ("exponential:0.5", 20, 0.25),
        ("step:2:0.1", 39, 0.1),
        ("step:2:0.1", 19, 1.0),
    ],
)
def test_schedules(schedule: str, step: int, factor: float) -> None:
    assert make_schedule(Recipe(schedule=schedule), 100, 10)(step) == pytest.approx(factor)


def test_warm_up_is_linear_and_comes_first() -> None:
    schedule = make_schedule(Recipe(schedule="linear", warmup_steps=4), 104, 10)
    assert [schedule(s) for s in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


@pytest.mark.parametrize("schedule", ["cosinus", "step:0:0.1", "exponential", "linear:3"])
def test_unknown_schedules_are_refused(schedule: str) -> None:
    with pytest.raises(InputError, match="schedule"):
        fit(task(), Recipe(schedule=schedule))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "adagrad", "nadam", "radam", "adamax", "adadelta", "asgd", "rprop"])
def test_optimizers_by_name(name: str) -> None:
    run = fit(task(), Recipe(optimizer=name, lr=1e-3, epochs=1)).run
    assert run.outcome is Outcome.FINISHED


def test_unknown_optimizers_are_refused() -> None:
    with pytest.raises(InputError, match="optimizer"):
        optimizer_class("sgdd")
    with pytest.raises(InputError, match="optimizer"):
        optimizer_class("lbfgs")
    assert fit(task(), Recipe(optimizer=torch.optim.Adam, epochs=1)).run.outcome is Outcome.FINISHED


class Rows(Dataset[tuple[Tensor, int]]):
    """A map-style data set."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        x, y = digits(60)
        return torch.from_numpy(x[index]), int(y[index])


@pytest.mark.parametrize("train", [Rows(), DataLoader(Rows(), batch_size=7), TensorDataset(torch.rand(60, 64), torch.arange(60) % 10)])
def test_data_of_every_form(train: Any) -> None:
    run = fit(task(train=train), RECIPE).run
    assert run.outcome is Outcome.FINISHED, run.reason


def test_batches_of_any_structure() -> None:
    class Dicts(Rows):
        def __getitem__(self, index: int) -> Any:
            x, y = super().__getitem__(index)
            return {"pixels": x, "label": y}

    def forward(model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        return model(batch["pixels"]), batch["label"]

    run = fit(Task(Net, nn.CrossEntropyLoss(), Dicts(), forward=forward), RECIPE).run
    assert run.outcome is Outcome.FINISHED, run.reason
    assert math.isfinite(run.last("validation_loss"))


def test_a_summed_loss_is_told_per_row() -> None:
    mean, summed = (
        fit(task(), RECIPE.replace(lr=0)).run,
        fit(Task(Net, nn.CrossEntropyLoss(reduction="sum"), digits()), RECIPE.replace(lr=0)).run,
    )
    assert summed.last("train_loss") == pytest.approx(mean.last("train_loss"), rel=1e-5)


def test_rows_are_drawn_by_weight() -> None:
    weight = np.zeros(300)
    weight[:40] = 1.0
    run = fit(task(sample_weight=weight), RECIPE.replace(epochs=30)).run
    assert run.outcome is Outcome.FINISHED
    assert run.last("train_loss") > run.last("batch_loss")


def test_a_last_batch_of_one_row_is_left_out() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))

    x, y = digits(65)
    run = fit(Task(build, nn.CrossEntropyLoss(), (x, y), validation=(x, y)), Recipe(batch_size=32, epochs=2)).run
    assert run.outcome is Outcome.FINISHED and run.steps == 4


def test_evaluation_points() -> None:
    assert evaluation_steps(100, 10) == [0, *range(10, 101, 10)]
    assert evaluation_steps(3, 1) == [0, 1, 2, 3]
    assert len(evaluation_steps(10_000, 10)) < 40


def test_evaluation_mode_is_put_back_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    model[0].eval()
    with pytest.raises(ValueError, match="inside"), evaluation_mode(model):
        assert not model.training
        raise ValueError("inside")
    assert model.training and model[1].training and not model[0].training


def test_the_standard_error_is_that_of_the_mean() -> None:
    """Against the standard error by single rows."""
    made = task(train=digits(1700))
    model = made.build(3)
    result = evaluate(made, model, made.train, torch.device("cpu"))
    x, y = made.train.inputs, made.train.targets
    assert x is not None and y is not None
    with torch.no_grad():
        rows = nn.functional.cross_entropy(model(x), y, reduction="none")
    assert result.loss == pytest.approx(float(rows.mean()), rel=1e-5)
    assert result.standard_error == pytest.approx(float(rows.std()) / math.sqrt(len(rows)), rel=0.6)
