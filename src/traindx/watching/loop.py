"""What has happened so far in the loop that is watched: live objects and counts, shared by everything that looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from traindx.training import TrainingState
from traindx.watching.origin import graph
from traindx.watching.places import Place

# Gradients are followed on one parameter of at most so many entries, where there is one: it is read before every update.
SMALL = 4096

_BATCH_NORMS = (nn.modules.batchnorm._NormBase,)
# Functions that a forward pass calls in training alone, beside those that drop something.
_RANDOM = {"batch_norm", "rand", "rand_like", "randn", "randn_like", "bernoulli", "bernoulli_", "normal_"}
_DROPOUTS = (nn.modules.dropout._DropoutNd, nn.RNNBase, nn.MultiheadAttention)


@dataclass(slots=True)
class Forward:
    """One forward pass of the watched model."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any


class Hook:
    """What is attached to the user's modules; it returns None. A copy of a module, and one that was saved as a whole, gets an idle one: it is
    not the one that is watched, and what was saved loads without traindx.
    """

    def __init__(self, act: Callable[..., Any]) -> None:
        self._act = act

    def __call__(self, *args: Any) -> None:
        """The moment has come."""
        self._act(*args)

    def __deepcopy__(self, memo: Any) -> Hook:
        return Hook(_idle)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (_idle.__self__, _idle.__name__)


# Takes whatever it is given, and does nothing: the only such function that Python brings along.
_idle: Any = nullcontext().__exit__


@dataclass(slots=True)
class Loop:
    """The watched objects, and what the loop has done with them."""

    model: nn.Module
    optimizers: tuple[Optimizer, ...]
    loss_fn: Any
    scheduler: Any
    guard: Callable[[Callable[..., Any]], Hook]
    """Wraps whatever is attached to the user's objects, so that its errors are those of the watch."""
    affords_more: Callable[[], bool]
    """Whether the budget allows a small look at this batch."""
    step: int = 0
    """Reports by the user: calls of ``Watch.step``."""
    updates: int = 0
    """Steps of an optimizer, also one that is about to be made."""
    reports_since_update: int = 0
    updates_since_report: int = 0
    rate: float = 0.0
    """Of the first group of the first optimizer, at the last update or the one that is about to be made."""
    backwards: int = 0
    """Arrivals of gradients at the witness since the last update."""
    looking: bool = False
    """Whether this update is looked at in full."""
    forward: Forward | None = None
    evaluations: list[bool] = field(default_factory=list)
    """Forward passes since the last update: was the model in training mode?"""
    module: nn.Module = field(init=False)
    """The user's module inside the model."""
    news: bool = False
    """Whether a suspicion holds that has not been told."""
    compiled: bool = False
    paused: bool = False
    """The model is being looked at, not used: hooks do nothing."""
    was_reached: bool = False
    """Whether a gradient has arrived since the report before, or was there for an update: some are set by hand."""
    broken_loss: bool = False
    """Whether a loss that is not finite was reported."""
    broken_gradient: bool = False
    """Whether a gradient that is not finite was seen, and no scaler skips the update for it."""
    broken_inputs: bool = False
    """Whether the batch behind it held numbers that are not finite."""
    loss: Tensor | float | None = None
    outputs: Any = None
    targets: Any = None
    witness: nn.Parameter | None = None
    """The parameter whose gradients are followed."""
    stepped_witness: bool = False
    """Whether the optimizer that has stepped, or is about to, holds the witness."""
    names: dict[int, str] = field(default_factory=dict)
    place: Place | None = None
    handles: list[RemovableHandle] = field(default_factory=list)
    """Hooks to be removed at the end."""

    def __post_init__(self) -> None:
        self.module = plain(self.model)
        self.names = {id(parameter): name for name, parameter in self.module.named_parameters()}
        self.compiled = is_compiled(self.model)

    @property
    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The model's parameters by name, shared ones once."""
        return self.module.named_parameters()

    @property
    def optimized(self) -> list[nn.Parameter]:
        """Every parameter that an optimizer holds."""
        return [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]

    @property
    def has_gradients(self) -> bool:
        """Whether any parameter, of the model or of an optimizer, has a gradient other than zero."""
        strangers = (p for p in self.optimized if id(p) not in self.names)
        return any(p.grad is not None and not is_zero(p.grad) for p in (*self.module.parameters(), *strangers))

    def leads_to_parameters(self, loss: Tensor) -> bool:
        """Whether gradients of this loss come to a parameter of the model or of an optimizer. Cost: a walk through its graph.

        What a function of the user's own, or a checkpoint, leads to cannot be seen from outside, and counts as such.
        """
        if loss.grad_fn is None:
            return False
        wanted = {*self.names, *map(id, self.optimized)}
        return any(isinstance(node, BackwardCFunction) or id(getattr(node, "variable", None)) in wanted for node in graph(loss))

    @property
    def is_left_to_a_scaler(self) -> bool:
        """Whether a gradient scaler has an optimizer skip an update whose gradients overflow, as it does inside fused ones."""
        return any(getattr(optimizer, "found_inf", None) is not None for optimizer in self.optimizers)

    @property
    def witness_name(self) -> str:
        """The name of the witness."""
        return self.names.get(id(self.witness), "")

    def state(self) -> TrainingState:
        """The same for a probe."""
        return TrainingState(None, self.model, self.optimizers[0], 0, self.step, self.rate)  # type: ignore[arg-type]  # no probe asks


