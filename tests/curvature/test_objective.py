"""Products, gradients and losses against dense derivatives by plain autograd; the model stays as it was."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from families import FAMILIES, NO_PLAIN_TRUTH, Case, classifier, dense_hessian, differences, make, mlp, whole_loss
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from traindx.curvature import Objective, ggn, hvp

EXACT = sorted(set(FAMILIES) - set(NO_PLAIN_TRUTH))


def objective_of(case: Case, **options: Any) -> Objective:
    return Objective(case.model, case.loss, case.batches, training=case.training, **options)


def matrix(objective: Objective, product: str = "hvp") -> Tensor:
    """(P, P): the operator, column by column."""
    return torch.stack([getattr(objective, product)(e) for e in torch.eye(objective.size, dtype=torch.float64)], dim=1)


def relative(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).norm() / truth.norm().clamp_min(1e-30))


# --- Against plain autograd --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT)
def test_products_agree_with_the_dense_hessian(name: str) -> None:
    case = make(name)
    assert relative(matrix(objective_of(case)), dense_hessian(case)) < 1e-9


@pytest.mark.parametrize("name", ["tanh", "lstm", "weight-norm", "dropout-training", "batch-norm-training"])
def test_products_agree_with_differences_of_gradients(name: str) -> None:
    objective = objective_of(make(name))
    assert relative(matrix(objective), differences(objective)) < 1e-6


@pytest.mark.parametrize("name", EXACT)
def test_loss_and_gradient_agree_with_autograd(name: str) -> None:
    case = make(name)
    objective = objective_of(case)
    cold = objective.loss(), objective.gradient()
    objective.hvp(objective.flat())
    warm = objective.loss(), objective.gradient()
    case.model.train(case.training)
    parameters: list[Tensor] = list(case.model.parameters())
    loss = whole_loss(case, parameters)
    truth = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters)])
    for found, gradient in (cold, warm):
        assert found == pytest.approx(loss.item(), rel=1e-12)
        assert relative(gradient, truth) < 1e-12


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_graphs_kept_or_made_anew_give_the_same_product(name: str) -> None:
    kept, partly, fresh = (objective_of(make(name), memory_bytes=bound) for bound in (2**30, 20_000, 0))
    v = torch.randn(kept.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = kept.hvp(v)
    assert kept.kept_bytes > 0 and partly.kept_bytes <= 20_000 and fresh.kept_bytes == 0
    for objective in (kept, partly, fresh):
        for _ in range(2):
            assert relative(objective.hvp(v), expected) < 1e-12
            assert relative(objective.ggn(v), kept.ggn(v)) < 1e-12


@settings(max_examples=40)
@given(name=st.sampled_from(sorted(FAMILIES)), seed=st.integers(0, 2**20))
def test_products_are_symmetric_and_linear(name: str, seed: int) -> None:
    objective = objective_of(make(name, seed))
    draws = torch.Generator().manual_seed(seed)
    u, v = torch.randn(2, objective.size, dtype=torch.float64, generator=draws)
    for product in (objective.hvp, objective.ggn):
        hu, hv = product(u), product(v)
        scale = float(hu.norm() * v.norm()) + 1e-12
        assert abs(float(u @ hv - v @ hu)) < 1e-10 * scale
        assert float((product(u - 2 * v) - (hu - 2 * hv)).norm()) < 1e-10 * (float(hu.norm() + hv.norm()) + 1e-12)


@settings(max_examples=40)
@given(name=st.sampled_from(EXACT), seed=st.integers(0, 2**20))
def test_products_agree_with_double_backward(name: str, seed: int) -> None:
    case = make(name, seed)
    v = torch.randn(objective_of(case).size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = hvp(objective_of(case), v)
    case.model.train(case.training)
    parameters: list[Tensor] = list(case.model.parameters())
    gradient = torch.autograd.grad(whole_loss(case, parameters), parameters, create_graph=True)
    along = torch.cat([g.reshape(-1) for g in gradient]) @ v
    truth = torch.cat([h.reshape(-1) for h in torch.autograd.grad(along, parameters, allow_unused=True, materialize_grads=True)])
    assert relative(found, truth) < 1e-9


@pytest.mark.parametrize("name", ["tanh", "regression", "multilabel", "class-weights", "summed", "lstm", "encoder", "convolution"])
def test_gauss_newton_is_the_hessian_of_the_linearized_model(name: str) -> None:
    case = make(name)
    found = matrix(objective_of(case), "ggn")
    parameters = dict(case.model.named_parameters())
    case.model.eval()
    truth, weights = torch.zeros_like(found), 0.0
    for inputs, targets in case.batches:
        single = Objective(case.model, case.loss, [(inputs, targets)])
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            outputs = case.model(inputs)
            rows = [torch.autograd.grad(o, list(parameters.values()), retain_graph=True) for o in outputs.reshape(-1)]
        jacobian = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows])
        curvature = torch.autograd.functional.hessian(lambda o, t=targets: case.loss(o, t), outputs.detach()).reshape(len(rows), -1)
        weight = 1.0 if name == "summed" else len(targets) if name != "class-weights" else _class_share(case, targets)
        truth, weights = truth + weight * jacobian.T @ curvature @ jacobian, weights + weight
        assert single.size == objective_of(case).size
    assert relative(found, truth / (1.0 if name == "summed" else weights)) < 1e-9


def _class_share(case: Case, targets: Tensor) -> float:
    return float(case.loss.weight[targets[targets != case.loss.ignore_index]].sum())


def test_gauss_newton_of_a_convex_loss_is_positive_semidefinite() -> None:
    values = torch.linalg.eigvalsh(matrix(objective_of(make("tanh")), "ggn"))
    assert values.min() > -1e-12 * values.max()


# --- Weights of batches ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.functional.cross_entropy, lambda o, t: nn.functional.cross_entropy(o, t)])
def test_batches_give_what_one_batch_gives(loss: Any) -> None:
    case = make("tanh")
    inputs, targets = (torch.cat(part) for part in zip(*case.batches, strict=True))
    whole, split = Objective(case.model, loss, [(inputs, targets)]), Objective(case.model, loss, case.batches)
    v = torch.ones(whole.size, dtype=torch.float64)
    assert split.loss() == pytest.approx(whole.loss(), rel=1e-12)
    assert relative(split.hvp(v), whole.hvp(v)) < 1e-12
    assert relative(split.ggn(v), whole.ggn(v)) < 1e-12


def test_a_sum_is_recognized_without_being_told() -> None:
    case = make("tanh")
    summed = Objective(case.model, lambda o, t: nn.functional.cross_entropy(o, t, reduction="sum"), case.batches)
    assert summed.loss() == pytest.approx(12 * objective_of(case).loss(), rel=1e-12)
    rows, gradients = zip(*summed.batch_gradients(), strict=True)
    assert relative(sum(r * g for r, g in zip(rows, gradients, strict=True)), summed.gradient()) < 1e-12


def test_padding_counts_for_nothing() -> None:
    model = nn.Linear(3, 4).double()
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    targets = torch.tensor([[0, 1, 2, 3, 0], [1, -100, -100, -100, -100]])
    whole = nn.functional.cross_entropy(model(inputs).transpose(1, 2), targets).item()
    batches = [(inputs[:1], targets[:1]), (inputs[1:], targets[1:])]
    objective = Objective(model, nn.CrossEntropyLoss(), batches, forward=lambda m, b: (m(b[0]).transpose(1, 2), b[1]))
    assert objective.loss() == pytest.approx(whole, rel=1e-12)


def test_gradients_of_batches_add_up() -> None:
    objective = objective_of(make("tanh"))
    rows, gradients = zip(*objective.batch_gradients(), strict=True)
    assert rows == (5, 4, 3)
    assert relative(sum(r * g for r, g in zip(rows, gradients, strict=True)) / 12, objective.gradient()) < 1e-12


# --- Batches and outputs of any structure --------------------------------------------------------------------------------------------


class TwoInputs(nn.Module):
    """Named inputs, named outputs, one of which has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 3), nn.Linear(4, 3)

    def forward(self, left: Tensor, right: Tensor) -> dict[str, Any]:
        return {"mean": torch.tanh(self.a(left) + self.b(right)), "spread": self.a(left).exp(), "count": torch.ones(3)}


