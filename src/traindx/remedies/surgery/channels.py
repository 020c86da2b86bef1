"""Which widths of a model hang together: the layers that make, pass on and read each hidden axis.

Every tensor of a trace has at most one *channel axis*, whose size is an ``Extent``: a sum of hidden widths, each times how often it
occurs (H * W after a flatten, 2 for a bidirectional LSTM), and a constant. Widths that must be equal (the two sides of a residual
addition) are one ``Group``. What is not understood fixes the groups that flow into it, with the reason, rather than guessing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import batchnorm, instancenorm

from traindx.remedies.surgery.edit import is_reparametrized, tied_modules
from traindx.remedies.surgery.trace import Node, Ref, Trace

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
RESIZABLE = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED, *RECURRENT, nn.Embedding)
CHANNEL_NORMS = (batchnorm._NormBase, nn.GroupNorm, instancenorm._InstanceNorm)


@dataclass(eq=False)
class Group:
    """One hidden width. ``fixed`` says why it cannot change; None when it can."""

    width: int
    layers: list[str] = field(default_factory=list)
    fixed: str | None = None
    parent: Group | None = None

    def root(self) -> Group:
        """The group that this one was joined to."""
        return self if self.parent is None else self.parent.root()


@dataclass(frozen=True)
class Extent:
    """The size of one axis: ``constant + sum(count * width)``."""

    axis: int
    counts: tuple[tuple[Group, int], ...]
    constant: int = 0

    def terms(self) -> dict[Group, int]:
        """The counts by joined group."""
        terms: dict[Group, int] = {}
        for group, count in self.counts:
            terms[group.root()] = terms.get(group.root(), 0) + count
        return terms

    def size(self, widths: dict[Group, int]) -> int:
        """The size when the groups have these widths; those not named keep theirs."""
        return self.constant + sum(count * widths.get(group, group.width) for group, count in self.terms().items())

    def at(self, axis: int, times: int = 1) -> Extent:
        """The same width on another axis, each entry repeated."""
        return Extent(axis, tuple((g, c * times) for g, c in self.counts), self.constant * times)


class Channels:
    """The groups of one trace, and for each module the extents of what it reads and makes."""

    def __init__(self, model: nn.Module, seen: Trace) -> None:
        self.seen = seen
        self.extents: dict[int, Extent] = {}
        self.reads: dict[nn.Module, Extent | None] = {}
        self.makes: dict[nn.Module, Group] = {}
        self._names = {m: name for name, m in model.named_modules()}
        self._rigid = tied_modules(model) | {m for m in model.modules() if is_reparametrized(m)}
        for node in seen.nodes:
            self._visit(node)
        for value in seen.outputs:
            self._fix(self.extents.get(value), "it is part of the model's output")

    def groups(self) -> list[Group]:
        """The hidden widths, in execution order, joined ones once."""
        return list(dict.fromkeys(g.root() for g in self.makes.values()))

    def _visit(self, node: Node) -> None:
        module = node.module
        if module is None:
            self._function(node)
        elif isinstance(module, RESIZABLE):
            self._layer(node, module)
        elif isinstance(module, (*CHANNEL_NORMS, nn.LayerNorm, nn.RMSNorm, nn.PReLU)):
            self._norm(node, module)
        elif isinstance(module, nn.modules.conv._ConvNd) or node.weighted:
            self._block(node, f"it passes through {type(module).__name__}")
        elif isinstance(module, (nn.Flatten, nn.Unflatten)) and any(v in self.extents for v in node.inputs):
            self._reshape(node)
        else:
            self._same(node, type(module).__name__)

    # Layers

    def _layer(self, node: Node, module: nn.Module) -> None:
        name = self._names.get(module, "")
        source = next(iter(node.inputs), None)
        read = self.extents.get(source) if source is not None else None
        group = self.makes.get(module)
        if group is None:
            group = self.makes[module] = Group(_out(module), [name])
            self.reads[module] = None
        elif self.reads[module] != read:
            read = self._agree(self.reads[module], read, "it enters a shared layer that other widths enter too")
        if type(module) not in RESIZABLE or module in self._rigid:
            foreign = f"{type(module).__name__} is not a layer of torch"
            why = "its weights are shared or computed from others" if module in self._rigid else foreign
            self._fix(read, why)
            group.root().fixed = group.root().fixed or why
        if read is not None and (not isinstance(module, nn.Embedding)):
            axis = len(self.seen.shape(node.inputs[0])) - 1 - _trailing(module)
            if read.axis != axis or read.size({}) != _in(module):
                self._fix(read, f"{name} mixes another axis")
                read = None
        self.reads[module] = read
        groups = getattr(module, "groups", 1)
        if groups > 1:
            self._depthwise(module, read, group, groups)
        if isinstance(module, RECURRENT):
            self._recurrent(node, module, group)
        else:
            self._set(node.outputs[0], len(self.seen.shape(node.outputs[0])) - 1 - _trailing(module), group)

    def _depthwise(self, module: nn.Module, read: Extent | None, group: Group, groups: int) -> None:
        why = "it passes through a grouped convolution"
        terms = {} if read is None or read.constant else read.terms()
        if groups == _in(module) == _out(module) and list(terms.values()) == [1]:
            self._join(group, next(iter(terms)))
        else:
            self._fix(read, why)
            group.root().fixed = group.root().fixed or why

    def _recurrent(self, node: Node, module: nn.RNNBase, group: Group) -> None:
        if module.proj_size or len(self.seen.live(node)) > 1 or len(node.inputs) > 1:
            group.root().fixed = group.root().fixed or "the recurrent layer has projections or is given its state"
            return
        sequence, *states = node.outputs
        self._set(sequence, len(self.seen.shape(sequence)) - 1, group, 2 if module.bidirectional else 1)
        for state in states:
            if len(self.seen.shape(state)) >= 2:
                self._set(state, len(self.seen.shape(state)) - 1, group)

    def _norm(self, node: Node, module: nn.Module) -> None:
        value = node.inputs[0]
        extent = self.extents.get(value)
        shape = self.seen.shape(value)
        first = len(shape) - len(module.normalized_shape) if isinstance(module, (nn.LayerNorm, nn.RMSNorm)) else 1
        if extent is not None and ((isinstance(module, (nn.LayerNorm, nn.RMSNorm)) and extent.axis >= first) or extent.axis == first):
            known = self.reads.get(module, extent)
            if type(module).__module__.startswith("torch.nn.") and module not in self._rigid and known is not None:
                self.reads[module] = self._agree(known, extent, "it enters a shared norm that other widths enter too")
            else:
                self._fix(extent, f"it passes through {type(module).__name__}")
        elif module in self.reads:
            self._fix(self.reads[module], "it enters a shared norm that other widths enter too")
        self._same(node, type(module).__name__)

    # Functions

    def _function(self, node: Node) -> None:
        live = [v for v in node.inputs if v in self.extents]
        if not live:
            return
        handler = {
            "cat": self._cat,
            "getitem": self._getitem,
            "transpose": self._permute,
            "swapaxes": self._permute,
            "permute": self._permute,
            "T": self._permute,
            "mT": self._permute,
            "t": self._permute,
            "chunk": self._pieces,
            "split": self._pieces,
            "unbind": self._unbind,
            "unsqueeze": self._unsqueeze,
            "squeeze": self._reshape,
            "flatten": self._reshape,
            "view": self._reshape,
            "reshape": self._reshape,
            "unflatten": self._reshape,
        }.get(node.label)
        if node.weighted or node.label in _MIXING:
            self._block(node, f"it passes through {node.label}")
        elif handler is not None:
            handler(node)
        elif node.label in _REDUCTIONS:
            self._reduce(node)
        else:
            self._same(node, node.label)

    def _same(self, node: Node, label: str) -> None:
        """Elementwise functions of one or more tensors, pooling, dropout: the channel axis of the inputs is that of the output."""
        known = [v for v in node.inputs if v in self.extents]
        if not known or not node.outputs:
            return
        shape = self.seen.shape(node.outputs[0])
        extent = self.extents[known[0]]
        offset = extent.axis - len(self.seen.shape(known[0]))
        for value in node.inputs:
            other, size = self.extents.get(value), self.seen.shape(value)
            if other is not None and other.axis - len(size) == offset:
                agreed = self._agree(extent, other.at(extent.axis), f"it meets another width in {label}")
                extent = agreed if agreed is not None else extent
            elif other is not None or (len(size) >= -offset and size[offset] != 1):
                self._block(node, f"it meets a fixed width in {label}")
                return
        axis = len(shape) + offset
        if axis < 0 or any(self.seen.shape(v) != shape for v in node.outputs) or shape[axis] != extent.size({}):
            self._block(node, f"it passes through {label}")
            return
        for value in node.outputs:
            self.extents[value] = extent.at(axis)

    def _cat(self, node: Node) -> None:
        values = _refs(node.args[0] if node.args else node.kwargs.get("tensors", ()))
        dim = _option(node, 1, "dim", 0)
        rank = len(self.seen.shape(node.outputs[0]))
        axes = {self.extents[v].axis for v in values if v in self.extents}
        if not isinstance(dim, int) or len(axes) != 1 or any(len(self.seen.shape(v)) != rank for v in values):
            self._block(node, "it passes through cat")
        elif (axis := axes.pop()) != dim % rank:
            self._same(node, "cat") if all(v in self.extents for v in values) else self._block(node, "it meets a fixed width in cat")
        else:
            counts = tuple(c for v in values if v in self.extents for c in self.extents[v].counts)
            constant = sum(self.extents[v].constant if v in self.extents else self.seen.shape(v)[axis] for v in values)
            self.extents[node.outputs[0]] = Extent(axis, counts, constant)

    def _getitem(self, node: Node) -> None:
        extent, shape = self._source(node)
        index = node.args[1] if len(node.args) > 1 else None
        items = list(index) if isinstance(index, tuple) else [index]
        if any(not (item is None or item is Ellipsis or isinstance(item, (int, slice))) for item in items):
            self._block(node, "it is indexed by a tensor")
            return
        used = sum(item is not None and item is not Ellipsis for item in items)
        if Ellipsis not in items:
            items.append(Ellipsis)
        axis = place = 0
        for item in items:
            if item is None:
                place += 1
                continue
            span = len(shape) - used if item is Ellipsis else 1
            if axis <= extent.axis < axis + span:
                whole = item is Ellipsis or item == slice(None)
                if whole:
                    self.extents[node.outputs[0]] = extent.at(place + extent.axis - axis)
                else:
                    self._block(node, "it is indexed")
                return
            axis += span
            place += 0 if isinstance(item, int) else span

    def _permute(self, node: Node) -> None:
        extent, shape = self._source(node)
        order = list(range(len(shape)))
        arguments: Any = node.args[1:] or tuple(node.kwargs.values())
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            arguments = arguments[0]
        if node.label == "permute":
            order = [a % len(shape) for a in arguments]
        else:
            pair = {"T": (0, -1), "t": (0, -1), "mT": (-2, -1)}.get(node.label, arguments)
            if (node.label == "T" and len(shape) != 2) or len(pair) != 2:
                order.reverse()
            else:
                a, b = (p % len(shape) for p in pair)
                order[a], order[b] = order[b], order[a]
        self.extents[node.outputs[0]] = extent.at(order.index(extent.axis))

    def _pieces(self, node: Node) -> None:
        extent, shape = self._source(node)
        dim = _option(node, 2, "dim", 0)
        if not isinstance(dim, int) or dim % len(shape) == extent.axis:
            self._block(node, f"it is cut by {node.label}")
        else:
            self.extents.update({v: extent for v in node.outputs})

    def _unbind(self, node: Node) -> None:
        extent, shape = self._source(node)
        dim = _option(node, 1, "dim", 0)
        if not isinstance(dim, int) or dim % len(shape) == extent.axis:
            self._block(node, "it is cut by unbind")
        else:
            self.extents.update({v: extent.at(extent.axis - (dim % len(shape) < extent.axis)) for v in node.outputs})

    def _unsqueeze(self, node: Node) -> None:
        extent, shape = self._source(node)
        dim = _option(node, 1, "dim", 0)
        self.extents[node.outputs[0]] = extent.at(extent.axis + (dim % (len(shape) + 1) <= extent.axis))

    def _reshape(self, node: Node) -> None:
        """Cut both shapes into the shortest runs of equal product; a run that merges axes around the channels repeats them."""
        extent, shape = self._source(node)
        if len(node.outputs) != 1:
            self._block(node, f"it passes through {node.label}")
            return
        for before, after in _runs(shape, self.seen.shape(node.outputs[0])):
            if extent.axis in before:
                wide = [a for a in after if self.seen.shape(node.outputs[0])[a] != 1]
                if len(wide) == 1:
                    times = math.prod(shape[a] for a in before) // shape[extent.axis]
                    self.extents[node.outputs[0]] = extent.at(wide[0], times)
                    return
        self._block(node, f"it is taken apart by {node.label}")

    def _reduce(self, node: Node) -> None:
        extent, shape = self._source(node)
        dim = _option(node, 1, "dim", node.kwargs.get("axis"))
        dims = {d % len(shape) for d in ((dim,) if isinstance(dim, int) else dim or ()) if isinstance(d, int)}
        keep = len(self.seen.shape(node.outputs[0])) == len(shape)
        if not dims or extent.axis in dims:
            return  # summed up: the width is gone
        for value in node.outputs:
            self.extents[value] = extent.at(extent.axis - (0 if keep else sum(d < extent.axis for d in dims)))

    # Groups

    def _source(self, node: Node) -> tuple[Extent, tuple[int, ...]]:
        value = next(v for v in node.inputs if v in self.extents)
        return self.extents[value], self.seen.shape(value)

    def _set(self, value: int, axis: int, group: Group, times: int = 1) -> None:
        self.extents[value] = Extent(axis, ((group, times),))

    def _block(self, node: Node, why: str) -> None:
        for value in node.inputs:
            self._fix(self.extents.get(value), why)

    def _fix(self, extent: Extent | None, why: str) -> None:
        for group in extent.terms() if extent is not None else ():
            group.fixed = group.fixed or why

    def _agree(self, a: Extent | None, b: Extent | None, why: str) -> Extent | None:
        """One extent for two that must be equal: their groups are joined or, where that is not enough, fixed."""
        if a is not None and b is not None:
            left, right = a.terms(), b.terms()
            if left == right and a.constant == b.constant:
                return a
            if len(left) == len(right) == 1 and list(left.values()) == list(right.values()) and a.constant == b.constant:
                self._join(*left, *right)
                return a
        self._fix(a, why)
        self._fix(b, why)
        return None

    def _join(self, one: Group, other: Group) -> None:
        a, b = one.root(), other.root()
        if a is not b:
            b.parent = a
            a.layers += b.layers
            a.fixed = a.fixed or b.fixed


_MIXING = frozenset(
    [
        "matmul",
        "mm",
        "bmm",
        "einsum",
        "baddbmm",
        "scaled_dot_product_attention",
        "outer",
        "tensordot",
        "linear",
        "kron",
        "gather",
        "scatter",
        "index_select",
    ]
)
_REDUCTIONS = frozenset(
    ["mean", "sum", "amax", "amin", "max", "min", "std", "var", "norm", "logsumexp", "prod", "median", "all", "any", "argmax", "argmin"]
)


def _option(node: Node, position: int, name: str, default: Any) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _refs(tree: Any) -> list[int]:
    return [item.value for item in tree if isinstance(item, Ref)] if isinstance(tree, tuple) else []


def _runs(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of equal size, in corresponding runs."""
    runs: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        before, after = [i], [j]
        left, right = old[i], new[j]
        i, j = i + 1, j + 1
        while left != right and (i < len(old) or j < len(new)):
            if left < right and i < len(old):
                left, i = left * old[i], i + 1
                before.append(i - 1)
            elif j < len(new):
                right, j = right * new[j], j + 1
                after.append(j - 1)
            else:
                break
        while i < len(old) and old[i] == 1 and (j >= len(new) or new[j] != 1):
            before.append(i)
            i += 1
        runs.append((before, after))
    return runs


