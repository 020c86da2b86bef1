"""Healthy trainings that are no twins: odd, hard or imperfect, but sound. A confirmed finding on one of them is a false alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

import data
import traindx as tdx
from traindx.training.trainer import fit
from zoo.faults import by_label
from zoo.networks import Arch
from zoo.programs import PROGRAMS, Draft, Program, dataset

Built = tuple[tdx.Task, tdx.Recipe]


@dataclass(frozen=True)
class Healthy:
    """A healthy training by name."""

    name: str
    build: Callable[[], Built]
    held_out: bool = False


HEALTHY: list[Healthy] = []


def healthy(name: str) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """List a training for calibration; those held out are among the scripts."""

    def add(build: Callable[[], Built]) -> Callable[[], Built]:
        HEALTHY.append(Healthy(name, build))
        return build

    return add


def r(optimizer: str, lr: float, epochs: int, **more: Any) -> tdx.Recipe:
    """A recipe in one line."""
    return tdx.Recipe(optimizer=optimizer, lr=lr, epochs=epochs, **more)


def program(name: str, source: str, arch: Arch, recipe: tdx.Recipe, loss: str = "ce", **more: Any) -> None:
    """A training of the programs' kind."""

    def build() -> Built:
        draft = Program(name, source, arch, recipe, loss, **more).draft(0)
        return draft.task(), draft.recipe

    healthy(name)(build)


def changed(name: str, base: str, change: Callable[[Draft], object], variant: int = 90) -> None:
    """A program with a harmless change."""

    def build() -> Built:
        draft = PROGRAMS[base].draft(variant)
        change(draft)
        return draft.task(), draft.recipe

    healthy(name)(build)


M = {"momentum": 0.9}
# Hard data: every method stops at a floor.
program("noise-floor-classes", "flipped", Arch("mlp", 16, 1), r("adam", 2e-3, 10, weight_decay=1e-4), rows=3000)
program("noise-floor-numbers", "wine", Arch("residual", 16, 1), r("adamw", 2e-3, 10), "mse", rows=3000)
program("income-imbalanced", "adult", Arch("functional", 24, 1), r("adam", 2e-3, 6, batch_size=128), rows=4000)
program("titanic-small", "titanic", Arch("functional", 8, 1), r("adam", 5e-3, 10, batch_size=32), "bce")
program("diabetes-linear", "diabetes", Arch("mlp", 4, 0), r("sgd", 0.02, 40, **M), "mse")
# Tiny data with what suits them.
program("iris-linear", "iris", Arch("mlp", 4, 0), r("adam", 0.03, 60, batch_size=16))
program("ecg-linear", "ecg", Arch("mlp", 4, 0), r("adam", 3e-3, 40, batch_size=16, weight_decay=1e-2))
program("wines-dropout", "wines", Arch("mlp", 24, 1, drop=0.3), r("adam", 5e-3, 40, batch_size=16))
program("diabetes-decay", "diabetes", Arch("mlp", 16, 1), r("adamw", 3e-3, 40, weight_decay=0.1, batch_size=32, early_stopping=5), "mse")
# Linear models on linear data.
program("linear-model", "linear", Arch("mlp", 4, 0), r("sgd", 0.02, 15, **M), "mse")
program("covid-linear", "covid", Arch("functional", 4, 0), r("adam", 5e-3, 30), "mse", rows=1800)
# Imperfect, but it does the work.
changed("rate-three-times", "digits-mlp", lambda d: d.set(lr=d.recipe.lr * 3 / 1.4))
changed("rate-a-third", "friedman1-gelu", lambda d: d.set(lr=d.recipe.lr / 3, epochs=45))
changed("rate-a-third-cnn", "digits-cnn", lambda d: d.set(lr=d.recipe.lr / 2, epochs=25))
changed("batch-256", "mnist-deep", lambda d: d.set(batch_size=256, epochs=20))
changed("wide", "california-sgd", lambda d: d.rearrange(width=128))
changed("wide-digits", "digits-mlp", lambda d: d.rearrange(width=160))
changed("narrow", "gas-mlp", lambda d: d.rearrange(width=24))
changed("early-stopping", "spoken-layernorm", lambda d: d.set(early_stopping=4, epochs=20))
changed("small-decay", "digits-deep-tanh", lambda d: d.set(weight_decay=1e-4, epochs=60, batch_size=32))
changed("dropout", "digits-mlp", lambda d: (d.rearrange(drop=0.3, width=128), d.set(epochs=35)))
changed("step-schedule", "mnist-cnn", lambda d: d.set(schedule="step:3:0.3"))
changed("clipped-loosely", "digits-lstm", lambda d: d.set(clip_norm=5.0))
changed("warm-up", "digits-encoder", lambda d: d.set(warmup_steps=30))
changed("accumulated", "clusters-sgd", lambda d: d.set(batch_size=32, accumulate=2))
changed("rmsprop", "circles-bce", lambda d: d.set(optimizer="rmsprop", lr=3e-3, schedule="cosine"))


def summed(d: Draft) -> None:
    """A summed loss with a rate that suits it."""
    d.loss.reduction = "sum"
    d.set(lr=d.recipe.lr / d.recipe.batch_size)


changed("summed-suitably", "digits-mlp", summed)
changed("sorted-but-shuffled", "fashion-mlp-bn", by_label)
changed("sorted-but-shuffled-numbers", "california-residual", by_label)
# Deep, but residual; raw, but normalized at once.
program("deep-residual", "friedman1", Arch("residual", 32, 10), r("adam", 1e-3, 15, schedule="cosine"), "mse", rows=1800)
program("deep-residual-classes", "spoken", Arch("residual", 48, 8), r("adamw", 1e-3, 6, schedule="cosine"), rows=1800)
program("sigmoid-bce", "moons", Arch("mlp", 24, 2), r("adam", 5e-3, 20), "bce-sigmoid", rows=1500)
program("leaky", "clusters", Arch("mlp", 32, 2, "leaky"), r("adam", 2e-3, 8, weight_decay=1e-3), rows=4000)