def test_batches_and_outputs_of_any_structure() -> None:
    model = TwoInputs().double()
    draws = torch.Generator().manual_seed(0)
    batches = [{"left": torch.randn(n, 2, generator=draws).double(), "right": torch.randn(n, 4, generator=draws).double()} for n in (3, 5)]
    objective = Objective(
        model,
        lambda o, t: (o["mean"] ** 2 * o["count"] + o["spread"]).mean(),
        batches,
        forward=lambda m, batch: (m(**batch), None),
    )
    found = matrix(objective)
    values = torch.linalg.eigvalsh(matrix(objective, "ggn"))
    assert relative(found, found.T) < 1e-12 and values.min() > -1e-10
    assert [rows for rows, _ in objective.batch_gradients()] == [3, 5]


def test_an_iterator_of_batches_is_read_once() -> None:
    case = make("tanh")
    objective = Objective(case.model, case.loss, iter(case.batches))
    v = objective.flat()
    assert torch.equal(objective.hvp(v), objective.hvp(v)) and objective.loss() == pytest.approx(objective_of(case).loss())


# --- Which parameters --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [["0"], ["0.weight", "2.bias"], ["2"]])
def test_a_group_of_parameters_has_its_block_of_the_hessian(wanted: list[str]) -> None:
    case = make("tanh")
    names = [n for n, p in case.model.named_parameters() for _ in range(p.numel())]
    mask = torch.tensor([any(n == w or n.startswith(f"{w}.") for w in wanted) for n in names])
    objective = objective_of(case, parameters=wanted)
    assert objective.size == int(mask.sum())
    assert relative(matrix(objective), dense_hessian(case)[mask][:, mask]) < 1e-9
    chosen = [p for n, p in case.model.named_parameters() if n in objective.names]
    assert torch.equal(matrix(objective_of(case, parameters=chosen)), matrix(objective))


