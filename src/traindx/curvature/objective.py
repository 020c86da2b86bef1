"""The loss of a model over a data set as a function of its parameters: value, gradient, Hessian- and Gauss-Newton-vector products."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._utils import _unflatten_dense_tensors
from torch.utils._pytree import tree_map

from traindx.curvature.ggn import GaussNewtonGraph
from traindx.curvature.graph import saved_bytes
from traindx.curvature.hvp import HessianGraph
from traindx.curvature.lending import Copies, lent
from traindx.curvature.weighting import Loss, is_summed, rows_of, weight_of

Forward = Callable[[nn.Module, Any], tuple[Any, Any]]
Graph = HessianGraph | GaussNewtonGraph

# What kept graphs may hold by default. On a CUDA device: half of what is free there when the first graph is made.
KEPT_BYTES = 2**30


def pair_forward(model: nn.Module, batch: Any) -> tuple[Any, Any]:
    """The default ``forward``: a batch is (input, targets)."""
    return model(batch[0]), batch[1]


@dataclass(frozen=True)
class Evaluated:
    """One batch, passed through the model."""

    loss: Tensor
    outputs: Any
    loss_of: Callable[[Any], Tensor]
    weight: float
    rows: int


@dataclass
class _Kept:
    """The graphs that are kept: those of the first batches, as many as the memory bound allows."""

    kind: type[Graph]
    copies: Copies
    graphs: list[Graph]
    bytes: int = 0
    full: bool = False


class Objective:
    """The loss of a model over a data set, as a function of its (chosen) parameters.

    Args:
        model: any module that autograd can differentiate twice.
        loss: (outputs, targets) -> scalar tensor, a mean or a sum over the rows.
        batches: batches of (input, target), or of any structure with ``forward``. What is no sequence (a DataLoader) is read once and held.
        parameters: names of parameters or of modules, or parameters themselves. Default: those that require gradients. A shared one counts
            once.
        forward: (model, batch) -> (outputs, targets).
        training: training mode instead of evaluation mode.
        memory_bytes: what kept graphs may hold; 0 keeps none. Default: KEPT_BYTES, or half of what is free on a CUDA device.
        seed: of the masks of dropout, and of whatever else is drawn in a pass.

    The model is lent for each pass and left bit-equal: weights, buffers, mode, gradients, hooks and random states, also after an error.
    In ``training`` mode batch normalization uses the statistics of each batch and leaves the running ones untouched, and dropout has one
    mask for each batch, drawn once from ``seed``: all products are of one fixed function. `mode` says which.

    Graphs are kept between products while the parameters and buffers stay the same (their values are compared each time), for as many
    batches as fit into ``memory_bytes``; the rest is made anew for each product, which costs half as much again.

    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batches: Iterable[Any],
        *,
        parameters: Iterable[str | nn.Parameter] | None = None,
        forward: Forward | None = None,
        training: bool = False,
        memory_bytes: int | None = None,
        seed: int = 0,
    ) -> None:
        self.model, self.training, self.seed = model, training, seed
        self.parameters = _chosen(model, parameters)
        self.names = _names(model, self.parameters)
        self.size = sum(p.numel() for p in self.parameters)
        self.products = 0
        self.dtype, self.device = _common_dtype(self.parameters), self.parameters[0].device
        self._uniform = all((p.dtype, p.device) == (self.dtype, self.device) for p in self.parameters)
        self._loss, self._forward = loss, forward or pair_forward
        self._batches = _as_batches(batches)
        self._memory_bytes = memory_bytes
        self._summed: bool | None = None
        self._kept: _Kept | None = None

    # What it says about itself.

    @property
    def mode(self) -> str:
        """Which function this is: of the model in evaluation or in training mode."""
        return "training, running statistics untouched, one frozen dropout mask" if self.training else "evaluation"

    @property
    def memory_bytes(self) -> int:
        """What kept graphs may hold."""
        if self._memory_bytes is None:
            on_cuda = self.device.type == "cuda"
            self._memory_bytes = torch.cuda.mem_get_info(self.device)[0] // 2 if on_cuda else KEPT_BYTES
        return self._memory_bytes

    @property
    def kept_bytes(self) -> int:
        """What kept graphs hold at present."""
        return self._kept.bytes if self._kept else 0

    # The function and its derivatives.

    def loss(self) -> float:
        """The loss at the present parameters. Cost: a forward pass, nothing if a graph of all batches is kept."""
        graphs = self._all_kept()
        if graphs is not None:
            return float(self._combined((graph.loss.double(), graph.weight) for graph in graphs))
        with torch.inference_mode(False), torch.no_grad():
            copies = Copies(self.model, [])
            evaluated = (self._evaluate(index, copies) for index in range(len(self._batches)))
            return float(self._combined((each.loss.double(), each.weight) for each in evaluated))

    def gradient(self) -> Tensor:
        """(P,): the gradient at the present parameters. Cost: one gradient, nothing if a graph of all batches is kept."""
        graphs = self._all_kept()
        if graphs is not None and all(graph.gradient is not None for graph in graphs):
            return self._combined((self._flatten(graph.gradient or []), graph.weight) for graph in graphs)
        return self._combined((gradient, weight) for _, weight, gradient in self._each_gradient())

    def batch_gradients(self) -> Iterator[tuple[int, Tensor]]:
        """(rows, (P,) gradient of their mean loss) of each batch: what the noise of the gradient is measured on. Cost: one gradient."""
        for rows, _, gradient in self._each_gradient():
            yield rows, gradient / rows if self._summed else gradient

    @torch.inference_mode(False)
    def hvp(self, v: Tensor) -> Tensor:
        """(P,) -> (P,): the product with the Hessian. Cost: about two gradients in deep networks once the graph is kept."""
        return self._product(HessianGraph, v)

    @torch.inference_mode(False)
    def ggn(self, v: Tensor) -> Tensor:
        """(P,) -> (P,): the product with the Gauss-Newton matrix. Cost: about 1.3 gradients once the graph is kept."""
        return self._product(GaussNewtonGraph, v)

    # The parameters as one vector.

    def flat(self) -> Tensor:
        """(P,): a copy of the present parameters."""
        return self._flatten([p.detach() for p in self.parameters])

    @contextmanager
    def at(self, flat: Tensor) -> Iterator[None]:
        """The parameters at ``flat`` (P,) for a while; then back, bit-equal. Graphs kept from elsewhere are not used meanwhile."""
        before = [p.detach().clone() for p in self.parameters]
        try:
            self._move(self._parts(flat))
            yield
        finally:
            self._move(before)

    def _move(self, values: list[Tensor]) -> None:
        # By .data, so that graphs which others made before stay valid: the values come back.
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.data.copy_(value)

    def _flatten(self, parts: Sequence[Tensor]) -> Tensor:
        if self._uniform:
            return torch.cat([part.reshape(-1) for part in parts])
        return torch.cat([part.reshape(-1).to(self.device, self.dtype) for part in parts])

    def _parts(self, v: Tensor) -> list[Tensor]:
        if v.shape != (self.size,):
            raise ValueError(
                f"v has shape {tuple(v.shape)}, and the objective has {self.size} parameters: give a tensor of shape ({self.size},)"
            )
        # In one call, since in small networks every view made from Python shows in the time of a product.
        shaped = list(_unflatten_dense_tensors(v.detach().to(self.device, self.dtype), self.parameters))
        return shaped if self._uniform else [piece.to(p.device, p.dtype) for piece, p in zip(shaped, self.parameters, strict=True)]

    # Passes through the model.

    def _evaluate(self, index: int, copies: Copies) -> Evaluated:
        """One batch through the model on copies of its tensors."""
        batch = tree_map(self._on_device, self._batches[index])
        with lent(self.model, copies, self.training, self.seed + index):
            outputs, targets = self._forward(self.model, batch)
            loss = self._loss(outputs, targets)
        if loss.numel() != 1:
            raise ValueError(f"loss gave a tensor of shape {tuple(loss.shape)} where one number is needed: reduce it to its mean")
        if self._summed is None:
            self._summed = is_summed(self._loss, outputs, targets)
        weight = 1.0 if self._summed else weight_of(self._loss, outputs, targets)
        return Evaluated(loss.reshape(()), outputs, lambda cut: self._loss(cut, targets), weight, rows_of(outputs, targets))

    def _on_device(self, item: Any) -> Any:
        return item.to(self.device) if isinstance(item, Tensor) else item

    def _combined(self, weighted: Iterable[tuple[Tensor, float]]) -> Tensor:
        """The mean over batches of (value, weight), or the sum for a summed loss. A batch without weight may hold anything."""
        if len(self._batches) == 1:
            return next(iter(weighted))[0]
        total = torch.zeros((), dtype=torch.float64)
        weights: list[float] = []
        for value, weight in weighted:
            if weight:
                total = total.add_(value, alpha=weight) if weights else value * weight
                weights.append(weight)
        return total / self._divisor(weights)

    def _divisor(self, weights: list[float]) -> float:
        """What a weighted sum over batches is divided by."""
        return 1.0 if self._summed else sum(weights)

    def _each_gradient(self) -> Iterator[tuple[int, float, Tensor]]:
        with torch.inference_mode(False):
            copies = Copies(self.model, self.parameters)
        for index in range(len(self._batches)):
            with torch.inference_mode(False), torch.enable_grad():
                evaluated = self._differentiable(index, copies)
                gradient = torch.autograd.grad(evaluated.loss, copies.leaves, allow_unused=True, materialize_grads=True)
            yield evaluated.rows, evaluated.weight, self._flatten(gradient)

    def _differentiable(self, index: int, copies: Copies) -> Evaluated:
        evaluated = self._evaluate(index, copies)
        if not evaluated.loss.requires_grad:
            raise ValueError(f"the loss of batch {index} does not depend on the chosen parameters: {', '.join(self.names[:3])} ...")
        return evaluated

    # Products, with kept graphs.

    def _product(self, kind: type[Graph], v: Tensor) -> Tensor:
        """The weighted sum over batches of a product, from kept graphs where there are some."""
        parts, kept = self._parts(v), self._current(kind)
        found = self._combined(self._each_product(kept, parts))
        self.products += 1
        return found

    def _each_product(self, kept: _Kept, parts: list[Tensor]) -> Iterator[tuple[Tensor, float]]:
        for index in range(len(self._batches)):
            graph = kept.graphs[index] if index < len(kept.graphs) else self._graph(kept, index)
            yield self._flatten(graph.product(parts, keep=index < len(kept.graphs))), graph.weight

    def _graph(self, kept: _Kept, index: int) -> Graph:
        """The graph of a batch, kept if there is room for it."""
        with torch.enable_grad():
            graph = kept.kind(self._differentiable(index, kept.copies), kept.copies.leaves)
        if not kept.full:
            size = saved_bytes(graph.roots, kept.copies.leaves)
            kept.full = kept.bytes + size > self.memory_bytes
            if not kept.full:
                kept.graphs.append(graph)
                kept.bytes += size
        return graph

    def _current(self, kind: type[Graph]) -> _Kept:
        """What is kept, if it is of this kind and the model has not changed since; else a new beginning."""
        if self._kept is None or self._kept.kind is not kind or not self._kept.copies.are_current():
            self._kept = None  # first, so that two sets of graphs never stand side by side
            self._kept = _Kept(kind, Copies(self.model, self.parameters), [])
        return self._kept

    def _all_kept(self) -> list[Graph] | None:
        """The graphs of all batches, if they are kept and the model has not changed since."""
        kept = self._kept
        return kept.graphs if kept and len(kept.graphs) == len(self._batches) and kept.copies.are_current() else None


