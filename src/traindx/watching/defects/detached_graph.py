"""The graph is cut between the parameters and the loss: what lies before the cut gets no gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop

# Parameters are looked at after this many updates, when lazy ones are there.
FIRST_UPDATE = 2


class DetachedGraph(Detector):
    """Seen in a loss that has no graph, or where the layers that compute first receive no gradient and later ones do.

    A layer that computes later and receives none is merely unused by the loss (a pooler beside the head): that is no cut.
    """

    cause = "detached-graph"
    settles = "take detach(), .data, .item(), numpy() or no_grad() out of the way from the parameters to the loss"

    def __init__(self) -> None:
        super().__init__()
        self._order: list[str] = []
        self._listening = False

    def reported(self, loop: Loop) -> None:
        """A loss that no parameter can be reached from."""
        loss = loop.loss
        if loop.updates_since_report and not loop.was_reached and isinstance(loss, Tensor) and loss.grad_fn is None:
            self.saw(loop, "the loss has no graph: it was detached from the parameters before backward()", place=loop.place)

    def updated(self, loop: Loop) -> None:
        """The way of the gradients, while they are there: some loops clear them right after the update."""
        if loop.looking and loop.updates >= FIRST_UPDATE and self.held is None:
            self._look_for_cut(loop)

    def _look_for_cut(self, loop: Loop) -> None:
        without = [n for n, p in loop.parameters if p.requires_grad and p.grad is None]
        if not without or len(without) == len(loop.names) or loop.compiled:
            self.saw_nothing()
        elif not self._listening:
            self._listening = True
            self._listen(loop, {n.rpartition(".")[0] for n, p in loop.parameters if p.requires_grad})
        elif self._order:
            reached = [name for name in self._order if any(p.grad is not None for p in owner(loop, name).parameters(recurse=False))]
            before = self._order[: self._order.index(reached[0])] if reached else []
            self._order = []
            if before:
                said = f"{_listed(before)} computed first and received no gradient, while {reached[0]} did: the graph is cut between them"
                self.saw(loop, said, before[-1], len(before), loop.place)
            else:
                self.saw_nothing()

    def _listen(self, loop: Loop, owners: set[str]) -> None:
        """Note in which order the layers compute."""

        def note(name: str) -> Any:
            def hook(module: nn.Module, *_: Any) -> None:
                if module.training and self.held is None and name not in self._order:
                    self._order.append(name)

            return hook

        loop.handles += [owner(loop, name).register_forward_hook(loop.guard(note(name))) for name in owners]


def owner(loop: Loop, name: str) -> nn.Module:
    """The module of this name."""
    return loop.module.get_submodule(name)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
