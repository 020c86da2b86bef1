"""Scripts: trainings as somebody wrote them, with options; a planted fault is the option that a mistake amounts to.

A script is a function of a `Draw` and keyword options that returns a `Training`; options it does not name go into its recipe. A mistake is
a set of options; what its healthy twin needs besides (`twin`) is given to both.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

import traindx as tdx

Pair = tuple[np.ndarray, np.ndarray]
Edit = Callable[["Training"], object]
# Rows kept aside for scoring alone.
CLEAN_ROWS = 1200


@dataclass
class Training:
    """What a script ends with: the parts of a task, and the rows on which it is judged (``clean`` by default; see `Draft.scored`).

    ``classes`` is 0 for numbers; with ``multilabel`` it is the number of labels a row may have.
    """

    model: Callable[[], nn.Module]
    loss: nn.Module
    train: Pair
    clean: Pair
    recipe: tdx.Recipe
    classes: int = 0
    multilabel: bool = False
    validation: Pair | None = None
    test: Pair | None = None
    scored: str = "clean"
    balanced: bool = False
    spare: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def regression(self) -> bool:
        """Whether numbers are predicted."""
        return self.classes == 0

    def set(self, **changes: Any) -> None:
        """Change the recipe."""
        self.recipe = self.recipe.replace(**changes)

    def task(self, scoring: bool = False) -> tdx.Task:
        """The task; with ``scoring`` the rows it is judged on are its test set."""
        test = self.clean if scoring and self.scored in ("clean", "optimism") else self.test
        return tdx.Task(self.model, self.loss, self.train, validation=self.validation, test=test, name=self.name)


class Draw:
    """The choices in which two variants of a script differ; variant 0 has every value as written."""

    def __init__(self, name: str, variant: int) -> None:
        self.rng = np.random.default_rng([zlib.crc32(name.encode()), variant])
        self.luck = np.random.default_rng([zlib.crc32(name.encode()), variant, 1])
        self.varied = variant > 0

    def near(self, value: float) -> float:
        """The value, a little more or less of it."""
        factor = float(np.exp(self.rng.uniform(np.log(0.8), np.log(1.25))))
        return float(f"{value * factor:.3g}") if self.varied else value

    def units(self, width: int) -> int:
        """The width, a little more or less of it, in fours."""
        factor = float(self.rng.uniform(0.85, 1.35))
        return max(4, 4 * round(width * factor / 4)) if self.varied else width

    def rows(self, x: np.ndarray, y: np.ndarray, count: int) -> tuple[Pair, Pair]:
        """So many rows to train on, and others that are kept aside."""
        order = self.rng.permutation(len(x))
        mine = order[: min(count, int(0.7 * len(x)))]
        aside = order[len(mine) :][:CLEAN_ROWS]
        return (x[mine], y[mine]), (x[aside], y[aside])


@dataclass(frozen=True)
class Mistake:
    """One way to spoil a script, of one severity. ``edit`` changes the training after the script has made it."""

    name: str
    cause: str
    severity: str
    twin: dict[str, Any]
    faulty: dict[str, Any]
    prepare: Edit | None
    edit: Edit | None


@dataclass(frozen=True)
class Script:
    """A training with options, and the mistakes that are made in it.

    ``held_out`` scripts judge: no rule was ever mended after a look at them.
    """

    name: str
    write: Callable[..., Training]
    held_out: bool = False
    mistakes: list[Mistake] = field(default_factory=list)

    def training(self, variant: int = 0, **options: Any) -> Training:
        """The training of this variant with these options."""
        made = self.write(Draw(self.name, variant), **options)
        made.name = self.name
        return made

    def fault(
        self,
        cause: str,
        name: str,
        severity: str,
        *,
        twin: dict[str, Any] | None = None,
        prepare: Edit | None = None,
        edit: Edit | None = None,
        **faulty: Any,
    ) -> None:
        """List a mistake: options (and an edit) for the faulty training; ``twin`` and ``prepare`` are for both."""
        self.mistakes.append(Mistake(f"{name}-{severity}", cause, severity, twin or {}, faulty, prepare, edit))

    def planted(self, mistake: Mistake, variant: int, faulty: bool) -> Training:
        """The training of this variant with the mistake, or its healthy twin."""
        made = self.training(variant, **{**mistake.twin, **(mistake.faulty if faulty else {})})
        for edit in (mistake.prepare, mistake.edit if faulty else None):
            if edit is not None:
                edit(made)
        return made


SCRIPTS: dict[str, Script] = {}


def script(name: str, held_out: bool = False) -> Callable[[Callable[..., Training]], Script]:
    """List a script."""

    def add(write: Callable[..., Training]) -> Script:
        SCRIPTS[name] = Script(name, write, held_out)
        return SCRIPTS[name]

    return add


def settings(mine: dict[str, Any], given: dict[str, Any]) -> tdx.Recipe:
    """A script's own recipe, with what was given instead."""
    return tdx.Recipe(**{**mine, **given})


def scaled(*arrays: np.ndarray) -> list[np.ndarray]:
    """Every array by the first one's mean and standard deviation."""
    mean, std = arrays[0].mean(0), arrays[0].std(0)
    return [((a - mean) / np.where(std > 0, std, 1)).astype(np.float32) for a in arrays]


