"""Trainings with a fault, as users write them, for scripts that are run alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from blocks import Block, Normal
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import traindx as tdx

WIDTH = 32


class Sigmoids(nn.Module):
    """A deep network of sigmoids as functions."""

    def __init__(self, inputs: int = 64, width: int = WIDTH, outputs: int = 10) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)])
        self.output = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        for layer in self.layers:
            x = torch.sigmoid(layer(x))
        return self.output(x)


class Pictures(nn.Module):
    """A small convolutional network."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Sigmoid(), nn.Conv2d(8, 8, 3, stride=2), nn.Sigmoid(), nn.Flatten())
        self.head = nn.Linear(72, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, 8, 8) -> (n, 10)."""
        return self.head(self.body(x))


class Words(nn.Module):
    """Means of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.output = nn.Embedding(40, 16), nn.Linear(16, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, length) -> (n, 2)."""
        return self.output(self.embedding(tokens).mean(1))


def digits(rows: int = 900) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return (x[:rows] / 16).astype(np.float32), y[:rows]


def plain_table() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = load_diabetes(return_X_y=True)
    task = tdx.Task(lambda: nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1)), nn.MSELoss(), (x.astype(np.float32), y[:, None]))
    return task, tdx.Recipe(lr=1e-3, momentum=0.9, epochs=30)


def sigmoids() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits(1400)
    return tdx.Task(Sigmoids, nn.CrossEntropyLoss(), (x[:1100], y[:1100]), test=(x[1100:], y[1100:])), tdx.Recipe(lr=0.1, epochs=20)


def validated_in_other_units() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits(1400)
    return tdx.Task(Sigmoids, nn.CrossEntropyLoss(), (x[:1100], y[:1100]), validation=(255 * x[1100:], y[1100:])), tdx.Recipe(
        lr=0.1, epochs=20
    )


def pictures() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits()
    return tdx.Task(Pictures, F.cross_entropy, (x.reshape(-1, 1, 8, 8), y)), tdx.Recipe(optimizer="adam", lr=1e-3, epochs=8)


def labels() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits()
    many = np.stack([y % 2, y > 4, y % 3 == 0], axis=1).astype(np.float32)
    return tdx.Task(lambda: nn.Linear(64, 3), nn.BCEWithLogitsLoss(), (x, many)), tdx.Recipe(lr=1e-4, epochs=10)


def words() -> tuple[tdx.Task, tdx.Recipe]:
    draws = np.random.default_rng(0)
    tokens = draws.integers(0, 40, (600, 12))
    tokens[np.arange(600) % 2 == 0, :3] = draws.integers(0, 5, (300, 3))
    return tdx.Task(Words, nn.CrossEntropyLoss(), (tokens, 1 - np.arange(600) % 2)), tdx.Recipe(optimizer="adam", lr=1e-5, epochs=20)


def rare() -> tuple[tdx.Task, tdx.Recipe]:
    x, y = digits(1700)
    kept = (y != 3) | (np.arange(len(y)) % 12 == 0)
    task = tdx.Task(lambda: nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10)), nn.CrossEntropyLoss(), (x[kept], y[kept]))
    return task, tdx.Recipe(lr=0.05, epochs=12)


# --- One program for each kind of remedy ---------------------------------------------------------------------------------------------


def affine() -> tuple[tdx.Task, tdx.Recipe]:
    """Two layers without an activation between them."""
    return tdx.Task(lambda: nn.Sequential(nn.Linear(64, 24), nn.Linear(24, 10)), nn.CrossEntropyLoss(), digits()), tdx.Recipe(lr=0.1)


def squashed() -> tuple[tdx.Task, tdx.Recipe]:
    """Probabilities handed to a loss that expects logits, and fewer outputs than classes were meant."""
    task = tdx.Task(
        lambda: nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10), nn.Softmax(dim=1)), nn.CrossEntropyLoss(), digits()
    )
    return task, tdx.Recipe(lr=0.1)


def one_unit() -> tuple[tdx.Task, tdx.Recipe]:
    """A softmax over one unit."""
    x, y = digits()
    task = tdx.Task(
        lambda: nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 1), nn.Softmax(dim=1)),
        nn.BCELoss(),
        (x, (y % 2).astype(np.float32)[:, None]),
    )
    return task, tdx.Recipe(lr=0.1)


def distances() -> tuple[tdx.Task, tdx.Recipe]:
    """Squared error on class probabilities."""
    x, y = digits()
    task = tdx.Task(
        lambda: nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10), nn.Softmax(dim=1)),
        nn.MSELoss(),
        (x, np.eye(10, dtype=np.float32)[y]),
    )
    return task, tdx.Recipe(lr=0.1)


def summed() -> tuple[tdx.Task, tdx.Recipe]:
    return tdx.Task(lambda: nn.Linear(64, 10), nn.CrossEntropyLoss(reduction="sum"), digits()), tdx.Recipe(lr=0.001)


def half_frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, 10))
    model[0].requires_grad_(False)
    return model


def careless() -> tuple[tdx.Task, tdx.Recipe]:
    """Rows twice, frozen weights, heavy decay, tight clipping, in the order of the file, a few batches an update, cut short."""
    x, y = digits()
    task = tdx.Task(half_frozen, nn.CrossEntropyLoss(), (np.concatenate([x, x[:200]]), np.concatenate([y, y[:200]])))
    return task, tdx.Recipe(
        optimizer="adam", lr=0.01, weight_decay=0.1, clip_norm=1e-3, shuffle=False, accumulate=3, epochs=3, max_steps=13, early_stopping=2
    )


def signals() -> tuple[tdx.Task, tdx.Recipe]:
    """Sines of two frequencies, read by a wide network."""
    draws = np.random.default_rng(0)
    frequency = draws.integers(1, 3, 300)
    x = np.sin(np.linspace(0, 6, 64) * frequency[:, None] + draws.uniform(0, 6, (300, 1))).astype(np.float32)
    model = lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 2))  # noqa: E731  # as users write it
    return tdx.Task(model, nn.CrossEntropyLoss(), (x, frequency - 1)), tdx.Recipe(lr=0.1)


def gaps() -> tuple[tdx.Task, tdx.Recipe]:
    """A table with values missing in inputs and targets, on a scale of thousands."""
    x, y = load_diabetes(return_X_y=True)
    x, y = (1000 * x).astype(np.float32), y.astype(np.float32)
    x[::7, 3], y[::50] = np.nan, np.nan
    return tdx.Task(lambda: nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1)), nn.MSELoss(), (x, y[:, None])), tdx.Recipe(
        lr=1e-4
    )


# --- Programs of several parts -------------------------------------------------------------------------------------------------------


OFFSETS = np.linspace(0, 1, 64, dtype=np.float32)


@dataclass
class Config:
    """Sizes of a network."""

    width: int = 32
    blocks: int = 3
    outputs: tuple[str, ...] = tuple("0123456789")


class Structured(Normal):
    """A stem, blocks and a head, by a configuration."""

    def __init__(self, config: Config, drop: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.from_numpy(OFFSETS))
        self.parts = nn.ModuleDict({"stem": nn.Linear(64, config.width), "head": nn.Linear(config.width, len(config.outputs))})
        self.blocks = nn.Sequential(*[Block(config.width) for _ in range(config.blocks)], nn.Dropout(drop))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 64) -> (n, 10)."""
        digits = torch.sigmoid(self.parts["stem"](x - self.offsets))
        return self.parts["head"](self.blocks(digits))