def plain(model: nn.Module) -> nn.Module:
    """The user's module inside what `torch.compile` and data-parallel training wrap around it."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def is_compiled(model: nn.Module) -> bool:
    """Whether a part of the model is compiled: a hook inside it would have it compiled again."""
    return any(hasattr(module, "_orig_mod") or module._compiled_call_impl is not None for module in model.modules())


def mode_dependent(model: nn.Module) -> list[nn.Module]:
    """The modules that compute something else in evaluation mode."""
    return [module for module in model.modules() if _depends_on_mode(module)]


def _depends_on_mode(module: nn.Module) -> bool:
    if isinstance(module, _BATCH_NORMS):
        return bool(module.track_running_stats)
    if isinstance(module, _DROPOUTS):
        rate = getattr(module, "p", getattr(module, "dropout", 0.0))
        return isinstance(rate, float) and rate > 0
    return not type(module).__module__.startswith("torch.") and _asks_for_mode(module)


def _asks_for_mode(module: nn.Module) -> bool:
    """Whether a forward pass of the user's own calls `dropout` or the like as a function, asks for the mode, and has no rate of zero for it."""
    called = set(getattr(getattr(type(module).forward, "__code__", None), "co_names", ())) - set(module._modules)
    random = any(name in _RANDOM or "drop" in name.lower() for name in called)
    rates = [v for k, v in vars(module).items() if isinstance(v, float) and (k == "p" or "drop" in k.lower())]
    return "training" in called and random and (not rates or max(rates) > 0)


def choose_witness(loop: Loop, optimizers: Sequence[Optimizer]) -> nn.Parameter | None:
    """The first small parameter that one of the optimizers holds, of those that received a gradient where any did; where they hold none of
    the model's, one that they do not hold.

    The first, as what goes wrong on the way back from the loss reaches the layers before it and not those behind.
    """
    held = {id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    dense = [p for _, p in loop.parameters if p.requires_grad and not (p.grad is not None and p.grad.is_sparse)]
    dense = [p for p in dense if id(p) in held] or dense
    candidates = [p for p in dense if p.grad is not None] or dense
    return next((p for p in candidates if p.numel() <= SMALL), min(candidates, key=torch.Tensor.numel, default=None))


def is_zero(gradient: Tensor) -> bool:
    """Whether every entry is zero; also of a sparse one, as embeddings have. Waits for the device."""
    values = gradient._values() if gradient.is_sparse else gradient
    return not bool((values != 0).any())


def is_transformed() -> bool:
    """Whether this is called inside a transformation of `torch.func`, such as `vmap` or `grad`."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def number(value: Tensor | float) -> float:
    """The value on the host. Waits for the device."""
    return float(value.item() if isinstance(value, Tensor) else value)
