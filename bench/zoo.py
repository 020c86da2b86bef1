"""A zoo of trainings with a known fault and their healthy twins: programs are architecture x data set.

    python bench/zoo.py [--programs NAME ...] [--faults NAME ...] [--seed 0] [--write]

A fault counts only where the faulty training is worse than its twin by a tenth of the distance to the constant predictor. Prints, for each
training, what was expected and what was said; at the end the share of right branches and causes, and the false alarms on twins.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import traindx as tdx
from data import adult, california, cifar, mnist, spoken, standardized, wine

RESULTS = Path(__file__).parent / "results" / "zoo.md"


@dataclass
class Program:
    """A training as an engineer would write it: healthy until a fault is planted."""

    name: str
    arrays: tuple[np.ndarray, np.ndarray]
    model: Callable[[], nn.Module]
    recipe: tdx.Recipe
    loss: nn.Module
    test: tuple[np.ndarray, np.ndarray] | None = None

    def task(self) -> tdx.Task:
        """The task of this program."""
        return tdx.Task(self.model, self.loss, self.arrays, test=self.test, name=self.name)


def mlp(*widths: int, act: type[nn.Module] = nn.ReLU, norm: bool = False, drop: float = 0.0) -> Callable[[], nn.Module]:
    """Fully connected."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in pairwise(widths[:-1]):
            layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), act(), *([nn.Dropout(drop)] if drop else [])]
        return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))

    return build