def _trailing(module: nn.Module) -> int:
    return len(module.kernel_size) if isinstance(module, nn.modules.conv._ConvNd) else 0


def _in(module: nn.Module) -> int:
    if isinstance(module, nn.modules.conv._ConvNd):
        return module.in_channels
    if isinstance(module, nn.RNNBase):
        return module.input_size
    return module.in_features if isinstance(module, nn.Linear) else 0


def _out(module: nn.Module) -> int:
    if isinstance(module, nn.modules.conv._ConvNd):
        return module.out_channels
    if isinstance(module, nn.RNNBase):
        return module.hidden_size
    if isinstance(module, nn.Embedding):
        return module.embedding_dim
    return module.out_features if isinstance(module, nn.Linear) else 0


def parameters_after(channels: Channels, widths: dict[Group, int]) -> int:
    """About how many weights the resized layers will have together."""
    total = 0
    for module, group in channels.makes.items():
        read = channels.reads[module]
        inputs = read.size(widths) if read is not None else _in(module)
        outputs = widths.get(group.root(), _out(module))
        if isinstance(module, nn.modules.conv._ConvNd):
            total += inputs * outputs * math.prod(module.kernel_size) // module.groups
        elif isinstance(module, nn.RNNBase):
            total += 4 * outputs * (inputs + outputs) * module.num_layers
        else:
            total += (inputs or 1) * outputs
    return total