class RawFirst(nn.Module):
    """A network whose first layer normalizes raw columns."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.scale = nn.BatchNorm1d(inputs)
        self.hidden, self.out = nn.Linear(inputs, width), nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F) -> (N, outputs)."""
        return self.out(torch.relu(self.hidden(self.scale(x))))


@healthy("raw-but-normalized")
def raw_but_normalized() -> Built:
    """Columns on scales from 1 to 1000, and BatchNorm first."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    task = tdx.Task(lambda: RawFirst(30, 24, 2), nn.CrossEntropyLoss(), (x.astype(np.float32), y), name="raw-but-normalized")
    return task, r("adam", 3e-3, 25, batch_size=32)


@healthy("raw-harmless")
def raw_harmless() -> Built:
    """Pixels from 0 to 16 with Adam: not standardised, and no worse for it."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    task = tdx.Task(lambda: plain(64, 64, 10), nn.CrossEntropyLoss(), (x.astype(np.float32), y), name="raw-harmless")
    return task, r("adam", 1e-3, 25)


def plain(*widths: int) -> nn.Sequential:
    """ReLU layers."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@cache
def backbone() -> dict[str, torch.Tensor]:
    """The first layers of a network trained on other digits."""
    source = dataset("mnist")
    task = tdx.Task(lambda: plain(196, 64, 32, 10), nn.CrossEntropyLoss(), (source.x[4000:9000], source.y[4000:9000]))
    weights = fit(task, r("adam", 2e-3, 8), keep_weights=True).weights
    assert weights is not None
    return weights


@healthy("fine-tuned-head")
def fine_tuned_head() -> Built:
    """A frozen pretrained backbone with a head of its own: equal weights under every seed."""
    weights = backbone()

    def build() -> nn.Module:
        model = plain(196, 64, 32, 10)
        model.load_state_dict(weights)
        for parameter in model[:-1].parameters():
            parameter.requires_grad_(False)
        nn.init.zeros_(model[-1].weight)
        return model

    source = dataset("mnist")
    return tdx.Task(build, nn.CrossEntropyLoss(), (source.x[:1500], source.y[:1500]), name="fine-tuned-head"), r("adam", 1e-2, 30)


@healthy("fine-tuned-whole")
def fine_tuned_whole() -> Built:
    """Pretrained weights, all of them learning on at a low rate."""
    weights = backbone()

    def build() -> nn.Module:
        model = plain(196, 64, 32, 10)
        model.load_state_dict(weights)
        return model

    source = dataset("mnist")
    return tdx.Task(build, nn.CrossEntropyLoss(), (source.x[:2000], source.y[:2000]), name="fine-tuned-whole"), r("adam", 3e-4, 4)


@healthy("natural-duplicates")
def natural_duplicates() -> Built:
    """Few distinct rows, as in a table of categories: equal rows on both sides of a split are no leak."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 3, (2000, 5)).astype(np.float32) - 1
    y = (x @ np.array([1.0, -1.0, 0.5, 0.7, 0.0]) + rng.logistic(0, 0.5, 2000) > 0).astype(np.int64)
    return tdx.Task(lambda: plain(5, 16, 2), nn.CrossEntropyLoss(), (x, y), name="natural-duplicates"), r("adam", 5e-3, 12)


@healthy("harmless-shift")
def harmless_shift() -> Built:
    """Test inputs shifted in a column that says nothing."""
    draft = PROGRAMS["friedman1-gelu"].draft(91)
    u = draft.clean[0].copy()
    rng = np.random.default_rng(4)
    x = np.concatenate([draft.x, rng.normal(0, 0.05, (len(draft.x), 1)).astype(np.float32)], 1)
    u = np.concatenate([u, rng.normal(0.15, 0.05, (len(u), 1)).astype(np.float32)], 1)
    task = tdx.Task(
        lambda: plain(11, 64, 64, 1), nn.MSELoss(), (x, draft.y[:, None]), test=(u, draft.clean[1][:, None]), name="harmless-shift"
    )
    return task, r("adam", 3e-3, 25)


@healthy("honest-test")
def honest_test() -> Built:
    """A test set from the same distribution."""
    draft = PROGRAMS["digits-mlp"].draft(92)
    draft.test = draft.clean
    return draft.task(), draft.recipe


@healthy("unlabelled-test")
def unlabelled_test() -> Built:
    """A test set from the same distribution, without labels."""
    draft = PROGRAMS["gas-mlp"].draft(93)
    task = tdx.Task(
        lambda: plain(128, 64, 6), nn.CrossEntropyLoss(), (draft.x, draft.y), test=(draft.clean[0], None), name="unlabelled-test"
    )
    return task, draft.recipe


@healthy("few-features")
def few_features() -> Built:
    """One informative column, a noisy line."""
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (1500, 3)).astype(np.float32)
    y = (x[:, :1] + rng.normal(0, 1, (1500, 1))).astype(np.float32)
    return tdx.Task(lambda: plain(3, 16, 1), nn.MSELoss(), (x, y), name="few-features"), r("adam", 3e-3, 12)


@healthy("spoken-clips")
def spoken_clips() -> Built:
    """Speech of all speakers but one."""
    (x, y), _ = data.spoken("jackson")
    return tdx.Task(lambda: plain(512, 48, 10), nn.CrossEntropyLoss(), (x, y), name="spoken-clips"), r("adam", 1e-3, 8)
