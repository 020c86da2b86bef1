"""Programs: architecture x data set, each a healthy training until a fault is planted.

A program is built for a variant: another learning rate, batch size, width, choice of rows and seed, so that no two cases are one training.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import data
import traindx as tdx
from zoo.networks import Arch, Shape

# Rows kept aside for scoring alone.
CLEAN_ROWS = 1200
Pair = tuple[np.ndarray, np.ndarray]
Change = Callable[[nn.Module], nn.Module]


class Data(NamedTuple):
    """Inputs (N, F), labels or standardised numbers (N,); ``classes`` is 0 for numbers."""

    x: np.ndarray
    y: np.ndarray
    classes: int
    image: tuple[int, int] | None = None
    step: int = 0


def _numbers(x: np.ndarray, y: np.ndarray) -> Data:
    return Data(data.standardized(x)[0], ((y - y.mean()) / y.std()).astype(np.float32), 0)


def _labels(x: np.ndarray, y: np.ndarray, **more: Any) -> Data:
    return Data(x.astype(np.float32), y.astype(np.int64), int(y.max()) + 1, **more)


def _halved(x: np.ndarray, y: np.ndarray, image: tuple[int, int]) -> Data:
    """Images at half the resolution: trainings of the zoo take less than a second."""
    channels, side = image
    small = x.reshape(-1, channels, side // 2, 2, side // 2, 2).mean((3, 5)).reshape(len(x), -1)
    return _labels(small, y, image=(channels, side // 2), step=side // 2)


def _zipf(rows: int = 6000, words: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Two one-hot words a row, drawn by Zipf's law; the label depends on both."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, words + 1)
    drawn = rng.choice(words, (rows, 2), p=share / share.sum())
    x = np.zeros((rows, words), np.float32)
    x[np.arange(rows)[:, None], drawn] = 1
    value = rng.normal(0, 1, words)
    return x, (value[drawn].sum(1) > 0).astype(np.int64)


@cache
def dataset(name: str) -> Data:
    """One data set, loaded once a process."""
    from sklearn import datasets as sk

    std = data.standardized
    match name:
        case "digits":
            x, y = sk.load_digits(return_X_y=True)
            return _labels(x / 16, y, image=(1, 8), step=8)
        case "mnist":
            return _halved(*data.mnist("mnist", 9000), (1, 28))
        case "fashion":
            return _halved(*data.mnist("fashion-mnist", 9000), (1, 28))
        case "cifar":
            return _halved(*data.cifar(8000), (3, 32))
        case "spoken":
            (x, y), (u, v) = data.spoken("nicolas")
            return _labels(np.concatenate([x, u]), np.concatenate([y, v]), step=32)
        case "ecg":
            return _labels(*data.ecg200(), step=8)
        case "gas":
            x, y = data.gas((1, 2, 3, 4))
            kept = np.unique(y, return_inverse=True)[1]
            return _labels(std(x)[0], kept)
        case "adult":
            return _labels(*(a[:9000] for a in data.adult()))
        case "titanic":
            x, y = data.titanic()
            return _labels(std(x)[0], y)
        case "california":
            x, y, _ = data.california()
            return _numbers(np.concatenate([x[:, :2], np.log1p(x[:, 2:])], 1), y)
        case "wine":
            return _numbers(*data.wine("white"))
        case "covid":
            return _numbers(*data.covid())
        case "zipf":
            return _labels(*_zipf())
        case "cancer" | "iris" | "wines":
            x, y = {"cancer": sk.load_breast_cancer, "iris": sk.load_iris, "wines": sk.load_wine}[name](return_X_y=True)
            return _labels(std(x)[0], y)
        case "diabetes":
            return _numbers(*sk.load_diabetes(return_X_y=True))
        case "friedman1":
            return _numbers(*sk.make_friedman1(5000, noise=0.5, random_state=0))
        case "friedman2":
            return _numbers(*sk.make_friedman2(5000, noise=20.0, random_state=0))
        case "friedman3":
            return _numbers(*sk.make_friedman3(5000, noise=0.05, random_state=0))
        case "swiss":
            return _numbers(*sk.make_swiss_roll(5000, noise=0.3, random_state=0))
        case "linear":
            return _numbers(*sk.make_regression(5000, 15, n_informative=10, noise=20.0, random_state=0))
        case "moons":
            return _labels(*sk.make_moons(5000, noise=0.2, random_state=0))
        case "circles":
            return _labels(*sk.make_circles(5000, noise=0.1, factor=0.5, random_state=0))
        case "blobs":
            return _labels(*sk.make_blobs(5000, 6, centers=5, cluster_std=3.0, center_box=(-5, 5), random_state=0))
        case "clusters":
            x, y = sk.make_classification(6000, 20, n_informative=8, n_classes=4, class_sep=1.5, flip_y=0.02, random_state=0)
            return _labels(std(x)[0], y)
        case "flipped":
            x, y = sk.make_classification(6000, 20, n_informative=8, flip_y=0.2, random_state=0)
            return _labels(std(x)[0], y)
    raise KeyError(name)


LOSSES: dict[str, Callable[[], nn.Module]] = {
    "ce": nn.CrossEntropyLoss,
    "bce": nn.BCEWithLogitsLoss,
    "bce-sigmoid": nn.BCELoss,
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "huber": nn.HuberLoss,
}


def shaped_targets(y: np.ndarray, form: str, classes: int) -> np.ndarray:
    """Targets as a program hands them over: index (N,), column (N, 1), flat (N,) floats, or onehot (N, C)."""
    if form == "index":
        return y.astype(np.int64)
    if form == "onehot":
        return np.eye(classes, dtype=np.float32)[y.astype(np.int64)]
    values = y.astype(np.float32)
    return values[:, None] if form == "column" else values


@dataclass
class Factory:
    """Builds the network and carries the changes out on it."""

    arch: Arch
    shape: Shape
    changes: tuple[Change, ...] = ()

    def __call__(self) -> nn.Module:
        """A fresh network."""
        model = self.arch.build(self.shape)
        for change in self.changes:
            model = change(model)
        return model


@dataclass
class Draft:
    """A training in the making: what a fault changes. ``scored`` says on which rows it is judged: clean, validation, test or optimism."""

    name: str
    x: np.ndarray
    y: np.ndarray
    clean: Pair
    classes: int
    shape: Shape
    arch: Arch
    recipe: tdx.Recipe
    loss: nn.Module
    form: str
    shaped: tuple[int, ...] | None
    rng: np.random.Generator
    rates: dict[str, float]
    changes: list[Change] = field(default_factory=list)
    validation: Pair | None = None
    test: Pair | None = None
    scored: str = "clean"
    balanced: bool = False
    spare: dict[str, Any] = field(default_factory=dict)

    @property
    def regression(self) -> bool:
        """Whether numbers are predicted."""
        return self.classes == 0

    @property
    def updates(self) -> int:
        """Updates of the whole training."""
        planned = self.recipe.epochs * -(-int(0.8 * len(self.x)) // self.recipe.batch_size)
        return min(planned, self.recipe.max_steps or planned)

    def set(self, **changes: Any) -> None:
        """Change the recipe."""
        self.recipe = self.recipe.replace(**changes)

    def rearrange(self, **changes: Any) -> None:
        """Change the architecture."""
        self.arch = self.arch.replace(**changes)

    def _pair(self, pair: Pair) -> Pair:
        x, y = pair
        x = np.ascontiguousarray(x, dtype=np.float32)
        return (x.reshape(len(x), *self.shaped) if self.shaped else x), shaped_targets(y, self.form, self.classes)

    def task(self, scoring: bool = False) -> tdx.Task:
        """The task; with ``scoring`` the rows it is judged on are its test set."""
        test = self.clean if scoring and self.scored in ("clean", "optimism") else self.test
        return tdx.Task(
            Factory(self.arch, self.shape, tuple(self.changes)),
            self.loss,
            self._pair((self.x, self.y)),
            validation=None if self.validation is None else self._pair(self.validation),
            test=None if test is None else self._pair(test),
            name=self.name,
        )


@dataclass(frozen=True)
class Program:
    """A training as an engineer would write it.

    ``rates`` holds factors on the learning rate that faults of the schedule need. ``second`` programs were once held out: they joined
    calibration after rules were mended by what they showed.
    """

    name: str
    data: str
    arch: Arch
    recipe: tdx.Recipe
    loss: str = "ce"
    rows: int = 2000
    flat: bool = False
    shaped: bool = False
    second: bool = False
    rates: tuple[tuple[str, float], ...] = ()

    def draft(self, variant: int = 0) -> Draft:
        """The training of this variant."""
        source = dataset(self.data)
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), variant])
        order = rng.permutation(len(source.x))
        pool = order[: min(self.rows, int(0.7 * len(order)))]
        clean = order[len(pool) :][:CLEAN_ROWS]
        outputs = source.classes if self.loss == "ce" else 1
        shape = Shape(source.x.shape[1], outputs, source.image, source.step, self.flat)
        form = "index" if self.loss == "ce" else ("flat" if self.flat else "column")
        image = (source.image[0], source.image[1], source.image[1]) if source.image else None
        changes: list[Change] = [_sigmoid_end] if self.loss == "bce-sigmoid" else []
        recipe, arch = _jittered(self.recipe, self.arch, rng) if variant else (self.recipe, self.arch)
        return Draft(
            name=self.name,
            x=source.x[pool],
            y=source.y[pool],
            clean=(source.x[clean], source.y[clean]),
            classes=source.classes,
            shape=shape,
            arch=arch,
            recipe=recipe,
            loss=LOSSES[self.loss](),
            form=form,
            shaped=image if self.shaped else None,
            rng=np.random.default_rng([variant, 7]),
            rates=dict(self.rates),
            changes=changes,
        )


def _jittered(recipe: tdx.Recipe, arch: Arch, rng: np.random.Generator) -> tuple[tdx.Recipe, Arch]:
    rate = float(np.exp(rng.uniform(np.log(0.7), np.log(1.4))))
    batch = int(np.clip(recipe.batch_size * rng.choice([0.5, 1, 1, 2]), 16, 128))
    width = max(4, 4 * round(arch.width * rng.uniform(0.75, 1.5) / 4))
    return recipe.replace(lr=float(f"{recipe.lr * rate:.3g}"), batch_size=batch), arch.replace(width=width)


class Ended(nn.Module):
    """A network with something at its end, functional."""

    def __init__(self, net: nn.Module, end: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.net, self.end = net, end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The end of the network's outputs."""
        return self.end(self.net(x))


