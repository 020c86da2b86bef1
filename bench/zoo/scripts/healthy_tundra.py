"""Healthy trainings of a first course in learning machines that are no twins: small, noisy or imperfect, but sound."""

from __future__ import annotations

import numpy as np
from torch import nn

import data
import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import given_validation, honest_test, scaled
from zoo.scripts.healthy import other, sound
from zoo.scripts.tundra import clothes_lenet, couple_income, digit_transformer, melt_gru, wine_alcohol

# Imperfect, but it does the work.
other("alcohol-momentum", wine_alcohol, optimizer="sgd", lr=0.03, momentum=0.9)
other("alcohol-honest-test", wine_alcohol, honest_test, hidden=(40,))
other("clothes-adam-and-dropout", clothes_lenet, optimizer="adam", lr=8e-3, momentum=0.0, drop=0.2, epochs=12)
other("couples-given-validation", couple_income, given_validation, hidden=(24,), drop=0.5)
other("river-rmsprop", melt_gru, optimizer="rmsprop", lr=6e-3)
other("digits-two-layers", digit_transformer, layers=2, lr=3e-3, warmup_steps=20)


@sound
def years_of_school() -> Built:
    """Years of school of Americans of the census, by age, hours and sex: little can be known."""
    lines = (data.find("adult") / "adult-test.csv").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.count(",") == 14][:2500]
    x = np.array([[float(row[0]), float(row[0]) ** 2, float(row[12]), row[9] == "Male", row[14] == ">50K."] for row in rows])
    y = np.array([float(row[4]) for row in rows])
    (x,), y = scaled(x), ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: plain(5, 12, 1), nn.MSELoss(), (x, y[:, None]), name="years-of-school")
    return task, r("adam", 4e-3, 12, batch_size=64, schedule="cosine")


@sound
def malignant_or_not() -> Built:
    """569 tumours by the ten means alone: a logistic regression."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    (x,) = scaled(x[:, :10])
    task = tdx.Task(lambda: nn.Linear(10, 1), nn.BCEWithLogitsLoss(), (x, y[:, None].astype(np.float32)), name="malignant-or-not")
    return task, r("adamw", 0.02, 15, batch_size=32, weight_decay=1e-2)
