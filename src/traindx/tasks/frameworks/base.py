"""The loss of a framework's model, as the function of outputs and targets that a task needs.

Frameworks hide the loss inside the model's own step. Where one of torch's losses gives the same numbers, that one is the task's: then
reference models, metrics and all signs are at hand. Else the model's own number is trained and judged as it is.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from traindx.records import InputError
from traindx.tasks.kinds import Loss
from traindx.tasks.random_states import preserved_rng, seed_everything
from traindx.tasks.rows import Batch, as_rows

# torch's losses without settings that are common enough to be tried. Huber's are not: for small errors they are half a mean square.
COMMON: tuple[Loss, ...] = (nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss(), nn.BCELoss(), nn.NLLLoss(), nn.L1Loss())
# Two losses are one if they agree to this share, over so many batches of so many rows and with weights moved at random by so much: a fresh
# network may give the same output for every row, where many losses agree.
TOLERANCE, BATCHES, ROWS, MOVED = 1e-4, 3, 8, 0.2
# What a forward pass or a loss raises when it was not made for these outputs and targets.
_REFUSALS = (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError, KeyError, AttributeError)


class OwnLoss(NamedTuple):
    """The loss that a model computed itself, in the place of outputs."""

    loss: Tensor


def own_loss(outputs: OwnLoss, targets: Any) -> Tensor:
    """The loss of a task whose model computes it."""
    return outputs.loss


def recognised(
    model: nn.Module,
    batches: Sequence[Batch],
    own: Callable[[nn.Module, Batch], Tensor],
    forward: Callable[[nn.Module, Batch], tuple[Any, Any]],
    candidates: Iterable[Loss],
) -> Loss | None:
    """The first candidate that gives, of what ``forward`` returns, the number which the model's own step computes; None where there is none.

    The model is copied. Cost: a few forward passes of a few rows.
    """
    with preserved_rng(), torch.no_grad():
        seed_everything(0)
        moved = copy.deepcopy(model).eval()
        for parameter in moved.parameters():
            parameter.add_(MOVED * torch.randn_like(parameter))
        wanted = [float(own(moved, batch)) for batch in batches]
        for loss in candidates:
            if all(_agrees(loss, moved, batch, forward, value) for batch, value in zip(batches, wanted, strict=True)):
                return loss
    return None


def _agrees(loss: Loss, model: nn.Module, batch: Batch, forward: Callable[[nn.Module, Batch], tuple[Any, Any]], wanted: float) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of shapes that are broadcast: that is the user's loss, or it is none of them
            value = float(loss(*forward(model, batch)))
    except _REFUSALS:
        return False
    return abs(value - wanted) <= TOLERANCE * max(abs(wanted), 1e-3)


def losses_of(model: nn.Module) -> Iterator[Loss]:
    """The losses that a model holds as attributes: its criterion, mostly."""
    for value in [*vars(model).values(), *model.children()]:
        if isinstance(value, nn.modules.loss._Loss) or getattr(value, "__module__", "") == "torch.nn.functional":
            yield value


def first_batches(train: Any) -> list[Batch]:
    """The first rows of training data, as a few small batches on the CPU."""
    rows = as_rows(train, "train")
    index = list(torch.arange(min(len(rows), BATCHES * ROWS)).split(ROWS))
    return list(rows.batches(index, torch.device("cpu")))


def takes_arguments(function: Callable[..., Any]) -> bool:
    """Whether it has a positional argument without a default."""
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in required)


@contextmanager
def blaming(argument: str, what: str, remedy: str) -> Iterator[None]:
    """Turns what the user's own code raises while it is tried into an error that names the argument.

    Raises:
        InputError: with the error inside as its cause.

    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(argument, f"{what} raised {type(error).__name__}: {error}", remedy) from error
