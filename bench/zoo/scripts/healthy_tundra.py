"""Healthy trainings of a first course in learning machines that are no twins: small, noisy or imperfect, but sound. They are held out."""

from __future__ import annotations

import numpy as np
from torch import nn

import data
import traindx as tdx
from zoo.healthy import Built, plain, r
from zoo.scripts.base import given_validation, honest_test, scaled
from zoo.scripts.healthy import held_out, other
from zoo.scripts.tundra import clothes_lenet, couple_income, digit_transformer, melt_gru, wine_alcohol

# Imperfect, but it does the work.
other("alcohol-momentum", wine_alcohol, optimizer="sgd", lr=0.03, momentum=0.9, held_out=True)
other("alcohol-honest-test", wine_alcohol, honest_test, hidden=(40,), held_out=True)
other("clothes-adam-and-dropout", clothes_lenet, optimizer="adam", lr=8e-3, momentum=0.0, drop=0.2, epochs=12, held_out=True)
other("couples-given-validation", couple_income, given_validation, hidden=(24,), drop=0.5, held_out=True)
other("river-rmsprop", melt_gru, optimizer="rmsprop", lr=6e-3, held_out=True)
other("digits-two-layers", digit_transformer, layers=2, lr=3e-3, warmup_steps=20, held_out=True)


@held_out
def years_of_school() -> Built:
    """Years of school of Americans of the census, by age, hours and sex: little can be known."""
    lines = (data.find("adult") / "adult-test.csv").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.count(",") == 14][:2500]
    x = np.array([[float(row[0]), float(row[0]) ** 2, float(row[12]), row[9] == "Male", row[14] == ">50K."] for row in rows])
    y = np.array([float(row[4]) for row in rows])
    (x,), y = scaled(x), ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: plain(5, 12, 1), nn.MSELoss(), (x, y[:, None]), name="years-of-school")
    return task, r("adam", 4e-3, 12, batch_size=64, schedule="cosine")


@held_out
def malignant_or_not() -> Built:
    """569 tumours by the ten means alone: a logistic regression."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    (x,) = scaled(x[:, :10])
    task = tdx.Task(lambda: nn.Linear(10, 1), nn.BCEWithLogitsLoss(), (x, y[:, None].astype(np.float32)), name="malignant-or-not")
    return task, r("adamw", 0.02, 15, batch_size=32, weight_decay=1e-2)