def cnn(side: int, channels: int, classes: int, norm: bool = False) -> Callable[[], nn.Module]:
    """Two convolutions with pooling."""

    def build() -> nn.Module:
        def block(a: int, b: int) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 3, padding=1), *([nn.BatchNorm2d(b)] if norm else []), nn.ReLU(), nn.MaxPool2d(2)]

        features = 16 * (side // 4) ** 2
        return nn.Sequential(
            nn.Unflatten(1, (channels, side, side)), *block(channels, 8), *block(8, 16), nn.Flatten(), nn.Linear(features, classes)
        )

    return build


class Recurrent(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.width = width
        self.lstm = nn.LSTM(width, 48, batch_first=True)
        self.head = nn.Linear(48, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, L * width) -> (N, classes)."""
        out, _ = self.lstm(x.reshape(len(x), -1, self.width))
        return self.head(out[:, -1])


class Residual(nn.Module):
    """A residual network for tables."""

    def __init__(self, inputs: int, width: int, outputs: int, blocks: int = 3) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(blocks)
        )
        self.last = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs) -> (N, outputs)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


class Attention(nn.Module):
    """A small transformer encoder over the rows of an image."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Linear(width, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, L * width) -> (N, classes)."""
        return self.head(self.encoder(self.embed(x.reshape(len(x), -1, self.width))).mean(1))


def programs() -> dict[str, Program]:
    """Every program, by name."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_classification, make_friedman1, make_moons

    ce, mse = nn.CrossEntropyLoss(), nn.MSELoss()
    digits = load_digits(return_X_y=True)
    digits = ((digits[0] / 16).astype(np.float32), digits[1])
    cancer_x, cancer_y = load_breast_cancer(return_X_y=True)
    (cancer_x,) = standardized(cancer_x)
    diabetes_x, diabetes_y = load_diabetes(return_X_y=True)
    (diabetes_x,) = standardized(diabetes_x)
    diabetes_y = ((diabetes_y - diabetes_y.mean()) / diabetes_y.std()).astype(np.float32)[:, None]
    friedman_x, friedman_y = make_friedman1(1500, noise=0.5, random_state=0)
    friedman_y = ((friedman_y - friedman_y.mean()) / friedman_y.std()).astype(np.float32)[:, None]
    moons = make_moons(1000, noise=0.2, random_state=0)
    noisy = make_classification(1500, 20, n_informative=8, flip_y=0.2, random_state=0)
    house_x, house_y, _ = california()
    pick = np.random.default_rng(0).permutation(len(house_x))[:3000]
    (house_x,) = standardized(house_x[pick])
    house_y = house_y[pick][:, None]
    (white_x,), white_y = standardized(wine("white")[0]), wine("white")[1]
    white_y = ((white_y - white_y.mean()) / white_y.std()).astype(np.float32)[:, None]
    fashion, numbers = mnist("fashion-mnist", 3000), mnist("mnist", 3000)
    income_x, income_y = adult()
    speech, _ = spoken("nicolas")
    pictures = cifar(2000)
    r = tdx.Recipe
    listed = [
        Program("digits-mlp-sgd", digits, mlp(64, 64, 10), r(lr=0.1, momentum=0.9, epochs=25), ce),
        Program("digits-deep-tanh", digits, mlp(64, 48, 48, 48, 48, 10, act=nn.Tanh), r(lr=0.05, momentum=0.9, epochs=25), ce),
        Program("digits-lstm", digits, lambda: Recurrent(8, 10), r(optimizer="adam", lr=5e-3, epochs=25), ce),
        Program("digits-transformer", digits, lambda: Attention(8, 10), r(optimizer="adam", lr=3e-3, epochs=20), ce),
        Program("cancer-mlp", (cancer_x, cancer_y), mlp(30, 32, 2), r(optimizer="adam", lr=1e-3, epochs=30, batch_size=32), ce),
        Program(
            "moons-bce",
            (moons[0], moons[1].astype(np.float32)[:, None]),
            mlp(2, 32, 32, 1),
            r(optimizer="adam", lr=5e-3, epochs=40),
            nn.BCEWithLogitsLoss(),
        ),
        Program("friedman-mlp", (friedman_x, friedman_y), mlp(10, 64, 64, 1), r(optimizer="adam", lr=3e-3, epochs=40), mse),
        Program(
            "california-resnet",
            (house_x, house_y),
            lambda: Residual(8, 48, 1),
            r(optimizer="adamw", lr=2e-3, epochs=15, schedule="cosine"),
            mse,
        ),
        Program("wine-huber", (white_x, white_y), mlp(11, 48, 1), r(optimizer="adam", lr=2e-3, epochs=15), nn.HuberLoss()),
        Program("fashion-cnn-bn", fashion, cnn(28, 1, 10, norm=True), r(optimizer="adam", lr=2e-3, epochs=5), ce),
        Program("mnist-cnn-sgd", numbers, cnn(28, 1, 10), r(lr=0.1, momentum=0.9, epochs=6, schedule="cosine"), ce),
        Program("fashion-mlp-bn", fashion, mlp(784, 128, 64, 10, norm=True), r(lr=0.05, momentum=0.9, epochs=8), ce),
        Program(
            "adult-mlp",
            (income_x[:5000], income_y[:5000]),
            mlp(income_x.shape[1], 32, 2, drop=0.2),
            r(optimizer="adam", lr=1e-3, epochs=10),
            ce,
        ),
        Program("speech-mlp", speech, mlp(512, 64, 10, drop=0.2), r(optimizer="adam", lr=1e-3, epochs=12), ce),
        Program("noisy-mlp", (noisy[0].astype(np.float32), noisy[1]), mlp(20, 16, 2), r(optimizer="adam", lr=1e-3, epochs=20), ce),
        Program("cifar-cnn", pictures, cnn(32, 3, 10), r(optimizer="adam", lr=2e-3, epochs=8), ce),
        Program("diabetes-mlp", (diabetes_x, diabetes_y), mlp(10, 16, 1), r(optimizer="adam", lr=2e-3, epochs=30, batch_size=32), mse),
    ]
    return {program.name: program for program in listed}


# -- faults ------------------------------------------------------------------------------------------------------------------------------


def rate(factor: float) -> Callable[[Program], None]:
    """Another learning rate."""

    def plant(p: Program) -> None:
        p.recipe = p.recipe.replace(lr=p.recipe.lr * factor)

    return plant


def brief(p: Program) -> None:
    """A twelfth of the epochs."""
    p.recipe = p.recipe.replace(epochs=max(1, p.recipe.epochs // 12))


def raw(p: Program) -> None:
    """Inputs on scales from 1 to 1000 with offsets."""
    rng = np.random.default_rng(1)
    scales = 10 ** rng.uniform(0, 3, p.arrays[0].shape[1])
    p.arrays = ((p.arrays[0] * scales + scales * 2).astype(np.float32), p.arrays[1])


def pixels(p: Program) -> None:
    """Inputs 255 times as large."""
    p.arrays = ((p.arrays[0] * 255).astype(np.float32), p.arrays[1])


def deep_sigmoid(p: Program) -> None:
    """Eight hidden layers of sigmoid units."""
    inputs, outputs = p.arrays[0].shape[1], _outputs(p)
    p.model = mlp(inputs, *([32] * 8), outputs, act=nn.Sigmoid)


def one_unit(p: Program) -> None:
    """A hidden layer of a single unit between wide ones."""
    inputs, outputs = p.arrays[0].shape[1], _outputs(p)
    p.model = mlp(inputs, 48, 1, 48, outputs, act=nn.Tanh)


def linear(p: Program) -> None:
    """A linear model."""
    p.model = mlp(p.arrays[0].shape[1], _outputs(p))


def memorized(p: Program) -> None:
    """A hundred and fifty rows, a wide network, trained long."""
    rng = np.random.default_rng(2)
    keep = rng.permutation(len(p.arrays[0]))[:150]
    p.arrays = (p.arrays[0][keep], p.arrays[1][keep])
    p.model = mlp(p.arrays[0].shape[1], 512, 512, _outputs(p))
    p.recipe = tdx.Recipe(optimizer="adam", lr=1e-3, epochs=80, batch_size=16)


def noise(p: Program) -> None:
    """A third of the labels wrong, and a network that learns them by heart."""
    rng = np.random.default_rng(3)
    y = p.arrays[1].copy()
    flipped = rng.random(len(y)) < 0.3
    y[flipped] = (y[flipped] + rng.integers(1, max(2, int(y.max()) + 1), flipped.sum())) % (int(y.max()) + 1)
    p.arrays = (p.arrays[0], y)
    p.model = mlp(p.arrays[0].shape[1], 256, 256, _outputs(p))
    p.recipe = tdx.Recipe(optimizer="adam", lr=1e-3, epochs=25)


def shifted(p: Program) -> None:
    """A test set whose features were drawn elsewhere."""
    rng = np.random.default_rng(4)
    x, y = p.arrays
    held = rng.permutation(len(x))[: len(x) // 4]
    keep = np.setdiff1d(np.arange(len(x)), held)
    move = rng.normal(0, 1.5, x.shape[1]) * x.std(0)
    p.arrays, p.test = (x[keep], y[keep]), ((x[held] + move).astype(np.float32), y[held])


def honest_test(p: Program) -> None:
    """No fault: a test set from the same distribution."""
    rng = np.random.default_rng(4)
    x, y = p.arrays
    held = rng.permutation(len(x))[: len(x) // 4]
    keep = np.setdiff1d(np.arange(len(x)), held)
    p.arrays, p.test = (x[keep], y[keep]), (x[held], y[held])


def proportions(p: Program) -> None:
    """A test set in which one class is rare in training and common later."""
    rng = np.random.default_rng(5)
    x, y = p.arrays
    labels = y.reshape(-1).astype(int)
    rare = labels == 1
    held = rng.random(len(x)) < np.where(rare, 0.85, 0.08)
    p.arrays, p.test = (x[~held], y[~held]), (x[held], y[held])


def _outputs(p: Program) -> int:
    return 1 if p.arrays[1].ndim == 2 else int(p.arrays[1].max()) + 1


RATE_HIGH, RATE_LOW = ("optimization", {"learning-rate-too-high"}), ("optimization", {"learning-rate-too-low"})
FAULTS: dict[str, tuple[Callable[[Program], None], str, set[str]]] = {
    "rate x 1000": (rate(1000), *RATE_HIGH),
    "rate x 50": (rate(50), *RATE_HIGH),
    "rate / 300": (rate(1 / 300), *RATE_LOW),
    "rate / 3000": (rate(1 / 3000), *RATE_LOW),
    "brief": (brief, "optimization", {"trained-too-briefly", "learning-rate-too-low"}),
    "raw": (raw, "optimization", {"unnormalized-input"}),
    "pixels": (pixels, "optimization", {"unnormalized-input"}),
    "deep sigmoid": (deep_sigmoid, "optimization", {"vanishing-gradient"}),
    "one unit": (one_unit, "model-bias", {"bottleneck"}),
    "linear": (linear, "model-bias", {"model-too-simple"}),
    "memorized": (memorized, "overfitting", {"trained-too-long", "too-little-data", "model-too-flexible"}),
    "noise": (noise, "data", {"label-noise"}),
    "shifted": (shifted, "mismatch", {"covariate-shift"}),
    "proportions": (proportions, "mismatch", {"label-shift"}),
    "healthy": (lambda p: None, "healthy", set()),
    "honest test": (honest_test, "healthy", set()),
}
IMAGES = {
    "digits-mlp-sgd",
    "digits-deep-tanh",
    "digits-lstm",
    "digits-transformer",
    "fashion-cnn-bn",
    "mnist-cnn-sgd",
    "fashion-mlp-bn",
    "cifar-cnn",
}
CLASSES_ONLY = {"noise", "proportions"}
REPLACES_MODEL = {"deep sigmoid", "one unit", "linear", "memorized", "noise"}


def sensible(program: Program, fault: str) -> bool:
    """Whether the fault can be planted in this program at all."""
    if fault in CLASSES_ONLY and program.arrays[1].ndim == 2:
        return False
    if fault in REPLACES_MODEL and program.name in (
        "digits-lstm",
        "digits-transformer",
        "fashion-cnn-bn",
        "mnist-cnn-sgd",
        "cifar-cnn",
        "digits-deep-tanh",
    ):
        return False
    if fault == "pixels":
        return program.name in IMAGES and "-bn" not in program.name
    if fault == "raw":
        return program.name not in IMAGES and program.name != "speech-mlp"
    return not (fault == "noise" and program.name in ("noisy-mlp", "adult-mlp"))


def worse(faulty: tdx.Run, twin: tdx.Run, fault: str, constant: float) -> bool:
    """Whether the fault shows: the faulty training is worse by a tenth of the twin's distance to the constant predictor."""
    if fault in ("healthy", "honest test", "shifted", "proportions", "memorized", "noise"):
        return True
    losses = [min(run.last("validation_loss"), 1e9) if run.outcome == "finished" else 1e9 for run in (faulty, twin)]
    return losses[0] - losses[1] > 0.1 * (constant - losses[1])


def measure(program: Program, fault: str, seed: int) -> dict[str, Any] | None:
    """One diagnosis; None where the fault does not show."""
    plant, branch, causes = FAULTS[fault]
    faulty = copy.copy(program)
    plant(faulty)
    recipe = faulty.recipe.replace(seed=seed)
    if branch != "healthy":
        twin = tdx.train(program.task(), program.recipe.replace(seed=seed))
        if not worse(tdx.train(faulty.task(), recipe), twin, fault, twin.curves["validation_loss"].values[0]):
            return None
    started = time.perf_counter()
    diagnosis = tdx.diagnose(faulty.task(), recipe)
    top = diagnosis.top
    confirmed = [f.cause for f in diagnosis.findings if f.standing == "confirmed"]
    right = diagnosis.branch == branch
    return {
        "program": program.name,
        "fault": fault,
        "expected": branch,
        "branch": diagnosis.branch.value,
        "top": f"{top.cause} ({top.standing.value})" if top else "-",
        "confirmed": len(confirmed),
        "branch right": right,
        "cause right": right and (not causes or (top is not None and top.cause in causes)),
        "runs": diagnosis.cost.runs,
        "seconds": time.perf_counter() - started,
        "sentence": diagnosis.sentence,
    }


def main() -> None:
    """Measure, print, and write with --write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="+")
    parser.add_argument("--faults", nargs="+", default=list(FAULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    known = programs()
    lines = ["| program | fault | branch | top finding | right | baseline runs | seconds |", "|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    rows = []
    for name in arguments.programs or known:
        for fault in arguments.faults:
            row = measure(known[name], fault, arguments.seed) if sensible(known[name], fault) else None
            if row is None:
                continue
            rows.append(row)
            mark = "yes" if row["cause right"] else ("branch" if row["branch right"] else "NO")
            lines.append(f"| {name} | {fault} | {row['branch']} | {row['top']} | {mark} | {row['runs']:.1f} | {row['seconds']:.1f} |")
            print(lines[-1] + ("" if mark == "yes" else " " + row["sentence"]), flush=True)
    faulty, healthy = [r for r in rows if r["expected"] != "healthy"], [r for r in rows if r["expected"] == "healthy"]
    closing = [
        f"faulty trainings: branch right {sum(r['branch right'] for r in faulty)} of {len(faulty)}, cause on top {sum(r['cause right'] for r in faulty)}",
        f"healthy trainings: {sum(r['confirmed'] > 0 for r in healthy)} of {len(healthy)} with a confirmed finding, {sum(r['branch'] == 'healthy' for r in healthy)} called healthy",
        f"cost: median {np.median([r['runs'] for r in rows]):.1f} baseline runs, {np.median([r['seconds'] for r in rows]):.1f} s",
    ]
    print("\n" + "\n".join(closing))
    if arguments.write:
        RESULTS.write_text(
            f"# The zoo\n\n`python bench/zoo.py --seed {arguments.seed}` ({datetime.date.today()}, torch {torch.__version__})\n\n"
            + "\n".join(lines)
            + "\n\n"
            + "\n".join(f"- {c}" for c in closing)
            + "\n"
        )


if __name__ == "__main__":
    main()