def test_frozen_parameters_are_left_out_unless_named() -> None:
    case = make("tanh")
    full = dense_hessian(case)
    case.model[0].requires_grad_(False)
    objective = objective_of(case)
    assert objective.names == ["2.weight", "2.bias"]
    assert relative(matrix(objective), full[-objective.size :, -objective.size :]) < 1e-9
    assert relative(matrix(objective_of(case, parameters=["0", "2"])), full) < 1e-9
    assert not case.model[0].weight.requires_grad


def test_a_shared_parameter_counts_once() -> None:
    objective = objective_of(make("tied"), parameters=["head.weight"])
    assert objective.size == 20 and objective.names == ["embedding.weight"]


def test_a_parameter_without_influence_has_zero_curvature() -> None:
    model = mlp(nn.Tanh())
    model.register_parameter("idle", nn.Parameter(torch.ones(2)))
    objective = objective_of(classifier(model))
    assert torch.equal(objective.hvp(torch.ones(objective.size))[:2], torch.zeros(2, dtype=torch.float64))


# --- One fixed function ------------------------------------------------------------------------------------------------------------


def test_dropout_in_training_mode_has_one_mask() -> None:
    objective = objective_of(make("dropout-training"))
    found = matrix(objective)
    assert relative(found, found.T) < 1e-12
    assert objective.loss() == objective.loss() and "frozen" in objective.mode
    other = objective_of(make("dropout-training"), seed=1)
    assert other.loss() != objective.loss()
    evaluation = Objective(objective.model, nn.CrossEntropyLoss(), make("dropout-training").batches)
    assert evaluation.mode == "evaluation" and evaluation.loss() != objective.loss()


def test_a_changed_model_is_noticed() -> None:
    for change in ("parameters", "data", "buffers", "frozen"):
        case = make("batch-norm-evaluation")
        if change == "frozen":
            case.model[0].requires_grad_(False)
        objective = objective_of(case)
        v = torch.ones(objective.size, dtype=torch.float64)
        before = objective.hvp(v)
        with torch.no_grad():
            if change == "parameters":
                case.model[3].weight.mul_(1.5)
            elif change == "data":
                case.model[3].weight.data.mul_(1.5)
            elif change == "buffers":
                case.model[1].running_var.mul_(1.5)
            else:
                case.model[0].weight.mul_(1.5)
        after = objective.hvp(v)
        assert relative(after, before) > 1e-3
        assert torch.equal(after, objective_of(case).hvp(v))


def test_at_another_point_and_back() -> None:
    case = make("tanh")
    objective = objective_of(case)
    start, v = objective.flat(), torch.ones(objective.size, dtype=torch.float64)
    values = objective.loss(), objective.hvp(v)
    with pytest.raises(ZeroDivisionError), objective.at(start * 2):
        moved = copy.deepcopy(case.model)
        assert torch.equal(objective.flat(), start * 2)
        there = Objective(moved, case.loss, case.batches)
        assert objective.loss() == there.loss() and torch.equal(objective.hvp(v), there.hvp(v))
        with objective.at(start):
            assert objective.loss() == values[0]
        raise ZeroDivisionError
    assert torch.equal(objective.flat(), start)
    assert objective.loss() == values[0] and torch.equal(objective.hvp(v), values[1])


