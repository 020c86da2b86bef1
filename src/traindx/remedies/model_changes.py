"""Remedies that operate on the model: one for each operation of `surgery`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated, refuse_pretrained
from traindx.tasks import Task

# Layers are not widened beyond this: it is enough for what a table or a small image holds, and more would take longer than it tells.
WIDEST = 1024


@dataclass(frozen=True)
class SwapActivations(Remedy):
    """Hidden activations of the kind ``to``, with the initialization that goes with it (He et al. 2015 for rectifiers)."""

    id: ClassVar[str] = "swap-activations"
    size: ClassVar[float] = 2.0
    to: str = "relu"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "new activations")
        return operated(task, self, surgery.swap_activations, to=self.to, reinitialize=True), recipe


@dataclass(frozen=True)
class InsertNormalization(Remedy):
    """A normalization layer after every hidden layer (Ioffe and Szegedy 2015, Ba et al. 2016)."""

    id: ClassVar[str] = "insert-normalization"
    size: ClassVar[float] = 2.5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        return operated(task, self, surgery.insert_normalization, kind="auto"), recipe


@dataclass(frozen=True)
class AddSkips(Remedy):
    """Identity shortcuts around blocks of equal width (He et al. 2016)."""

    id: ClassVar[str] = "add-skips"
    size: ClassVar[float] = 2.4

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "new shortcuts")
        return operated(task, self, surgery.add_skips), recipe


@dataclass(frozen=True)
class Widen(Remedy):
    """``factor`` times as many units in every hidden layer, or in one."""

    id: ClassVar[str] = "widen"
    size: ClassVar[float] = 3.0
    factor: int = 4
    layer: str = ""

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "other widths")
        return operated(task, self, surgery.widen, factor=self.factor, layer=self.layer or None, cap=WIDEST), recipe

    def stronger(self) -> Widen | None:
        """Up to 16 times."""
        return Widen(self.factor * 4, self.layer) if self.factor < 16 else None


@dataclass(frozen=True)
class Deepen(Remedy):
    """Another hidden layer of ``width`` rectified units before the last layer."""

    id: ClassVar[str] = "deepen"
    size: ClassVar[float] = 3.2
    width: int = 64

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        return operated(task, self, surgery.deepen, width=self.width, layers=1), recipe


@dataclass(frozen=True)
class Narrow(Remedy):
    """One unit of every ``factor`` in the hidden layers."""

    id: ClassVar[str] = "narrow"
    size: ClassVar[float] = 2.2
    factor: int = 8

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "other widths")
        return operated(task, self, surgery.narrow, factor=self.factor), recipe


@dataclass(frozen=True)
class AddDropout(Remedy):
    """Dropout of ``p`` after hidden activations (Srivastava et al. 2014)."""

    id: ClassVar[str] = "dropout"
    size: ClassVar[float] = 2.1
    p: float = 0.5

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        return operated(task, self, surgery.add_dropout, p=self.p), recipe
