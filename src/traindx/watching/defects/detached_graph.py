"""The graph is cut between the parameters and the loss: what lies before the cut gets no gradient."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from traindx.tasks import preserved_rng, seed_everything
from traindx.watching import origin
from traindx.watching.defects.base import Detector
from traindx.watching.loop import Loop

# Parameters are looked at after this many updates, when lazy ones are there.
FIRST_UPDATE = 2
# So much of their own spread is added to weights to see whether the loss depends on them.
MOVED = 0.5


class DetachedGraph(Detector):
    """Seen in a loss that has no graph, or in parameters that the loss depends on and that receive no gradient.

    Whether it depends on them is tried on a copy of the model: they are moved, and the outputs that the loss was computed from are computed
    again. A layer that none of them depends on is merely unused (a pooler beside the head): that is no cut. Where the model's own forward
    pass is not what the loop calls, a cut is seen where the layers that compute first receive no gradient and later ones do.
    """

    cause = "detached-graph"
    needed = 4
    of_the_loop = False
    settles = "take detach(), .data, .item(), numpy() or no_grad() out of the way from the parameters to the loss"

    def __init__(self) -> None:
        super().__init__()
        self._never: frozenset[str] | None = None
        """Parameters that have received no gradient whenever it was looked."""
        self._unused: frozenset[str] = frozenset()
        """Those of them that no output depends on."""
        self._looked = False
        self._order: list[str] = []
        self._listening = False

    def reported(self, loop: Loop) -> None:
        """A loss that no parameter can be reached from; or parameters that it should be reached from."""
        loss = loop.loss
        if loop.updates_since_report and not loop.was_reached and isinstance(loss, Tensor) and not loop.leads_to_parameters(loss):
            said = "the loss has no graph" if loss.grad_fn is None else "the graph of the loss leads to no parameter"
            self.saw(loop, f"{said}: it was detached from the parameters before backward()", place=loop.place)
        elif self._looked and self.held is None:
            self._look_for_cut(loop)
        self._looked, self._order = False, []

    def updated(self, loop: Loop) -> None:
        """Which gradients are there? Some loops clear them right after the update."""
        if not loop.looking or loop.updates < FIRST_UPDATE or self.held is not None or loop.compiled:
            return
        held = {id(p) for p in loop.optimized}
        without = frozenset(n for n, p in loop.parameters if p.requires_grad and p.grad is None and id(p) in held)
        self._never = without if self._never is None else self._never & without
        self._looked = len(self._never) < len(loop.names)

    def _look_for_cut(self, loop: Loop) -> None:
        names = [name for name, _ in loop.parameters if self._never and name in self._never - self._unused]
        if not names:
            self.saw_nothing()
        elif (used := _used_outputs(loop)) is None:
            self._look_at_order(loop, names)
        elif used and _depend(loop, used, names):
            said = f"the loss depends on {_listed(names)}, and no gradient arrives there: the graph is cut on the way"
            self.saw(loop, said, names[-1], len(names), loop.place)
        else:
            self._unused |= frozenset(names)
            self.saw_nothing()

    def _look_at_order(self, loop: Loop, without: list[str]) -> None:
        if not self._listening:
            self._listening = True
            self._listen(loop, {n.rpartition(".")[0] for n, p in loop.parameters if p.requires_grad})
        elif self._order:
            cut = {name.rpartition(".")[0] for name in without}
            reached = next((name for name in self._order if name not in cut), None)
            before = self._order[: self._order.index(reached)] if reached else []
            if before:
                said = f"{_listed(before)} computed first and received no gradient, while {reached} did: the graph is cut between them"
                self.saw(loop, said, before[-1], len(before), loop.place)
            else:
                self.saw_nothing()

    def _listen(self, loop: Loop, owners: set[str]) -> None:
        """Note in which order the layers compute."""

        def note(name: str) -> Any:
            def hook(module: nn.Module, *_: Any) -> None:
                if loop.looking and module.training and self.held is None and name not in self._order:
                    self._order.append(name)

            return hook

        loop.handles += [loop.module.get_submodule(name).register_forward_hook(loop.guard(note(name))) for name in owners]


def _used_outputs(loop: Loop) -> list[int] | None:
    """Which tensors among the outputs of the model the loss was computed from; None where it cannot be known."""
    loss, forward = loop.loss, loop.forward
    if not isinstance(loss, Tensor) or loss.grad_fn is None or forward is None:
        return None
    nodes = origin.graph(loss)
    return [i for i, t in enumerate(tree_leaves(forward.outputs)) if isinstance(t, Tensor) and t.grad_fn in nodes]


def _depend(loop: Loop, used: list[int], names: list[str]) -> bool:
    """Whether these outputs are others when these parameters are moved. Cost: a copy of the model, and two forward passes.

    A model that cannot be copied, as one that holds tensors with a graph, gives no answer.
    """
    assert loop.forward is not None, "used outputs come from a forward pass"
    args, kwargs = loop.forward.args, loop.forward.kwargs
    loop.paused = True
    try:
        with preserved_rng(), torch.no_grad():
            model = copy.deepcopy(loop.module)
            before = _outputs(model, args, kwargs, used)
            parameters = dict(model.named_parameters())
            for name in names:
                spread = parameters[name].std(correction=0)
                parameters[name].add_(MOVED * torch.where(spread > 0, spread, 1.0) * torch.randn_like(parameters[name]))
            after = _outputs(model, args, kwargs, used)
    except (RuntimeError, TypeError):
        return False
    finally:
        loop.paused = False
    return any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def _outputs(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], used: list[int]) -> list[Tensor]:
    """Computed with the same random numbers each time."""
    with preserved_rng():
        seed_everything(0)
        leaves = tree_leaves(model(*args, **kwargs))
    return [leaves[i] for i in used]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