def test_products_are_counted() -> None:
    objective = objective_of(make("tanh"))
    objective.loss(), objective.gradient()
    assert objective.products == 0
    hvp(objective, objective.flat())
    ggn(objective, objective.flat())
    assert objective.products == 2


# --- Harmless ----------------------------------------------------------------------------------------------------------------------


def state_of(model: nn.Module) -> dict[str, Any]:
    """All that may not move, as values to compare."""
    return {
        "objects": [id(t) for t in (*model.parameters(), *model.buffers())],
        "values": [t.detach().clone() for t in (*model.parameters(), *model.buffers())],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "required": [p.requires_grad for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()],
        "flat": [[id(w) for w in m._flat_weights] for m in model.modules() if isinstance(m, nn.RNNBase)],
        "keys": list(model.state_dict()),
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "random": (random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()),
        "global": (torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled(), torch.is_grad_enabled()),
    }


def same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and torch.equal(before, after)
    if isinstance(before, dict):
        return all(same(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(same(a, b) for a, b in zip(before, after, strict=True))
    return bool(before == after)


class Unkind(Exception):
    """Raised in the middle of a pass."""


@pytest.fixture(params=["fine", "raises"])
def failing(request: pytest.FixtureRequest) -> Iterator[bool]:
    yield request.param == "raises"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_everything_is_left_as_it_was(name: str, training: bool, failing: bool) -> None:
    case = make(name)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if failing:
            raise Unkind
        return case.loss(outputs, targets)

    case.model.train()
    next(case.model.modules()).eval()  # modes that differ
    for p in case.model.parameters():
        p.grad = torch.ones_like(p)
    objective = Objective(case.model, loss, case.batches, training=training)
    before = state_of(case.model)
    v = objective.flat()
    for action in (objective.loss, objective.gradient, lambda: objective.hvp(v), lambda: objective.ggn(v)):
        if failing:
            with pytest.raises(Unkind):
                action()
        else:
            action()
        assert same(before, state_of(case.model))


def test_gradient_hooks_and_no_grad_have_no_influence() -> None:
    case = make("tanh")
    v = objective_of(case).flat()
    expected = objective_of(case).hvp(v)
    calls: list[int] = []
    case.model[0].weight.register_hook(lambda g: calls.append(1) or g * 0)
    with torch.no_grad():
        assert torch.equal(objective_of(case).hvp(v), expected)
    with torch.inference_mode():
        assert torch.equal(objective_of(case).hvp(v), expected)
    assert not calls


def test_old_style_weight_norm_keeps_its_weight() -> None:
    with pytest.warns(FutureWarning):
        layer = torch.nn.utils.weight_norm(nn.Linear(4, 5))
    case = classifier(nn.Sequential(layer, nn.Tanh(), nn.Linear(5, 3)))
    before = layer.weight
    objective_of(case).hvp(objective_of(case).flat())
    assert layer.weight is before


# --- What is refused ---------------------------------------------------------------------------------------------------------------


def test_errors_name_the_argument() -> None:
    case = make("tanh")
    x, y = case.batches[0]
    with pytest.raises(ValueError, match=r"batches is one batch.*\[\(input, targets\)\]"):
        Objective(case.model, case.loss, (x, y))
    with pytest.raises(ValueError, match="batches is empty"):
        Objective(case.model, case.loss, [])
    with pytest.raises(ValueError, match=r"'9' is none of the model's.*0\.weight"):
        objective_of(case, parameters=["9"])
    with pytest.raises(ValueError, match="parameters is empty"):
        objective_of(case, parameters=[])
    with pytest.raises(ValueError, match=r"v has shape \(3,\).*43 parameters"):
        objective_of(case).hvp(torch.ones(3))
    with pytest.raises(ValueError, match=r"loss gave a tensor of shape \(5,\)"):
        Objective(case.model, nn.CrossEntropyLoss(reduction="none"), case.batches).loss()
    with pytest.raises(ValueError, match="does not depend on the chosen parameters"):
        Objective(case.model, lambda o, t: o.detach().sum(), case.batches).hvp(torch.ones(43))
    case.model.requires_grad_(False)
    with pytest.raises(ValueError, match="none of the model's requires gradients"):
        objective_of(case)
    with pytest.raises(ValueError, match="without a shape"):
        Objective(nn.LazyLinear(3), nn.MSELoss(), case.batches).loss()
