"""Healthy trainings that are no twins: hard, small or imperfect, but sound."""

from __future__ import annotations

import numpy as np
from torch import nn

import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import by_label, honest_test, scaled
from zoo.scripts.healthy import other, sound
from zoo.scripts.market import loan_defaults, sales_gru, small_shops_first, stars_factors
from zoo.scripts.mistakes import summed
from zoo.scripts.weather import radar_residual, tide_harmonics, warning_transformer

# Imperfect, but it does the work.
other("stars-rate-times-two", stars_factors, lr=0.06)
other("loans-rate-a-third", loan_defaults, lr=0.01, epochs=12)
other("loans-large-batch", loan_defaults, batch_size=256, lr=0.06, epochs=12)
other("loans-nadam", loan_defaults, optimizer="nadam", lr=3e-3, momentum=0.0, weight_decay=1e-4, epochs=6)
other("loans-summed-suitably", loan_defaults, summed, norm=False, drop=0.0, lr=0.05 / 64)
other("sales-sorted-but-shuffled", sales_gru, small_shops_first)
other("sales-rmsprop", sales_gru, optimizer="rmsprop", lr=5e-3)
other("radar-sorted-but-shuffled", radar_residual, by_label)
other("warnings-honest-test", warning_transformer, honest_test, lr=1.5e-2, epochs=10)
other("tides-rate-times-three", tide_harmonics, lr=0.1)


@sound
def one_fraud_in_ten() -> Built:
    """A rare class that is told apart well, by probabilities of its own."""
    rng = np.random.default_rng(137)
    y = (rng.random(3000) < 0.1).astype(np.float32)
    x = rng.normal(0, 1, (3000, 8))
    x[:, :3] += np.array([2.0, -1.6, 1.4]) * y[:, None]
    task = tdx.Task(lambda: plain(8, 16, 1), nn.BCEWithLogitsLoss(), (x.astype(np.float32), y[:, None]), name="one-fraud-in-ten")
    return task, r("adam", 1e-2, 10, schedule="cosine")


@sound
def returns_are_noise() -> Built:
    """Tomorrow's return by the past ones: one part in ten can be told, and a linear model tells it."""
    rng = np.random.default_rng(139)
    x = rng.standard_t(5, (3000, 10)) / 1.3
    y = x @ np.array([0.4, -0.25, 0.2, *[0.0] * 7]) + 1.4 * rng.normal(0, 1, 3000)
    task = tdx.Task(
        lambda: nn.Linear(10, 1),
        nn.HuberLoss(),
        (x.astype(np.float32), (y / y.std())[:, None].astype(np.float32)),
        name="returns-are-noise",
    )
    return task, r("sgd", 0.02, 10, momentum=0.9, schedule="cosine")


@sound
def eighty_shops() -> Built:
    """A turnover by two columns, of eighty shops."""
    rng = np.random.default_rng(149)
    x = rng.normal(0, 1, (80, 2))
    y = x[:, 0] - 0.5 * x[:, 1] + 0.3 * rng.normal(0, 1, 80)
    task = tdx.Task(lambda: nn.Linear(2, 1), nn.MSELoss(), (x.astype(np.float32), y[:, None].astype(np.float32)), name="eighty-shops")
    return task, r("adam", 0.03, 30, batch_size=16, schedule="cosine")


@sound
def accidents_in_a_day() -> Built:
    """Few accidents a day by weather and weekday: a Poisson regression."""
    rng = np.random.default_rng(151)
    x = np.concatenate([rng.normal(0, 1, (2500, 3)), np.eye(7)[rng.integers(0, 7, 2500)]], 1)
    rate = np.exp(0.3 + x @ np.array([0.4, -0.3, 0.2, 0.2, 0.1, 0, 0, 0.3, 0.1, -0.6]))
    y = rng.poisson(rate).astype(np.float32)

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(10, 1), nn.Softplus())

    task = tdx.Task(model, nn.PoissonNLLLoss(log_input=False), (x.astype(np.float32), y[:, None]), name="accidents-in-a-day")
    return task, r("adam", 0.02, 15, schedule="cosine")


@sound
def progress_of_patients() -> Built:
    """442 patients, a third of the variance of whose progress can be told at most."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    x, y = scaled(x)[0], ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(10, 1), nn.L1Loss(), (x, y[:, None]), name="progress-of-patients")
    return task, r("adamw", 0.01, 40, batch_size=16, weight_decay=0.01, schedule="cosine")


@sound
def odd_and_even_digits() -> Built:
    """Handwritten digits by a small network with a decay, odd numbers against even ones."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16 - 0.3).astype(np.float32)
    task = tdx.Task(lambda: plain(64, 32, 2), nn.CrossEntropyLoss(), (x, y % 2), name="odd-and-even-digits")
    return task, r("adamw", 1e-2, 25, weight_decay=0.05, schedule="cosine")


@sound
def temperatures_of_tomorrow() -> Built:
    """Tomorrow's temperature by a week's, the latest rows validate; seasons are in both."""
    rng = np.random.default_rng(157)
    noise = np.zeros(2400)
    for t in range(1, 2400):
        noise[t] = 0.75 * noise[t - 1] + rng.normal(0, 2.2)
    series = 10 + 9 * np.sin(2 * np.pi * np.arange(2400) / 365) + noise
    series = ((series - series.mean()) / series.std()).astype(np.float32)
    x = np.stack([series[i : i + 7] for i in range(2393)])
    task = tdx.Task(lambda: plain(7, 16, 1), nn.MSELoss(), (x, series[7:, None]), time=np.arange(2393), name="temperatures-of-tomorrow")
    return task, r("adam", 1e-2, 15, schedule="cosine")
