"""A remedy is a change of the task or the recipe: the intervention of an experiment, the cure of a treatment.

Remedies are small frozen values. Records name them by id and parameters (`RemedyRef`); `make_remedy` builds them again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from traindx.records import NotApplicable, Recipe, RemedyRef
from traindx.tasks import Task, preserved_rng

Surgery = Callable[[nn.Module, Callable[[nn.Module], Any]], nn.Module]

# Rows of the batch that shows surgery the shapes inside a model.
PROBE_ROWS = 4


class Remedy:
    """Base of all remedies: frozen dataclasses with an ``id`` and a ``size``.

    ``size`` orders changes from small to large: of remedies that work alike, the smallest is named first. Around 1 is a number of the
    recipe, 2 a change of the data's scale or rows, 3 a change of the model. What ``repairs`` makes an evaluation honest: its figures may
    well be worse afterwards, so it is verified by looking for the cause again.
    """

    id: ClassVar[str]
    size: ClassVar[float]
    repairs: ClassVar[bool] = False

    @property
    def ref(self) -> RemedyRef:
        """The remedy by id and parameters."""
        return RemedyRef(id=self.id, params=asdict(self))  # type: ignore[call-overload]

    @property
    def networks(self) -> int:
        """How many networks are trained in place of one: every update costs as many times as much."""
        return 1

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """The changed task and recipe; what was given stays as it was.

        Raises:
            NotApplicable: naming the missing precondition.

        """
        raise NotImplementedError(self.id)

    def stronger(self) -> Remedy | None:
        """The same change, more of it: what a race tries next when this one helps."""
        return None


class AFewRows:
    """What a model says of a few training rows of the task: the pass that shows surgery the shapes inside a model; picklable."""

    def __init__(self, task: Task) -> None:
        self._task = task
        index = torch.arange(min(PROBE_ROWS, len(task.train)))
        with preserved_rng():  # a data set may augment at random
            self._batch = next(iter(task.train.batches([index], torch.device("cpu"))))

    def __call__(self, model: nn.Module) -> Any:
        """The outputs."""
        return self._task.forward(model, self._batch)[0]


class _Operated:
    """A model factory that builds a model of the task and operates on it."""

    def __init__(self, task: Task, surgery: Surgery) -> None:
        self._task, self._surgery, self._probe = task, surgery, AFewRows(task)

    def __call__(self) -> nn.Module:
        return self._surgery(self._task.fresh_model(), self._probe)


def operated(task: Task, remedy: Remedy, surgery: Callable[..., nn.Module], **options: Any) -> Task:
    """The task with ``surgery(model, probe, **options)`` applied to every model it builds.

    Raises:
        NotApplicable: when the surgery cannot be done on this model; found out at once, on one model.

    """
    factory = _Operated(task, partial(surgery, **options))
    changed = task.changed(remedy.ref, model=factory)
    changed.build(0)
    return changed


class InTraining(nn.Module):
    """A model whose inputs ``change`` while it trains; evaluation sees them as they are.

    What is drawn comes from the training's own random state, as dropout's masks do, so a seed gives the same training again.
    """

    def __init__(self, model: nn.Module, change: nn.Module) -> None:
        super().__init__()
        self.model, self.change = model, change

    def forward(self, inputs: Tensor, *rest: Any, **named: Any) -> Any:
        """The model's outputs."""
        return self.model(self.change(inputs) if self.training else inputs, *rest, **named)


class _Changing:
    """A model factory that builds a model of the task behind a change of its inputs."""

    def __init__(self, task: Task, change: Callable[[], nn.Module]) -> None:
        self._task, self._change = task, change

    def __call__(self) -> nn.Module:
        return InTraining(self._task.fresh_model(), self._change())


def changed_in_training(task: Task, remedy: Remedy, change: Callable[[], nn.Module]) -> Task:
    """The task whose models are given ``change()(inputs)`` while they train."""
    return task.changed(remedy.ref, model=_Changing(task, change))


def outputs_of_a_few(task: Task) -> Any:
    """What a fresh model of the task says of a few training rows, in evaluation mode."""
    with torch.no_grad(), preserved_rng():
        return AFewRows(task)(task.build(0).eval())


def refuse_pretrained(task: Task, what: str) -> None:
    """Nothing, unless the factory returns pretrained weights, which the change would throw away.

    Raises:
        NotApplicable: then.

    """
    if task.pretrained:
        raise NotApplicable(f"the factory returns pretrained weights, which {what} would throw away")