def initialized(model: nn.Module, weight: Callable[[torch.Tensor], object], bias: float | None = None, last: bool = True) -> nn.Module:
    """The model with its weight matrices drawn anew, biases too where a value is given; ``last`` says whether the last layer's as well."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d))]
    with torch.no_grad():
        for layer in layers if last else layers[:-1]:
            weight(layer.weight)
            if bias is not None and layer.bias is not None:
                layer.bias.fill_(bias)
    return model


def redraw(model: nn.Module, std: float | None, gain: float, bias: float | None) -> None:
    """Draw all weights anew with this spread; or multiply those before the last layer. Biases are set too where a value is given."""
    if std is not None:
        initialized(model, lambda w: nn.init.normal_(w, 0, std), bias)
    elif gain != 1 or bias is not None:
        initialized(model, lambda w: w.mul_(gain), bias, last=False)


def freeze_below_out(model: nn.Module) -> None:
    """Only the layer that is called ``out`` learns."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("out"))


class Block(nn.Module):
    """A layer that keeps the shape, a norm if there is one and what follows, beside a shortcut where it has one."""

    def __init__(self, layer: nn.Module, act: type[nn.Module], norm: nn.Module | None, skip: bool) -> None:
        super().__init__()
        self.layer, self.act, self.skip = layer, act(), skip
        self.norm = norm or nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, ...) -> (N, ...)."""
        y = self.act(self.norm(self.layer(x)))
        return x + y if self.skip else y


# -- edits that several scripts share ----------------------------------------------------------------------------------------------------


def honest_test(t: Training) -> None:
    """A test set from the same distribution, on which the training is judged."""
    t.test, t.scored = t.test or t.clean, "test"


def test_inputs(change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    """Test inputs that went another way."""

    def edit(t: Training) -> None:
        t.test = (change(t.clean[0]).astype(np.float32), t.clean[1])

    return edit


def given_validation(t: Training) -> None:
    """A fifth of the rows is handed over as validation set."""
    (x, y), cut = t.train, int(0.8 * len(t.train[0]))
    t.train, t.validation = (x[:cut], y[:cut]), (x[cut:], y[cut:])


def judged_by_validation(t: Training) -> None:
    """A validation set is handed over, and the training is judged on it."""
    given_validation(t)
    t.scored = "validation"


def relabelled(change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    """Training labels that were transformed."""

    def edit(t: Training) -> None:
        t.train = (t.train[0], change(t.train[1]))

    return edit


def validation_relabelled(change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    """Validation labels that were transformed."""

    def edit(t: Training) -> None:
        assert t.validation is not None
        t.validation = (t.validation[0], change(t.validation[1]))

    return edit


def wrong_share(share: float, classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """A share of the labels is another class."""

    def change(y: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(len(y))
        hit = rng.random(y.shape) < share
        other = (y + rng.integers(1, classes, y.shape)) % classes
        return np.where(hit, other, y).astype(y.dtype)

    return change


def balanced(t: Training) -> None:
    """Judged by the recall of every class."""
    t.balanced = True


def kept(choose: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Edit:
    """Training rows that were chosen by inputs and labels."""

    def edit(t: Training) -> None:
        rows = choose(*t.train)
        t.train = (t.train[0][rows], t.train[1][rows])

    return edit


def first_of(count: int, *rare: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Of these classes the first so many rows, of others all."""

    def choose(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        rows = ~np.isin(y.reshape(-1), rare)
        for label in rare:
            rows[np.flatnonzero(y.reshape(-1) == label)[:count]] = True
        return rows

    return choose


def by_label(t: Training) -> None:
    """Rows sorted by label, as folders are read; harmless as long as batches are shuffled."""
    order = np.argsort(t.train[1].reshape(-1), kind="stable")
    t.train = (t.train[0][order], t.train[1][order])


def few(count: int) -> Edit:
    """The first so many rows, trained for as many updates."""

    def edit(t: Training) -> None:
        rows, size = int(0.8 * len(t.train[0])), t.recipe.batch_size
        updates = t.recipe.epochs * -(-rows // size)
        t.train = (t.train[0][:count], t.train[1][:count])
        size = min(size, max(8, count // 5))
        t.set(batch_size=size, epochs=max(1, round(updates / -(-int(0.8 * count) // size))))

    return edit


def copied(times: int, noise: float = 0.0) -> Edit:
    """The table is copied before it is split, and every copy trained on; with ``noise`` the copies are not exact."""

    def edit(t: Training) -> None:
        (x, y), rng = t.train, np.random.default_rng(times)
        x = np.concatenate([x] * times)
        x = x + noise * x.std(0) * rng.normal(0, 1, x.shape)
        t.train = (x.astype(np.float32), np.concatenate([y] * times))

    return edit


def validation_among_training(t: Training) -> None:
    """The validation rows were not taken out of the training rows."""
    assert t.validation is not None
    t.train = (np.concatenate([t.train[0], t.validation[0]]), np.concatenate([t.train[1], t.validation[1]]))