def _chosen(model: nn.Module, wanted: Iterable[str | nn.Parameter] | None) -> list[nn.Parameter]:
    """The parameters meant by ``wanted``, in the model's order, each once."""
    named = dict(model.named_parameters(remove_duplicate=False))
    if wanted is None:
        found = [p for p in model.parameters() if p.requires_grad]
        if not found:
            raise ValueError("parameters: none of the model's requires gradients; name those to differentiate by")
    else:
        ids = {i for item in wanted for i in _ids(item, named)}
        found = [p for p in model.parameters() if id(p) in ids]
        if not found:
            raise ValueError("parameters is empty: leave it out, or name at least one")
    for parameter in found:
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError("model has parameters without a shape (lazy modules): pass one batch through it first")
        if not parameter.is_floating_point():
            raise ValueError(f"parameters: {_names(model, [parameter])[0]} is of {parameter.dtype}; choose real floating-point ones")
    return found


def _ids(item: str | nn.Parameter, named: dict[str, nn.Parameter]) -> set[int]:
    if isinstance(item, str):
        ids = {id(p) for name, p in named.items() if name == item or name.startswith(f"{item}.")}
    else:
        ids = {id(item)} & {id(p) for p in named.values()}
    if not ids:
        what = repr(item) if isinstance(item, str) else f"a tensor of shape {tuple(item.shape)}"
        raise ValueError(f"parameters: {what} is none of the model's parameters or modules; there are {', '.join(named)}")
    return ids


def _names(model: nn.Module, parameters: list[nn.Parameter]) -> list[str]:
    names = {id(p): name for name, p in model.named_parameters()}
    return [names[id(p)] for p in parameters]


def _common_dtype(parameters: list[nn.Parameter]) -> torch.dtype:
    dtype = parameters[0].dtype
    for parameter in parameters[1:]:
        dtype = torch.promote_types(dtype, parameter.dtype)
    return dtype


def _as_batches(batches: Iterable[Any]) -> Sequence[Any]:
    if isinstance(batches, Tensor) or (isinstance(batches, tuple) and any(isinstance(item, Tensor) for item in batches)):
        raise ValueError("batches is one batch: give a list of batches, as in [(input, targets)]")
    found = batches if isinstance(batches, Sequence) else list(batches)
    if not len(found):
        raise ValueError("batches is empty: give at least one batch")
    return found