def resize(channels: Channels, widths: dict[Group, int]) -> None:
    """Give the groups these widths: fresh weights by torch's default rule for every layer that changes, in place; nothing else changes."""
    for module in dict.fromkeys([*channels.makes, *channels.reads]):
        read = channels.reads.get(module)
        size = read.size(widths) if read is not None else None
        if module in channels.makes:
            outputs = widths.get(channels.makes[module].root(), _out(module))
            inputs = size if size is not None else _in(module)
            if (inputs, outputs) != (_in(module), _out(module)):
                _resize_layer(module, inputs, outputs)
        elif read is not None and size is not None and size != read.size({}):
            _resize_norm(module, read, size)


def _resize_layer(module: nn.Module, inputs: int, outputs: int) -> None:
    if isinstance(module, nn.Linear):
        module.in_features, module.out_features = inputs, outputs
        _fresh(module, weight=(outputs, inputs), bias=(outputs,))
    elif isinstance(module, nn.modules.conv._ConvNd):
        if module.groups > 1:
            module.groups = outputs
        module.in_channels, module.out_channels = inputs, outputs
        first, second = (inputs, outputs) if module.transposed else (outputs, inputs)
        _fresh(module, weight=(first, second // module.groups, *module.kernel_size), bias=(outputs,))
    elif isinstance(module, nn.Embedding):
        module.embedding_dim = outputs
        _fresh(module, weight=(module.num_embeddings, outputs))
    elif isinstance(module, nn.RNNBase):
        directions = 2 if module.bidirectional else 1
        old = module.hidden_size
        module.input_size, module.hidden_size = inputs, outputs
        sizes: dict[str, tuple[int, ...]] = {}
        for name, parameter in module.named_parameters():
            gates = parameter.shape[0] // old
            width = {"weight_hh": outputs}.get(name[:9], inputs if "_l0" in name else outputs * directions)
            sizes[name] = (gates * outputs,) if name.startswith("bias") else (gates * outputs, width)
        _fresh(module, **sizes)
        module.flatten_parameters()
    else:
        raise TypeError(type(module).__name__)


def _resize_norm(module: nn.Module, read: Extent, size: int) -> None:
    if isinstance(module, (batchnorm._NormBase, instancenorm._InstanceNorm)):
        module.num_features = size
        shape: tuple[int, ...] = (size,)
    elif isinstance(module, nn.GroupNorm):
        module.num_groups = math.gcd(module.num_groups, size)
        module.num_channels = size
        shape = (size,)
    elif isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
        shape = tuple(size if n == read.size({}) else n for n in module.normalized_shape)
        module.normalized_shape = shape
    elif isinstance(module, nn.PReLU):
        if module.num_parameters == 1:
            return
        module.num_parameters = size
        shape = (size,)
    else:
        raise TypeError(type(module).__name__)
    _fresh(module, weight=shape, bias=shape, running_mean=shape, running_var=shape)


def _fresh(module: nn.Module, **shapes: tuple[int, ...]) -> None:
    """New tensors of these shapes for those that the module has, then torch's own initialization."""
    for name, shape in shapes.items():
        old = getattr(module, name, None)
        if isinstance(old, nn.Parameter):
            setattr(module, name, nn.Parameter(torch.empty(shape, dtype=old.dtype, device=old.device), requires_grad=old.requires_grad))
        elif isinstance(old, Tensor):
            setattr(module, name, torch.empty(shape, dtype=old.dtype, device=old.device))
    reset = getattr(module, "reset_parameters", None)
    if reset is not None:
        reset()


def reasons(groups: Iterable[Group]) -> str:
    """Why these groups cannot change, in a few words."""
    return "; ".join(dict.fromkeys(f"{g.layers[0] or 'the model'}: {g.fixed}" for g in groups if g.fixed is not None))