def ended(model: nn.Module, module: nn.Module) -> nn.Module:
    """The model with a module at its end."""
    return nn.Sequential(*model, module) if isinstance(model, nn.Sequential) else Ended(model, module.forward)


def _sigmoid_end(model: nn.Module) -> nn.Module:
    return ended(model, nn.Sigmoid())


def _listed() -> list[Program]:
    def r(optimizer: str, lr: float, epochs: int, **more: Any) -> tdx.Recipe:
        return tdx.Recipe(optimizer=optimizer, lr=lr, epochs=epochs, **more)

    m = {"momentum": 0.9}
    first = [
        Program("digits-mlp", "digits", Arch("mlp", 64, 1), r("sgd", 0.1, 25, **m)),
        Program("digits-deep-tanh", "digits", Arch("mlp", 48, 4, "tanh"), r("sgd", 0.03, 25, **m)),
        Program("digits-lstm", "digits", Arch("lstm", 40, 1), r("adam", 5e-3, 20)),
        Program("mnist-cnn", "mnist", Arch("cnn", 8), r("sgd", 0.05, 6, schedule="cosine", batch_size=32, **m), rows=2500),
        Program("fashion-cnn-bn", "fashion", Arch("cnn", 8, norm="batch"), r("adam", 3e-3, 6), rows=3000),
        Program("fashion-mlp-bn", "fashion", Arch("mlp", 48, 2, norm="batch", drop=0.2), r("sgd", 0.03, 8, **m), rows=3500),
        Program("mnist-handcnn", "mnist", Arch("handcnn", 8), r("adam", 4e-3, 6, batch_size=32), rows=2500, shaped=True),
        Program("california-residual", "california", Arch("residual", 48, 3), r("adamw", 2e-3, 15, schedule="cosine"), "mse", 3000),
        Program("cancer-mlp", "cancer", Arch("functional", 24, 1), r("adam", 2e-3, 30, batch_size=32)),
        Program("moons-bce", "moons", Arch("functional", 32, 2), r("adam", 5e-3, 25), "bce", 1500),
        Program("friedman1-gelu", "friedman1", Arch("mlp", 64, 2, "gelu"), r("adam", 4e-3, 30), "mse", 1800),
        Program("friedman2-rmsprop", "friedman2", Arch("functional", 48, 2), r("rmsprop", 2e-3, 25, schedule="cosine"), "mse", 1800),
        Program("adult-dropout", "adult", Arch("mlp", 32, 1, drop=0.2), r("adam", 2e-3, 8), rows=3000),
        Program("gas-mlp", "gas", Arch("mlp", 64, 2, "gelu"), r("adam", 2e-3, 30), rows=1200),
        Program("digits-encoder", "digits", Arch("encoder", 32, 1), r("adam", 5e-3, 15)),
        Program(
            "clusters-sgd",
            "clusters",
            Arch("functional", 32, 2, "gelu"),
            r("sgd", 0.05, 10, schedule="cosine", weight_decay=1e-3, **m),
            rows=4000,
        ),
        Program("wine-huber", "wine", Arch("mlp", 32, 1), r("adam", 3e-3, 15), "huber", 2500),
        Program("covid-sgd", "covid", Arch("functional", 24, 1), r("sgd", 0.01, 15, schedule="cosine", **m), "mse", 1800),
        Program("swiss-tanh", "swiss", Arch("mlp", 32, 2, "tanh"), r("adam", 8e-3, 30), "mse", 1500, flat=True),
        Program("titanic-bce", "titanic", Arch("mlp", 16, 1), r("sgd", 0.1, 15), "bce", flat=True),
        Program("iris-mlp", "iris", Arch("mlp", 12, 1, "tanh"), r("adam", 1e-2, 40, batch_size=16)),
        Program("linear-sgd", "linear", Arch("functional", 32, 2), r("sgd", 0.03, 15, **m), "mse", 1500),
        Program("zipf-mlp", "zipf", Arch("mlp", 32, 1), r("adam", 5e-3, 15), rows=2500),
    ]
    second = [
        Program("circles-bce", "circles", Arch("functional", 32, 2, "tanh"), r("adam", 6e-3, 30), "bce", 1500, flat=True),
        Program("friedman3-residual", "friedman3", Arch("residual", 32, 2), r("adam", 2e-3, 30, schedule="cosine"), "mse", 1800),
        Program("spoken-layernorm", "spoken", Arch("functional", 64, 2, norm="layer"), r("adamw", 1e-3, 8), rows=2000),
        Program("digits-cnn", "digits", Arch("handcnn", 8), r("sgd", 0.05, 14, batch_size=32, **m), shaped=True),
        Program("mnist-attention", "mnist", Arch("attention", 24, 1), r("adam", 6e-3, 14, schedule="cosine"), rows=2500),
        Program("spoken-gru", "spoken", Arch("gru", 32, 1), r("adam", 6e-3, 7), rows=1800),
        Program("diabetes-mlp", "diabetes", Arch("mlp", 16, 1), r("adam", 3e-3, 25, batch_size=32), "mse"),
        Program("fashion-cnn-sgd", "fashion", Arch("cnn", 8), r("sgd", 0.05, 7, schedule="step:5:0.3", batch_size=32, **m), rows=3000),
        Program("california-sgd", "california", Arch("functional", 48, 2), r("sgd", 0.03, 20, schedule="cosine", **m), "mse", 2500, True),
        Program("mnist-deep", "mnist", Arch("mlp", 48, 4, "relu"), r("sgd", 0.1, 12, schedule="cosine", **m), rows=4000),
        Program("wines-mlp", "wines", Arch("mlp", 16, 1, "tanh"), r("sgd", 0.05, 30, batch_size=16, **m)),
        Program("cancer-sigmoid", "cancer", Arch("mlp", 16, 1), r("adam", 5e-3, 25, batch_size=32), "bce-sigmoid"),
        Program("blobs-gelu", "blobs", Arch("functional", 24, 2, "gelu"), r("sgd", 0.02, 8, **m), rows=3000),
        Program("ecg-gru", "ecg", Arch("gru", 16, 1), r("adam", 1e-2, 14, batch_size=16)),
        Program("cifar-cnn-bn", "cifar", Arch("cnn", 8, norm="batch"), r("adam", 3e-3, 3), rows=3500),
    ]
    from dataclasses import replace

    return [*first, *(replace(p, second=True) for p in second)]


PROGRAMS: dict[str, Program] = {program.name: program for program in _listed()}
