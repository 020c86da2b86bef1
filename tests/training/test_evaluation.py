"""Evaluation against single rows and the bootstrap; the model is left as it was."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from programs import Net, digits, task
from torch import Tensor, nn

from traindx.training.evaluation import evaluate, evaluation_mode, mean_and_error, predict

CPU = torch.device("cpu")


def columns(made: Any) -> tuple[Tensor, Tensor]:
    return made.train.inputs, made.train.targets


def test_loss_and_metric_are_those_of_all_rows() -> None:
    made = task()
    model = made.build(0).eval()
    x, y = columns(made)
    result = evaluate(made, model, made.train, CPU)
    with torch.no_grad():
        outputs = model(x)
    assert result.rows == len(x)
    assert result.loss == pytest.approx(float(nn.functional.cross_entropy(outputs, y)), rel=1e-5)
    assert result.metric == pytest.approx(float((outputs.argmax(1) == y).double().mean()))


def test_the_standard_error_is_that_of_the_bootstrap() -> None:
    """Over models, as one estimate from sixteen chunks is itself rough."""
    made, ratios = task(train=digits(1700)), []
    x, y = columns(made)
    draws = torch.Generator().manual_seed(0)
    for seed in range(8):
        model = made.build(seed).eval()
        with torch.no_grad():
            losses = nn.functional.cross_entropy(model(x), y, reduction="none")
        means = losses[torch.randint(len(x), (200, len(x)), generator=draws)].mean(1)
        ratios.append(evaluate(made, model, made.train, CPU).standard_error / float(means.std()))
    assert 0.75 < sum(ratios) / len(ratios) < 1.33


def test_rows_in_order_do_not_widen_the_standard_error() -> None:
    """A file sorted by class."""
    x, y = digits(1700)
    made, sorted_rows = (task(train=(x[index], y[index]), validation=digits(50)) for index in (slice(None), y.argsort(kind="stable")))
    model = made.build(1)
    shuffled, in_order = evaluate(made, model, made.train, CPU), evaluate(sorted_rows, model, sorted_rows.train, CPU)
    assert in_order.standard_error == pytest.approx(shuffled.standard_error, rel=0.6)


def test_mean_and_error_by_hand() -> None:
    assert mean_and_error([1.0, 3.0], [10, 10]) == (2.0, 1.0)
    assert mean_and_error([1.0, 4.0], [20, 10])[0] == 2.0
    assert math.isnan(mean_and_error([1.0], [5])[1]) and math.isnan(mean_and_error([math.inf, 1.0], [5, 5])[1])


def test_evaluation_mode_is_put_back_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    model[0].eval()
    with pytest.raises(ValueError, match="inside"), evaluation_mode(model):
        assert not model.training and not torch.is_grad_enabled()
        raise ValueError("inside")
    assert model.training and model[1].training and not model[0].training
    assert torch.is_grad_enabled()


def test_evaluation_changes_nothing() -> None:
    made = task(lambda: nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 10)))
    model = made.build(0)
    kept, state = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    outputs, targets = predict(made, model, made.train, CPU)
    assert len(torch.cat(outputs)) == len(torch.cat(targets)) == len(made.train)
    assert not any(o.requires_grad for o in outputs)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training and all(p.grad is None for p in model.parameters())


def test_chosen_rows_only() -> None:
    made = task(Net)
    result = evaluate(made, made.build(0), made.train, CPU, torch.tensor([3, 4, 5]))
    assert result.rows == 3
