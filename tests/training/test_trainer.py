"""The training loop against slower truths and hand-made values."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from programs import RECIPE, Net, Noisy, Raising, digits, task
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from traindx import InputError, Outcome, Recipe, Task
from traindx.probes import LearningRate, default_probes
from traindx.records import Curve
from traindx.training import TrainingState, evaluation_steps, fit
from traindx.training.optimizers import optimizer_class
from traindx.training.schedules import make_schedule


def weights_after(made: Task, recipe: Recipe, **options: Any) -> dict[str, Tensor]:
    fitted = fit(made, recipe, keep_weights=True, **options)
    assert fitted.run.outcome in (Outcome.FINISHED, Outcome.STOPPED), fitted.run.reason
    assert fitted.weights is not None
    return fitted.weights


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


class Seen:
    """A callback that keeps what it is shown."""

    def __init__(self) -> None:
        self.targets: list[Tensor] = []
        self.outputs: list[Tensor] = []

    def start(self, state: TrainingState) -> None:
        pass

    before_forward = after_step = start

    def before_step(self, state: TrainingState) -> None:
        self.targets.append(state.targets)
        self.outputs.append(state.outputs)

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        return {}


# --- The loop ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_loop_is_a_plain_loop(precision: str) -> None:
    """Bit-equal to a loop written by hand over the same rows in the same order."""
    made, dtype = task(lambda: nn.Linear(64, 10)), getattr(torch, precision)
    weights = weights_after(made, Recipe(lr=0.05, momentum=0.9, epochs=2, batch_size=32, precision=precision))
    model, order = made.build(0).to(dtype), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x, y = made.train.inputs, made.train.targets
    assert x is not None and y is not None
    for _ in range(2):
        for index in torch.randperm(len(x), generator=order).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[index].to(dtype)), y[index]).backward()
            optimizer.step()
    assert equal(weights, dict(model.state_dict()))


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    """With dropout; whether probes watch or not."""
    one, two, watched, other = (
        fit(task(), recipe, probes, keep_weights=True)
        for recipe, probes in ((RECIPE, ()), (RECIPE, ()), (RECIPE, default_probes()), (RECIPE.replace(seed=1), ()))
    )
    assert one.weights and two.weights and watched.weights and other.weights
    assert one.run.curves == two.run.curves and one.run.key == two.run.key
    assert all(watched.run.curves[name] == curve for name, curve in one.run.curves.items())
    assert equal(one.weights, two.weights) and equal(one.weights, watched.weights)
    assert one.run.curves["batch_loss"] != other.run.curves["batch_loss"] and one.run.key != other.run.key


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"max_steps": 11, "warmup_steps": 3}, {"shuffle": False}])
def test_a_horizon_is_the_beginning_of_the_whole_run(changes: dict[str, Any]) -> None:
    recipe = Recipe(lr=0.1, epochs=5, schedule="cosine", **changes)
    whole, short = fit(task(), recipe, default_probes()).run, fit(task(), recipe, default_probes(), horizon=7).run
    assert short.steps == short.horizon == 7 < whole.steps
    assert short.key != whole.key
    assert short.curves["batch_loss"].values == whole.curves["batch_loss"].values[:7]
    for name in ("train_loss", "validation_loss"):
        curve = short.curves[name]
        assert curve.steps[-1] == 7
        assert all(whole.curves[name].at(s) == v for s, v in zip(curve.steps[:-1], curve.values, strict=False))


def test_the_longest_training_is_bounded_by_max_steps() -> None:
    """Which is the horizon of the schedule too."""
    run = fit(task(), Recipe(lr=0.1, epochs=100, max_steps=10, schedule="linear"), [LearningRate()]).run
    assert run.steps == 10 and run.horizon is None
    assert run.curves["learning_rate"].values == pytest.approx([0.1 * (1 - step / 10) for step in range(10)])
    assert fit(task(), Recipe(epochs=1, batch_size=60, max_steps=10)).run.steps == 4


def test_accumulated_batches_are_one_larger_batch() -> None:
    one, two = (
        weights_after(
            task(lambda: nn.Linear(64, 10)), Recipe(lr=0.1, epochs=2, batch_size=size, accumulate=40 // size, precision="float64")
        )
        for size in (40, 20)
    )
    assert all(torch.allclose(value, two[name], rtol=1e-10, atol=1e-12) for name, value in one.items())


def test_gradients_are_clipped_to_their_norm() -> None:
    made = task(lambda: nn.Linear(64, 10))
    for clip, expected in ((0.01, 0.01), (1e6, None)):
        after = weights_after(made, Recipe(lr=1.0, max_steps=1, clip_norm=clip, precision="float64"))
        step = torch.cat([(after[name] - value.double()).flatten() for name, value in made.build(0).state_dict().items()])
        assert float(step.norm()) == pytest.approx(expected, rel=1e-4) if expected else 0.1 < float(step.norm()) < 100


def test_early_stopping_puts_the_best_weights_back() -> None:
    made, recipe = task(train=digits(100)), Recipe(optimizer="adam", lr=0.05, epochs=200, early_stopping=3)
    fitted = fit(made, recipe, keep_weights=True)
    losses = fitted.run.curves["validation_loss"]
    assert fitted.run.outcome is Outcome.STOPPED and "3 epochs" in fitted.run.reason
    assert losses.values[-1] == min(losses.values)
    best = losses.steps[losses.values.index(min(losses.values))]
    assert fitted.run.steps == best + 3 * 2 < 400
    assert fitted.weights is not None
    assert equal(fitted.weights, weights_after(made, recipe, horizon=best))


def test_a_run_that_diverges_says_when() -> None:
    run = fit(task(), Recipe(lr=1e30, epochs=5)).run
    assert run.outcome is Outcome.DIVERGED
    losses = run.curves["batch_loss"]
    assert all(map(math.isfinite, losses.values[:-1])) and not math.isfinite(losses.last)
    assert f"at step {losses.steps[-1]}" in run.reason
    assert math.isnan(run.last("train_loss")) and math.isnan(run.last("validation_loss"))


def test_weights_can_be_stored() -> None:
    """Tied ones and those in another memory format too."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = nn.Conv2d(1, 4, 3)
            self.image.weight.data = self.image.weight.data.to(memory_format=torch.channels_last)
            self.one, self.two = nn.Linear(144, 144), nn.Linear(144, 144)
            self.two.weight = self.one.weight

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.two(self.one(self.image(x.reshape(-1, 1, 8, 8)).flatten(1)))
            return outputs

    weights = weights_after(task(Odd), RECIPE)
    assert equal(safetensors.torch.load(safetensors.torch.save(weights)), weights)


