"""A diagnosis to be killed: python resumed_program.py STORE."""

from __future__ import annotations

import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import traindx as tdx


def deep_sigmoid() -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(64, 32)]
    for _ in range(6):
        layers += [nn.Sigmoid(), nn.Linear(32, 32)]
    return nn.Sequential(*layers, nn.Sigmoid(), nn.Linear(32, 10))


def diagnosis(store: str | None) -> tdx.Diagnosis:
    torch.set_num_threads(1)
    x, y = load_digits(return_X_y=True)
    task = tdx.Task(deep_sigmoid, nn.CrossEntropyLoss(), ((x / 16).astype(np.float32), y), name="resumed")
    return tdx.diagnose(task, tdx.Recipe(lr=0.1, epochs=12), store=store)


if __name__ == "__main__":
    sys.stdout.write("started\n")
    sys.stdout.flush()
    sys.stdout.write(diagnosis(sys.argv[1]).key)
