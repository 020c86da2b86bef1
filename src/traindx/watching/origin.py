"""The operation in which the first number that is not finite arose, and the layer around it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from traindx.tasks import preserved_rng
from traindx.watching.places import Place, users_line

# Operations of a graph that may make a number that is not finite out of finite ones, and those whose slope may be infinite.
_RISKY = {"Log", "Log2", "Log10", "Log1P", "Div", "Pow", "Exp", "Reciprocal", "Acos", "Asin", "Atan2", "Rsqrt", "Sqrt"}
_STEEP = {"Sqrt", "Rsqrt", "Pow", "Norm", "LinalgVectorNorm", "Std", "Var", "Acos", "Asin", "Log", "Div", "Reciprocal"}
# Operations that hand out memory without writing to it: what stands there is no result.
_UNWRITTEN = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "resize"}
THE_LOSS = "the loss"
"""Where the loss function computes, in place of the name of a layer."""
_NODE = re.compile(r"(\w+?)Backward\d*")


@dataclass(frozen=True)
class Origin:
    """An operation, the layer in which it computed (empty for the model itself), and the line that called it."""

    operation: str
    layer: str
    place: Place | None

    def __str__(self) -> str:
        if not self.layer:
            return self.operation
        return f"{self.operation} in {self.layer if self.layer == THE_LOSS else f'layer {self.layer}'}"


def is_finite(value: Any) -> bool:
    """Whether every real number in a nest of tensors is finite. Waits for the device."""
    return all(bool(t.isfinite().all()) for t in tree_leaves(value) if isinstance(t, Tensor) and t.is_floating_point())


class _FirstNonFinite(TorchDispatchMode):
    """Notes the first operation that makes a non-finite number out of finite ones."""

    def __init__(self, layers: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._layers, self.found = layers, None

    found: Origin | None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(func.overloadpacket).rpartition(".")[2].strip("_")
        if self.found is None and name not in _UNWRITTEN and not is_finite(result) and is_finite((args, kwargs)):
            self.found = Origin(name, self._layers[-1] if self._layers else "", users_line())
        return result


def in_model(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Origin | None:
    """Compute the forward pass once more, without gradients, and watch every operation; None where all stays finite.

    Buffers and random states are put back. Cost: some ten forward passes.
    """
    layers: list[str] = []
    with preserved_rng(), _restored_buffers(model), _named_layers(model, layers), torch.no_grad(), _FirstNonFinite(layers) as mode:
        model(*args, **kwargs)
    found: Origin | None = mode.found
    return found


def in_loss(loss_fn: Callable[[Any, Any], Any], outputs: Any, targets: Any) -> Origin | None:
    """The same for a loss function."""
    with preserved_rng(), torch.no_grad(), _FirstNonFinite([THE_LOSS]) as mode:
        loss_fn(outputs, targets)
    found: Origin | None = mode.found
    return found


def on_the_way_back(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Origin | None:
    """The operation of the model whose backward pass makes NaN, found with autograd's own anomaly detection; None where there is none.

    Cost: a few forward and backward passes; no gradient of the model is touched.
    """
    with preserved_rng(), _restored_buffers(model), torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it is slow, and of the forward call that we are to name
        try:
            with torch.autograd.detect_anomaly():
                outputs = [t for t in tree_leaves(model(*args, **kwargs)) if isinstance(t, Tensor) and t.requires_grad]
                learnable = [p for p in model.parameters() if p.requires_grad]
                torch.autograd.grad([t.sum() for t in outputs], learnable, allow_unused=True)
        except RuntimeError as error:
            named = _NODE.search(str(error))
            return Origin(named[1], "", None) if named and "returned nan" in str(error) else None
    return None


def graph(loss: Tensor) -> list[Any]:
    """The nodes of a loss's graph, those next to the loss first."""
    nodes: dict[Any, None] = {loss.grad_fn: None}
    reached = list(nodes)
    for node in reached:
        fresh = [following for following, _ in node.next_functions if following is not None and following not in nodes]
        nodes.update(dict.fromkeys(fresh))
        reached += dict.fromkeys(fresh)
    return reached


def on_the_way(loss: Tensor, steep: bool) -> list[str]:
    """Names of the operations in a loss's graph that may give, or whose slope may be, what is not finite; those next to the loss first."""
    names = [named[1] for node in graph(loss) if (named := _NODE.match(node.name()))]
    return [name for name in dict.fromkeys(names) if name in (_STEEP if steep else _RISKY)]


@contextmanager
def _restored_buffers(model: nn.Module) -> Iterator[None]:
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, was in kept:
                buffer.copy_(was)


@contextmanager
def _named_layers(model: nn.Module, layers: list[str]) -> Iterator[None]:
    """Keep the names of the layers that are computing, the innermost last."""
    handles = []
    for name, module in model.named_modules():
        if name:
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: layers.append(name)))
            handles.append(module.register_forward_hook(lambda *_: layers.pop() and None, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