# --- Nothing else changes ----------------------------------------------------------------------------------------------------------


class Interrupting(Seen):
    def before_step(self, state: TrainingState) -> None:
        raise ValueError("a callback's error")


def settings() -> tuple[Any, ...]:
    return (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        torch.is_anomaly_enabled(),
        random.getstate(),
        str(np.random.get_state()),
        torch.random.get_rng_state().tolist(),
    )


@pytest.mark.parametrize(
    ("model", "callbacks", "outcome"),
    [
        (Net(), default_probes(), Outcome.FINISHED),
        (Raising(), default_probes(), Outcome.FAILED),
        (Net(), [*default_probes(), Interrupting()], Outcome.FAILED),
    ],
    ids=["sound", "the model raises", "a callback raises"],
)
def test_nothing_else_changes(model: nn.Module, callbacks: Sequence[Any], outcome: Outcome) -> None:
    x, y = digits()
    given, weights, before = (x.copy(), y.copy()), copy.deepcopy(model.state_dict()), settings()
    made = task(lambda: model, train=(x, y))
    assert fit(made, Recipe(lr=1.0, epochs=2, precision="bfloat16"), callbacks).run.outcome is outcome
    assert settings() == before
    assert np.array_equal(x, given[0]) and np.array_equal(y, given[1])
    assert equal(weights, dict(model.state_dict()))
    assert model.training and all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_rows_that_draw_random_numbers_draw_them_from_the_seed() -> None:
    before = settings()
    one, two = fit(task(train=Noisy()), RECIPE).run, fit(task(train=Noisy()), RECIPE).run
    assert settings() == before
    assert one.curves == two.curves and one.key == two.key


