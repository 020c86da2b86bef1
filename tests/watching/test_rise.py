"""Losses that leave their level, and those that only look so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from traindx.records import Curve
from traindx.watching.rise import Kind, Rise, rise_of

SEEDS = 10
Random = np.random.Generator


def curve(values: np.ndarray, first: int = 1) -> Curve:
    return Curve(steps=tuple(range(first, first + len(values))), values=tuple(map(float, values)))


def rise(values: np.ndarray, rates: np.ndarray | None = None, ratios: Curve | None = None) -> Rise | None:
    return rise_of(curve(values), Curve() if rates is None else curve(rates), ratios or Curve())


def falling(r: Random, updates: int, start: float = 2.3, end: float = 0.1, tau: float = 60.0) -> np.ndarray:
    trend = np.exp(-np.arange(updates) / tau)
    return end + (start - end) * trend + 0.2 * end * r.standard_normal(updates) + 0.05 * r.standard_normal(updates) * trend


def exploding(r: Random, updates: int, since: int, most: float = 1e33) -> np.ndarray:
    """By a factor of two with every update, up to a jumpy plateau."""
    values, after = falling(r, updates), np.arange(updates) - since
    return np.where(after > 0, np.minimum(values * 2.0 ** np.clip(after, 0, 200), most * r.uniform(0.2, 1, updates)), values)


def cyclic(updates: int, period: int) -> np.ndarray:
    return 0.5 * (1 + np.cos(np.pi * (np.arange(updates) % period) / period))


def tasks(r: Random) -> np.ndarray:
    past = [falling(r, 150, 2.3 + i, tau=30) for i in range(r.integers(2, 5))]
    return np.concatenate([*past, falling(r, r.integers(2, 150), 6, tau=30)])


def curriculum(r: Random) -> np.ndarray:
    return np.concatenate([falling(r, 80, 1 + 0.6 * i, 0.3 + 0.1 * i, 20) for i in range(r.integers(2, 8))])


RISES: dict[str, Callable[[Random], np.ndarray]] = {
    "late, and still rising": lambda r: exploding(r, 300, 215),
    "late, to a plateau": lambda r: exploding(r, 1000, 215, 1e5),
    "late, to a thousand": lambda r: exploding(r, 400, 300, 1e3),
    "before a NaN": lambda r: np.array([*falling(r, 200), 0.3, 2, 400, 1e9, 1e22, np.nan, np.nan]),
    "from the first update to infinity": lambda _: np.array([2.3, 1e3, 1e8, 1e15, 1e24, np.inf, np.nan]),
    "with ups and downs, before a NaN": lambda r: np.array([*falling(r, 60), 30, 9, 3e4, 2e3, 1e6, 3e9, np.nan]),
    "back at its start, and dead": lambda r: np.array(
        [*falling(r, 300, 2.35), 1e3, 100, 30, 10, 5, *(2.303 + 0.02 * r.standard_normal(250))]
    ),
    "slowly": lambda r: np.array([*falling(r, 300), *(0.1 * 1.02 ** np.arange(500))]),
    "from the start": lambda _: np.linspace(1, 4, 40),
}

OTHERS: dict[str, Callable[[Random], np.ndarray]] = {
    "falling": lambda r: falling(r, 400),
    "flat": lambda r: 2.3 + 0.05 * r.standard_normal(300),
    "of heavy tails": lambda r: np.abs(r.standard_cauchy(400)),
    "of single rows": lambda r: np.exp(3 * r.standard_normal(500)),
    "negative": lambda r: falling(r, 400, 2, -2.5),
    "of a critic, on a walk": lambda r: 0.3 * np.cumsum(r.standard_normal(1000)) - 0.5,
    "of a policy": lambda r: 0.02 * r.standard_normal(1000),
    "of values that grow": lambda r: np.linspace(0.3, 1, 2000) * r.pareto(1.5, 2000),
    "of warm restarts": lambda r: falling(r, 400, end=0.3) * (1 + 0.8 * cyclic(400, 100)),
    "of changing tasks": tasks,
    "of a task of another scale": lambda r: np.array([*falling(r, 200), *(1e3 * falling(r, r.integers(10, 150), tau=50))]),
    "of harder and harder tasks": curriculum,
    "high for a while": lambda r: falling(r, 600) + 1.2 * np.exp(-((np.arange(600) - 300) ** 2) / 800),
    "a spike at the start": lambda r: np.array([2.3, 30, 20, 10, *falling(r, 200, 5)]),
    "a NaN out of nowhere": lambda r: np.array([*falling(r, r.integers(5, 300)), np.nan]),
    "a NaN after one bad batch": lambda r: np.array([*falling(r, 100), 1e30, np.nan]),
    "a NaN among single rows": lambda r: np.array([*np.exp(2 * r.standard_normal(r.integers(5, 200))), np.nan]),
}


@pytest.mark.parametrize("name", RISES)
def test_a_rise_is_seen(name: str) -> None:
    assert all(rise(RISES[name](np.random.default_rng(seed))) for seed in range(SEEDS))


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none_is_not_taken_for_one(name: str) -> None:
    assert not any(rise(OTHERS[name](np.random.default_rng(seed))) for seed in range(SEEDS))


def test_a_rate_that_rose_before_is_told_with_the_step() -> None:
    rates = np.where(np.arange(300) < 200, 0.05, 0.05 * 1.5 ** np.maximum(0.0, np.arange(300) - 200))
    found = rise(exploding(np.random.default_rng(0), 300, 215), rates)
    assert found is not None and found.rates.rose
    assert 214 <= found.step <= 220
    assert found.rates.before == 0.05 and found.rates.then == pytest.approx(rates[found.step - 1])


def test_a_rate_that_rose_far_explains_a_nan_that_no_rise_of_the_loss_foretold() -> None:
    values = np.array([*falling(np.random.default_rng(0), 110), np.nan])
    assert rise(values, np.where(np.arange(111) < 108, 0.1, 1e5))
    assert not rise(values, 0.1 * np.minimum(1, np.arange(111) / 50))  # a warm-up
    assert not rise(values, 0.001 + 0.1 * cyclic(111, 100))  # a warm restart


def test_rates_that_come_back_up_are_no_rise_of_the_rate() -> None:
    found = rise(exploding(np.random.default_rng(0), 300, 215), 0.001 + 0.1 * cyclic(300, 100))
    assert found is not None and not found.rates.rose


def test_a_slow_rise_with_updates_of_ordinary_length_is_the_tasks_own() -> None:
    r = np.random.default_rng(0)
    of_a_generator = np.array([*(0.7 + 0.02 * r.standard_normal(100)), *(np.linspace(0.7, 4, 700) + 0.3 * r.standard_normal(700))])
    for looked, ratio, expected in (((100, 300, 500, 700), 4e-3, False), ((1, 2, 10, 40), 4e-3, False), ((300, 700), 0.3, True)):
        ratios = Curve(steps=looked, values=(ratio,) * len(looked))
        assert (rise(of_a_generator, ratios=ratios) is not None) is expected


def test_a_loss_that_is_back_at_its_start_waits_for_a_look_at_the_updates() -> None:
    values = RISES["back at its start, and dead"](np.random.default_rng(0))
    for step, ratio, expected in ((40, 4e-3, False), (400, 4e-3, False), (400, 0.0, True), (400, 0.1, True)):
        assert (rise(values, ratios=Curve(steps=(step,), values=(ratio,))) is not None) is expected


def test_few_losses_make_no_rise() -> None:
    assert rise(np.array([1.0, 10.0, 100.0, 1000.0])) is None
    assert rise(np.array([1.0, 10.0, 100.0, np.nan])) is None


def test_a_jump_of_the_last_losses_is_judged_without_an_error() -> None:
    for values in ([1.0] * 6 + [10, 10], [1.0] * 7 + [10], [0.0] * 8 + [5.0] * 8, [0.0] * 40, [-1.0] * 20 + [3.0] * 20):
        rise(np.array(values))


def test_a_warm_up_is_no_rise_of_the_rate_whatever_its_length() -> None:
    """The loss of an actor falls to minus what its critic promises, and rises while that learns."""
    values = np.concatenate([np.full(20, 0.1), np.linspace(0.1, 9, 380)])
    ratios = Curve(steps=(40, 100, 200, 300), values=(3e-3,) * 4)
    for length in (50, 200, 1000):
        assert rise(values, 1e-3 * np.minimum(1, (np.arange(400) + 1) / length), ratios) is None


def test_a_fast_rise_with_updates_of_ordinary_length_since_is_the_tasks_own() -> None:
    values = np.concatenate([np.full(30, 0.01), np.linspace(0.01, 5, 20), np.full(200, 5.0)])
    for ratio, expected in ((3e-3, False), (0.3, True)):
        assert (rise(values, ratios=Curve(steps=(64, 128, 192), values=(ratio,) * 3)) is not None) is expected


# --- A network that the first updates throw away -------------------------------------------------------------------------------------


LONG_FIRST, ORDINARY = Curve(steps=(1, 2, 40), values=(4.4, 0.3, 4e-3)), Curve(steps=(1, 2, 40), values=(4e-3,) * 3)
DIED, ALIVE = [Curve(steps=(1, 40), values=(0.4, 0.0))], [Curve(steps=(1, 40), values=(0.4, 0.1))]


def jumping(after: np.ndarray) -> Curve:
    return curve(np.array([2.3, 94, 3340, 420, 60, *after]))


def up_there(r: Random, level: float, updates: int = 300) -> np.ndarray:
    return level * (1 + 0.05 * r.standard_normal(updates))


@pytest.mark.parametrize("level", [16, 2.36])
def test_a_loss_that_jumps_with_a_long_first_update_and_stays_up_is_thrown_away(level: float) -> None:
    losses = jumping(up_there(np.random.default_rng(0), level))
    found = rise_of(losses, Curve(), LONG_FIRST, ALIVE)
    assert found is not None and found.kind is Kind.THROWN
    assert (found.step, found.before, found.end) == (3, 2.3, 3340) and found.lowest == pytest.approx(level, rel=0.1)
    assert rise_of(losses, Curve(), ORDINARY, ALIVE) is None  # as of values that grow while they are learned


def test_a_layer_without_gradients_tells_it_wherever_the_loss_is() -> None:
    losses = jumping(up_there(np.random.default_rng(0), 0.69))
    found = rise_of(losses, Curve(), LONG_FIRST, DIED)
    assert found is not None and found.kind is Kind.DIED
    assert rise_of(losses, Curve(), LONG_FIRST, ALIVE) is None  # it recovered, and has noise to its floor
    assert rise_of(curve(falling(np.random.default_rng(0), 300)), Curve(), LONG_FIRST, DIED) is None


def test_a_loss_that_begins_badly_and_recovers_is_let_be_before_it_has_recovered() -> None:
    losses = jumping(60 * np.exp(-np.arange(300) / 60) * up_there(np.random.default_rng(0), 1) + 0.3)
    for seen in (64, 100, 150, 300):
        assert rise_of(Curve(steps=losses.steps[:seen], values=losses.values[:seen]), Curve(), LONG_FIRST, ALIVE) is None
