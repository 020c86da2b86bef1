"""Every probe against a plain recomputation on a tiny network; probes change nothing and leave nothing behind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from traindx import Outcome, Recipe, Task
from traindx.probes import (
    PROBES,
    AveragedWeights,
    GradientCosine,
    GradientNorm,
    LayerActivations,
    LayerGradients,
    LearningRate,
    Probe,
    StepTime,
    UpdateRatio,
    default_probes,
)
from traindx.probes.base import evenly
from traindx.records import Curve
from traindx.training import TrainingState, fit

STEPS = 6
RECIPE = Recipe(lr=0.5, momentum=0.9, batch_size=40, shuffle=False, epochs=STEPS, precision="float64", schedule="linear")


def tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.Sigmoid(), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def made(model: Any = tiny, **changes: Any) -> Task:
    draws = torch.Generator().manual_seed(0)
    rows = (10 * torch.randn(40, 5, generator=draws), torch.randint(3, (40,), generator=draws))
    return Task(**{"model": model, "loss": nn.CrossEntropyLoss(), "train": rows, "validation": rows, **changes})


def watched(*probes: Probe, recipe: Recipe = RECIPE, model: Any = tiny) -> dict[str, Curve]:
    run = fit(made(model), recipe, probes).run
    assert run.outcome is Outcome.FINISHED, run.reason
    return run.curves


def plainly() -> Iterator[tuple[nn.Module, nn.Module, Tensor]]:
    """(the model before an update with the gradients in it, the model after it, the inputs), update by update."""
    task = made()
    model = task.build(0).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    x, y = task.train.inputs, task.train.targets
    assert x is not None and y is not None
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - step / STEPS)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x.double()), y).backward()
        before = copy.deepcopy(model)
        for kept, parameter in zip(before.parameters(), model.parameters(), strict=True):
            assert parameter.grad is not None
            kept.grad = parameter.grad.clone()
        optimizer.step()
        yield before, model, x.double()


def flat(model: nn.Module, gradient: bool = False) -> Tensor:
    return torch.cat([(p.grad if gradient and p.grad is not None else p.detach()).flatten() for p in model.parameters()])


# --- The numbers -------------------------------------------------------------------------------------------------------------------


def test_gradient_norm() -> None:
    expected = [float(flat(before, gradient=True).square().sum().sqrt()) for before, _, _ in plainly()]
    curve = watched(GradientNorm())["gradient_norm"]
    assert curve.steps == tuple(range(1, STEPS + 1))
    assert curve.values == pytest.approx(expected)


def test_the_gradient_norm_is_that_before_clipping() -> None:
    clipped = watched(GradientNorm(), recipe=RECIPE.replace(clip_norm=1e-3))["gradient_norm"]
    assert clipped.values[0] == pytest.approx(watched(GradientNorm())["gradient_norm"].values[0])
    assert clipped.values[0] > 0.01


def test_gradient_cosine() -> None:
    seen = [flat(before, gradient=True) for before, _, _ in plainly()]
    expected = [float(torch.cosine_similarity(a, b, dim=0)) for a, b in pairwise(seen)]
    curve = watched(GradientCosine())["gradient_cosine"]
    assert curve.steps == tuple(range(2, STEPS + 1))
    assert curve.values == pytest.approx(expected)


def test_gradient_cosine_where_a_layer_was_left_out() -> None:
    model = nn.ModuleList([nn.Linear(3, 2, bias=False), nn.Linear(2, 3, bias=False)])
    state = TrainingState(None, model, torch.optim.SGD(model.parameters()), 9)  # type: ignore[arg-type]  # the probe asks for no task
    probe = GradientCosine()
    probe.due = lambda step, total: True
    for state.step, (first, second) in enumerate([(1.0, 2.0), (None, 2.0), (1.0, None)]):
        model[0].weight.grad = None if first is None else torch.full((2, 3), first)
        model[1].weight.grad = None if second is None else torch.full((3, 2), second)
        probe.before_step(state)
    assert probe.finish(state)["gradient_cosine"].values == pytest.approx((24 / (30**0.5 * 24**0.5), 0.0))


def test_update_ratio() -> None:
    expected = [float((flat(after) - flat(before)).norm() / flat(before).norm()) for before, after, _ in plainly()]
    assert watched(UpdateRatio())["update_ratio"].values == pytest.approx(expected)


def test_layer_gradients() -> None:
    curves = watched(LayerGradients())
    assert {name for name in curves if name.startswith("layer_gradient")} == {f"layer_gradient/{n}.weight" for n in (0, 2, 4)}
    for layer in (0, 2, 4):
        expected = []
        for before, _, _ in plainly():
            gradient = before.get_parameter(f"{layer}.weight").grad
            assert gradient is not None
            expected.append(float(gradient.square().mean().sqrt()))
        assert curves[f"layer_gradient/{layer}.weight"].values == pytest.approx(expected)


def test_layer_activations() -> None:
    curves = watched(LayerActivations())
    names = {name for name in curves if name.startswith("activation/")}
    assert names == {*(f"activation/std/{n}" for n in range(5)), "activation/zero/3", "activation/pinned/1"}
    stds, pinned, zero = [], [], []
    for before, _, values in plainly():
        assert isinstance(before, nn.Sequential)
        outputs = [values := layer(values).detach() for layer in before]
        stds.append([float((o - o.mean()).square().mean().sqrt()) for o in outputs])
        pinned.append(float(((outputs[1] < 0.025) | (outputs[1] > 0.975)).double().mean()))
        zero.append(sum(bool((outputs[3][:, unit] == 0).all()) for unit in range(8)) / 8)
    for name, expected in enumerate(zip(*stds, strict=True)):
        assert curves[f"activation/std/{name}"].values == pytest.approx(expected, rel=1e-5)
    assert curves["activation/pinned/1"].values == pytest.approx(pinned) and max(pinned) > 0.2
    assert curves["activation/zero/3"].values == pytest.approx(zero)


def test_units_that_are_never_active_are_counted_by_channel() -> None:
    def silenced() -> nn.Module:
        model = nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3))
        model.get_parameter("1.bias").data[:3] = -1e4
        return model

    assert watched(LayerActivations(), model=silenced)["activation/zero/2"].values[0] == 0.75


def test_learning_rate_and_step_time() -> None:
    curves = watched(LearningRate(), StepTime())
    assert curves["learning_rate"].values == pytest.approx([0.5 * (1 - step / STEPS) for step in range(STEPS)])
    assert len(curves["step_seconds"]) == STEPS and all(0 < value < 60 for value in curves["step_seconds"].values)


LATE = RECIPE.replace(precision="float32", schedule="constant", epochs=20)  # the last five of twenty updates are averaged


def normalized() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


def test_averaged_weights() -> None:
    """Against models that were trained to each of the last five updates, and averaged by hand."""
    task = made(normalized)
    curves = fit(task, LATE, [AveragedWeights()]).run.curves
    ends = [fit(task, LATE, horizon=step, keep_weights=True).weights for step in range(16, 21)]
    mean = {
        name: torch.stack([end[name].double() for end in ends if end]).mean(0).to(value.dtype) for name, value in (ends[0] or {}).items()
    }
    model = task.build(0)
    model.load_state_dict(mean)
    x, y = task.train.inputs, task.train.targets
    assert x is not None and y is not None
    expected = nn.functional.cross_entropy(model.eval()(x), y).item()
    assert curves["averaged/train_loss"].values == pytest.approx((expected,), rel=1e-5)
    assert curves["averaged/validation_loss"] == curves["averaged/train_loss"]


@pytest.mark.parametrize("changes", [{"schedule": "cosine"}, {"epochs": 8}, {"precision": "float64"}, {"early_stopping": 1, "lr": 50.0}])
def test_weights_are_not_averaged(changes: dict[str, Any]) -> None:
    """Where the rate falls, of few updates, in double precision, and where the run ends before its time."""
    assert not any(name.startswith("averaged") for name in fit(made(), LATE.replace(**changes), [AveragedWeights()]).run.curves)


@pytest.mark.parametrize(("total", "observations"), [(1, 96), (50, 96), (96, 96), (97, 96), (1000, 12), (100_000, 96)])
def test_observations_are_the_first_two_and_evenly_spaced(total: int, observations: int) -> None:
    due = [step for step in range(total) if evenly(observations)(step, total)]
    assert due[:2] == list(range(min(2, total)))
    assert min(total, observations) / 2 <= len(due) <= observations + 1


# --- Nothing else changes ----------------------------------------------------------------------------------------------------------


def noisy() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(), nn.Linear(6, 3))


@pytest.mark.parametrize("probe", [*PROBES, None], ids=lambda p: p.name if p else "all")
@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"optimizer": "adam", "batch_size": 7, "accumulate": 2}])
def test_probes_change_nothing(probe: type[Probe] | None, changes: dict[str, Any]) -> None:
    """Weights, buffers and losses are bit-equal with and without them."""
    recipe = RECIPE.replace(**{"precision": "float32", "schedule": "constant", "epochs": 20, **changes})
    alone = fit(made(noisy), recipe, keep_weights=True)
    seen = fit(made(noisy), recipe, [probe()] if probe else default_probes(), keep_weights=True)
    assert alone.weights is not None and seen.weights is not None
    assert all(torch.equal(value, seen.weights[name]) for name, value in alone.weights.items())
    assert all(seen.run.curves[name] == curve for name, curve in alone.run.curves.items())
    assert len(seen.run.curves) > len(alone.run.curves)


class Fragile(nn.Module):
    """Raises in its third forward pass in training mode; remembers the latest of its kind."""

    latest: Fragile

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.passes = tiny(), 0
        Fragile.latest = self

    def forward(self, x: Tensor) -> Tensor:
        self.passes += self.training
        outputs: Tensor = self.layers(x)
        if self.passes == 3:
            raise ValueError("the third pass")
        return outputs


class Interrupting(Probe):
    def before_forward(self, state: TrainingState) -> None:
        if state.step == 2:
            assert any(module._forward_hooks for module in state.model.modules())
            raise KeyError("a probe's own")


@pytest.mark.parametrize("probes", [[], [Interrupting()]], ids=["the model raises", "a probe raises"])
def test_hooks_are_gone_after_an_error(probes: list[Probe]) -> None:
    """And what was observed before it is kept."""
    seen: list[nn.Module] = []

    class Keeping(Probe):
        def start(self, state: TrainingState) -> None:
            seen.append(state.model)

    run = fit(made(Fragile), RECIPE, [Keeping(), *default_probes(), *probes]).run
    assert run.outcome is Outcome.FAILED and run.steps == 2
    assert len(run.curves["gradient_norm"]) == 2
    assert len(seen) == 1 and not any(module._forward_hooks for module in seen[0].modules())


def test_what_gives_no_single_tensor_is_passed_over() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.out, self.unused = nn.LSTM(5, 4, batch_first=True), nn.Linear(4, 3), nn.Linear(2, 2)
            self.frozen = nn.Linear(3, 3).requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.frozen(self.out(self.cell(x[:, None])[0][:, -1]))
            return outputs

    curves = watched(*default_probes(), model=Recurrent)
    assert "activation/std/out" in curves and "activation/std/cell" not in curves
    assert "layer_gradient/unused.weight" not in curves and "layer_gradient/frozen.weight" not in curves


def test_sparse_gradients_are_left_out() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.out = nn.Embedding(10, 4, sparse=True), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.out(self.words(x).mean(1))
            return outputs

    rows = (torch.arange(80).reshape(40, 2) % 10, torch.arange(40) % 3)
    run = fit(made(Words, train=rows, validation=rows), Recipe(lr=0.1, epochs=2), default_probes()).run
    assert run.outcome is Outcome.FINISHED, run.reason
    assert "layer_gradient/out.weight" in run.curves and "layer_gradient/words.weight" not in run.curves
