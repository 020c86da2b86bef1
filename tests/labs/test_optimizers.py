"""Every rule goes down the valley as torch's optimizer of its kind does, and all rates at once as one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from traindx.labs import valley
from traindx.labs.optimizers import RULES, Adagrad, MeanAdagrad, Momentum, RMSProp, Rule, excess, follow

UPDATES = 1_000
UNSCALED = ("gradient descent", "momentum", "Nesterov", "RAdam")
"""Their first steps are as long as the gradient says: 1e6 here."""


def rate_of(name: str) -> float:
    """Too small to bounce between the walls, where roundings grow from update to update."""
    return 1e-8 if name in UNSCALED else 1e-3


def descended(rule: Rule) -> np.ndarray:
    matrix, low, theta, way = valley.hessian(), valley.optimum(), valley.START, []
    for t in range(UPDATES):
        theta = rule(t, (theta - low) @ matrix).of(theta)
        way.append(theta)
    return np.array(way)


@pytest.mark.parametrize("name", [name for name, pair in RULES.items() if pair.torchs])
def test_a_thousand_updates_are_those_of_torch(name: str) -> None:
    pair = RULES[name]
    assert pair.torchs is not None
    point = torch.tensor(valley.START, requires_grad=True)
    optimizer, way = pair.torchs([point], rate_of(name)), []
    x, y = torch.tensor(valley.X), torch.tensor(valley.Y)
    for _ in range(UPDATES):
        optimizer.zero_grad()
        (y - point[0] - point[1] * x).square().sum().backward()
        optimizer.step()
        way.append(point.detach().numpy().copy())
    assert np.allclose(descended(pair.ours(rate_of(name))), np.array(way), rtol=1e-8)


@pytest.mark.parametrize("name", RULES)
def test_all_rates_at_once_are_each_by_itself(name: str) -> None:
    rates = np.array([rate_of(name) / 2, rate_of(name)])
    found = excess(RULES[name].ours, rates, UPDATES)
    alone = descended(RULES[name].ours(rates[1]))
    least = valley.loss(valley.optimum())
    assert found[-1, 1] == pytest.approx(valley.loss(alone[-1]) - least, rel=1e-6)
    assert found[-1, 0] != pytest.approx(found[-1, 1], rel=1e-5)


def test_a_rate_that_diverges_is_infinitely_bad() -> None:
    assert excess(Rule, np.array([1e-7, 1e-3]), 200)[-1].tolist()[1] == np.inf


def test_the_lectures_momentum_is_a_sum_of_past_gradients() -> None:
    gradients = np.random.default_rng(0).normal(size=(6, 2))
    last = follow(Momentum(0.1, 0.5), gradients)
    step = -0.1 * sum(0.5 ** (5 - i) * gradients[i] for i in range(6))
    assert np.allclose(last[-1] - last[-2], step, rtol=1e-12)


def test_the_mean_form_is_the_sum_form_with_a_rate_that_grows() -> None:
    gradients = np.random.default_rng(0).normal(size=(50, 2))
    steps, sums = (np.diff(follow(rule, gradients), axis=0) for rule in (MeanAdagrad(0.1), Adagrad(0.1)))
    assert np.allclose(steps, sums * np.sqrt(np.arange(2, 51))[:, None], rtol=1e-6)


def test_rmsprop_from_the_first_gradient_steps_by_the_rate_and_from_zero_by_ten_times_as_much() -> None:
    one = np.array([[5.0]])
    assert follow(RMSProp(0.1, from_first=True), one)[0, 0] == pytest.approx(-0.1)
    assert follow(RMSProp(0.1), one)[0, 0] == pytest.approx(-1.0)