# --- Data --------------------------------------------------------------------------------------------------------------------------


class Rows(Dataset[Any]):
    """A map-style data set."""

    def __init__(self, named: bool = False) -> None:
        self.named, (self.x, self.y) = named, digits(60)

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> Any:
        x, y = torch.from_numpy(self.x[index]), int(self.y[index])
        return {"pixels": x, "label": y} if self.named else (x, y)


TENSORS = TensorDataset(*(torch.from_numpy(column) for column in digits(60)))


@pytest.mark.parametrize("train", [Rows(), DataLoader(Rows(), batch_size=7), TENSORS, DataLoader(TENSORS), [Rows()[i] for i in range(60)]])
def test_data_of_every_form_give_the_same_numbers(train: Any) -> None:
    assert fit(task(train=train), RECIPE).run.curves == fit(task(train=digits(60)), RECIPE).run.curves


def test_batches_of_any_structure() -> None:
    def forward(model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        return model(batch["pixels"]), batch["label"]

    named, plain = fit(task(train=Rows(named=True), forward=forward), RECIPE).run, fit(task(train=Rows()), RECIPE).run
    assert named.outcome is Outcome.FINISHED, named.reason
    assert math.isfinite(named.last("validation_loss"))
    assert len(named.curves["batch_loss"]) == len(plain.curves["batch_loss"])


def test_rows_are_drawn_in_proportion_to_their_weight() -> None:
    rows, seen = (digits(100)[0], np.arange(100.0)[:, None]), Seen()
    made = task(lambda: nn.Linear(64, 1), loss=nn.MSELoss(), train=rows, validation=rows, sample_weight=np.arange(100.0))
    assert fit(made, Recipe(lr=0, epochs=300), [seen]).run.outcome is Outcome.FINISHED
    drawn = torch.bincount(torch.cat(seen.targets).long().flatten(), minlength=100).numpy()
    expected = 300 * 100 * np.arange(100.0) / np.arange(100.0).sum()
    assert drawn[0] == 0
    assert float(((drawn - expected)[1:] ** 2 / expected[1:]).sum()) < 150  # chi-square with 98 degrees of freedom: 150 in one of 2,000


@pytest.mark.parametrize(("rows", "batch_size", "sizes"), [(65, 32, [32, 32]), (66, 32, [32, 32, 2]), (20, 500, [20]), (3, 1, [1, 1, 1])])
def test_batches(rows: int, batch_size: int, sizes: list[int]) -> None:
    """A last batch of one row is left out: batch normalization cannot train on it."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8) if batch_size > 1 else nn.ReLU(), nn.Linear(8, 10))

    seen = Seen()
    run = fit(task(build, train=digits(rows), validation=digits(50)), Recipe(batch_size=batch_size, epochs=2), [seen]).run
    assert run.outcome is Outcome.FINISHED, run.reason
    assert [len(targets) for targets in seen.targets] == sizes * 2 and run.steps == 2 * len(sizes)


def test_bfloat16_is_the_type_of_the_outputs_not_of_the_weights() -> None:
    seen = Seen()
    weights = weights_after(task(), RECIPE.replace(precision="bfloat16"), callbacks=[seen])
    assert {outputs.dtype for outputs in seen.outputs} == {torch.bfloat16}
    assert {value.dtype for value in weights.values()} == {torch.float32}
    run, exact = fit(task(), RECIPE.replace(precision="bfloat16")).run, fit(task(), RECIPE).run
    assert run.last("train_loss") == pytest.approx(exact.last("train_loss"), rel=0.05)


def test_a_summed_loss_is_told_per_row() -> None:
    mean, summed = (fit(task(loss=nn.CrossEntropyLoss(reduction=how)), RECIPE.replace(lr=0)).run for how in ("mean", "sum"))
    for name in ("train_loss", "validation_loss"):
        assert summed.last(name) == pytest.approx(mean.last(name), rel=1e-5)
        assert summed.spread[name] == pytest.approx(mean.spread[name], rel=1e-3)


# --- Optimizers and schedules ------------------------------------------------------------------------------------------------------

ACCEPTED = sorted(
    name.lower()
    for name, member in vars(torch.optim).items()
    if isinstance(member, type) and name not in ("Optimizer", "LBFGS", "SparseAdam") and issubclass(member, torch.optim.Optimizer)
)


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_optimizer_takes_a_step(name: str) -> None:
    """On matrices without offsets, for the sake of Muon, which takes nothing else."""
    made = task(lambda: nn.Sequential(nn.Linear(64, 8, bias=False), nn.Tanh(), nn.Linear(8, 10, bias=False)))
    after = weights_after(made, Recipe(optimizer=name, lr=1e-3, max_steps=1))
    assert all(not torch.equal(value, after[key]) for key, value in made.build(0).state_dict().items())


def test_optimizers_by_class_and_with_options() -> None:
    named = weights_after(task(), RECIPE.replace(optimizer="adam", lr=0.01, optimizer_options={"betas": [0.8, 0.9]}))
    by_class = weights_after(task(), RECIPE.replace(optimizer=torch.optim.Adam, lr=0.01, optimizer_options={"betas": [0.8, 0.9]}))
    assert equal(named, by_class)
    assert not equal(named, weights_after(task(), RECIPE.replace(optimizer="adam", lr=0.01)))


@pytest.mark.parametrize("name", ["sgdd", "lbfgs", "sparseadam", "optimizer", "torch.optim:Nothing", "no_module:X", "torch.nn:Linear"])
def test_unknown_optimizers_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="optimizer"):
        optimizer_class(name)
    with pytest.raises(InputError, match="optimizer"):
        fit(task(), Recipe(optimizer=name))


def test_an_optimizer_that_refuses_its_options_is_the_reason_of_a_failure() -> None:
    run = fit(task(), Recipe(optimizer_options={"nesterov": True})).run
    assert run.outcome is Outcome.FAILED and "Nesterov" in run.reason


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("constant", 50, 1.0),
        ("cosine", 0, 1.0),
        ("cosine", 25, (1 + math.sqrt(0.5)) / 2),
        ("cosine", 50, 0.5),
        ("cosine", 100, 0.0),
        ("linear", 25, 0.75),
        ("linear", 100, 0.0),
        ("exponential:0.5", 9, 1.0),
        ("exponential:0.5", 20, 0.25),
        ("step:2:0.1", 39, 0.1),
        ("step:2:0.1", 19, 1.0),
        ("step:2:0.1", 40, 0.01),
        ("ramp:100", 0, 1.0),
        ("ramp:100", 33, 100 ** (1 / 3)),
        ("ramp:100", 99, 100.0),
    ],
)
def test_schedules(schedule: str, step: int, factor: float) -> None:
    assert make_schedule(Recipe(schedule=schedule), 100, 10)(step) == pytest.approx(factor)
    assert make_schedule(Recipe(schedule=schedule, warmup_steps=7), 107, 10)(step + 7) == pytest.approx(factor)


def test_warm_up_is_linear_and_comes_first() -> None:
    schedule = make_schedule(Recipe(schedule="linear", warmup_steps=4), 104, 10)
    assert [schedule(s) for s in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.99])
    run = fit(task(), Recipe(lr=0.2, max_steps=8, epochs=8, warmup_steps=4, schedule="cosine"), [LearningRate()]).run
    assert run.curves["learning_rate"].values == pytest.approx(
        [0.05, 0.1, 0.15, 0.2, *(0.1 * (1 + math.cos(math.pi * s / 4)) for s in range(4))]
    )


@pytest.mark.parametrize("schedule", ["cosinus", "step:0:0.1", "exponential", "exponential:-1", "linear:3", "step:a:b"])
def test_unknown_schedules_are_refused(schedule: str) -> None:
    with pytest.raises(InputError, match="schedule"):
        fit(task(), Recipe(schedule=schedule))


def test_evaluation_points() -> None:
    assert evaluation_steps(100, 10) == [0, *range(10, 101, 10)]
    assert evaluation_steps(3, 1) == [0, 1, 2, 3]
    assert evaluation_steps(10_000, 10)[-1] == 10_000 and len(evaluation_steps(10_000, 10)) < 40