@functools.cache
def scale() -> float:
    return 0.1


class Made:
    """A factory that keeps what it was given."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self) -> nn.Module:
        return Structured(self.config, drop=0.1).drawn(scale())


def distance(outputs: Tensor, targets: Tensor) -> float:
    """The mean distance of the digits."""
    return (outputs.argmax(1) - targets).abs().float().mean().item()


def structured() -> tuple[tdx.Task, tdx.Recipe]:
    """Several files, a configuration, a factory with a state, class weights, a metric of one's own."""
    weights = torch.linspace(0.5, 1.5, 10)
    task = tdx.Task(Made(Config(blocks=2)), nn.CrossEntropyLoss(weight=weights), digits(), metric=distance)
    return task, tdx.Recipe(optimizer="adamw", lr=1e-3, weight_decay=0.01, epochs=4, schedule="linear", warmup_steps=5)


class Reader(nn.Module):
    """A recurrent network over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.rnn, self.head = nn.Embedding(40, 8), nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, length) -> (n, 2)."""
        outputs, _ = self.rnn(self.embedding(tokens))
        return self.head(outputs[:, -1])


def sequences() -> tuple[tdx.Task, tdx.Recipe]:
    task, recipe = words()
    return tdx.Task(functools.partial(Reader), nn.CrossEntropyLoss(), (task.train.inputs, task.train.targets)), recipe.replace(epochs=4)
