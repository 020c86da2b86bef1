"""What a model does in one forward pass: its layers and functions in execution order, and which tensor flows where.

The pass is watched with temporary forward hooks and a ``TorchFunctionMode``, so functions called inside a hand-written ``forward``
(``F.relu``, ``x + y``, ``x.flatten(1)``) are seen as well as modules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from traindx.records import NotApplicable

Probe = Callable[[nn.Module], Any]
"""Runs one forward pass of the model on a small real batch and returns its outputs, in any structure of tensors."""

WEIGHTED = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)
"""Layers whose weights mix their inputs."""

WEIGHT_FUNCTIONS = frozenset(
    [
        "linear",
        "bilinear",
        "matmul",
        "mm",
        "bmm",
        "addmm",
        "baddbmm",
        "einsum",
        "embedding",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "tensordot",
        "mv",
    ]
)
"""The same as functions, when one of their arguments is made of parameters."""


class Snapshot:
    """All that a forward pass can change in a model, with ``weights`` also all that an operation can, the random state included."""

    def __init__(self, model: nn.Module, *, weights: bool = False) -> None:
        self._state = [(m, {k: (v, _shallow(v)) for k, v in vars(m).items()}, type(m)) for m in model.modules()]
        tensors = [*model.buffers(), *(model.parameters() if weights else ())]
        self._random = [(d, _random_state(d)) for d in (None, *cuda_devices(model))] if weights else []
        self._tensors = [(t, t.detach().clone(), t.requires_grad) for t in tensors]

    def restore(self) -> None:
        """Modules, attributes, hooks, modes and tensors are the same objects with the same contents as before."""
        for module, state, kind in self._state:
            module.__class__ = kind
            attributes = vars(module)
            for name in attributes.keys() - state.keys():
                del attributes[name]
            for name, (value, content) in state.items():
                attributes[name] = value
                _refill(value, content)
        for device, random in self._random:
            torch.set_rng_state(random) if device is None else torch.cuda.set_rng_state(random, device)
        with torch.no_grad():
            for tensor, content, requires_grad in self._tensors:
                if not torch.equal(tensor, content):
                    tensor.copy_(content)
                tensor.requires_grad_(requires_grad)


def _random_state(device: int | None) -> Tensor:
    return torch.get_rng_state() if device is None else torch.cuda.get_rng_state(device)


def _shallow(value: Any) -> Any:
    return value.copy() if isinstance(value, (dict, list, set)) else None


def _refill(value: Any, content: Any) -> None:
    if isinstance(value, list):
        value[:] = content
    elif isinstance(value, (dict, set)):
        value.clear()
        value.update(content)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; mode, buffers, attributes, hooks and random state are put back, also after an error."""
    snapshot = Snapshot(model)
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        with torch.random.fork_rng(devices=cuda_devices(model)), torch.no_grad():
            model.eval()
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        snapshot.restore()


def cuda_devices(model: nn.Module) -> list[int]:
    """The indices of the CUDA devices that hold some of the model."""
    tensors = [*model.parameters(), *model.buffers()]
    return sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})


def outputs_of(model: nn.Module, probe: Probe) -> Any:
    """The outputs of one harmless pass."""
    with untouched(model):
        return probe(model)


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists, mappings and dataclasses, in order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for item in tree.values():
            yield from tensors_in(item)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from tensors_in(item)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from tensors_in(getattr(tree, field.name))


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """One tensor at one time: an in-place function makes a new value of the same tensor.

    ``live`` values depend on the batch; ``parametric`` ones on parameters or buffers.
    """

    shape: tuple[int, ...]
    producer: int | None
    live: bool
    parametric: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """Stands for a tensor among the arguments of a node: the index of its value."""

    value: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One step of the pass: the call of an indivisible module, or of a function outside of those."""

    index: int
    label: str
    module: nn.Module | None
    function: Any
    scopes: tuple[int, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weighted: bool


@dataclasses.dataclass(slots=True, eq=False)
class Call:
    """One call of any module: the nodes ``start`` up to ``stop`` happened inside; ``parent`` is the index of the call around it, or -1."""

    name: str
    module: nn.Module
    inputs: tuple[int, ...]
    start: int
    parent: int
    outputs: tuple[int, ...] = ()
    stop: int = -1


class Trace:
    """The data-flow of one forward pass."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.nodes: list[Node] = []
        self.calls: list[Call] = []
        self.outputs: tuple[int, ...] = ()
        self.switches_gradients = False
        self._consumers: dict[int, list[Node]] | None = None

    def consumers(self, value: int) -> list[Node]:
        """The nodes that read this value."""
        if self._consumers is None:
            self._consumers = {}
            for node in self.nodes:
                for item in dict.fromkeys(node.inputs):
                    self._consumers.setdefault(item, []).append(node)
        return self._consumers.get(value, [])

    def producer(self, value: int) -> Node | None:
        """The node that made this value; None for inputs and parameters."""
        index = self.values[value].producer
        return None if index is None else self.nodes[index]

    def shape(self, value: int) -> tuple[int, ...]:
        """The shape of a value."""
        return self.values[value].shape

    def live(self, node: Node) -> tuple[int, ...]:
        """The inputs of the node that depend on the batch."""
        return tuple(v for v in node.inputs if self.values[v].live)

    def reaches_weights(self, value: int) -> bool:
        """A later layer with weights reads this value: it is hidden, not an output."""
        return any(n.weighted for n in self.downstream(value))

    def hidden(self, node: Node) -> bool:
        """A later layer with weights reads what this node makes."""
        return any(self.reaches_weights(v) for v in node.outputs)

    def output_layers(self) -> list[Node]:
        """The weighted nodes from which the outputs come without other weights behind, in execution order."""
        found = {n.index: n for v in self.outputs for n in self.upstream(v) if n.weighted and not self.hidden(n)}
        return [n for _, n in sorted(found.items())]

    def downstream(self, value: int) -> Iterator[Node]:
        """The nodes that depend on the value, nearest first; those behind a weighted node are left out."""
        return self._walk([value], lambda node: () if node.weighted else node.outputs, self.consumers)

    def upstream(self, value: int) -> Iterator[Node]:
        """The nodes that the value depends on, nearest first; those before a weighted node are left out."""

        def producers(item: int) -> list[Node]:
            node = self.producer(item)
            return [] if node is None else [node]

        return self._walk([value], lambda node: () if node.weighted else self.live(node), producers)

    def _walk(self, values: list[int], onward: Callable[[Node], tuple[int, ...]], nodes: Callable[[int], list[Node]]) -> Iterator[Node]:
        seen: set[int] = set()
        queue = values
        while queue:
            following: list[int] = []
            for value in queue:
                for node in nodes(value):
                    if node.index not in seen:
                        seen.add(node.index)
                        yield node
                        following += onward(node)
            queue = following

    def inside(self, call: Call) -> list[Node]:
        """The nodes within one call of a module."""
        return self.nodes[call.start : call.stop]

    def called(self, module: nn.Module) -> list[Call]:
        """Every call of this module."""
        return [c for c in self.calls if c.module is module]


def atomic(module: nn.Module) -> bool:
    """Torch's own layers are looked at from outside only."""
    if isinstance(module, WEIGHTED):
        return True
    return type(module).__module__.startswith("torch.nn.") and not module._modules and not isinstance(module, nn.Sequential)


def trace(model: nn.Module, probe: Probe) -> Trace:
    """Watch one forward pass. Costs a pass and the memory of its intermediate tensors; leaves the model as it was."""
    refuse_closed(model)
    recorder = _Recorder(model)
    with untouched(model):
        torch.backends.mha.set_fastpath_enabled(False)  # the fused encoder layer calls none of its submodules
        handles = recorder.attach(model)
        try:
            with recorder:
                result = probe(model)
        finally:
            for handle in handles:
                handle.remove()
    recorder.trace.outputs = tuple(v for t in tensors_in(result) if (v := recorder.known(t)) is not None)
    if not recorder.trace.outputs:
        raise NotApplicable("the outputs of the forward pass are not tensors made by the model")
    return recorder.trace


def refuse_closed(model: nn.Module) -> None:
    """Raise NotApplicable for compiled and scripted models, which cannot be watched or changed."""
    if any(type(m).__name__ == "OptimizedModule" or isinstance(m, torch.jit.ScriptModule) for m in model.modules()):
        raise NotApplicable("the model is compiled or scripted: give it without torch.compile or torch.jit")


class _Recorder(TorchFunctionMode):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.trace = Trace()
        self.model = model
        self.depth = 0  # of indivisible modules entered
        self.open: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = []
        self.index: dict[int, int] = {}
        self.alive: list[Tensor] = []  # keeps ids unique during the pass
        self.constants = {id(t) for t in [*model.parameters(), *model.buffers()]}

    def attach(self, model: nn.Module) -> list[Any]:
        handles: list[Any] = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(self._enter(name), with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave, with_kwargs=True))
        return handles

    def _enter(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not self.depth:
                inputs = tuple(self.value(t) for t in tensors_in((args, kwargs)))
                parent = self.open[-1][0] if self.open else -1
                self.trace.calls.append(Call(name, module, inputs, len(self.trace.nodes), parent))
                self.open.append((len(self.trace.calls) - 1, self._refs(args), self._refs(kwargs)))
            if atomic(module):
                self.depth += 1

        return hook

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        if atomic(module):
            self.depth -= 1
        if self.depth:
            return
        index, arguments, options = self.open.pop()
        call = self.trace.calls[index]
        if atomic(module):
            self._add(call.name, module, arguments, options, call.inputs, result)
        call.outputs = tuple(self.value(t) for t in tensors_in(result))
        call.stop = len(self.trace.nodes)

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        options = kwargs or {}
        if func is torch._C._set_grad_enabled and self.open:
            self.trace.switches_gradients = True
        if self.depth:
            return func(*args, **options)
        inputs = tuple(self.value(t) for t in tensors_in((args, options)))
        arguments, named = self._refs(args), self._refs(options)
        result = func(*args, **options)
        if next(tensors_in(result), None) is not None:
            self._add(func, None, arguments, named, inputs, result)
        return result

    def _add(
        self, what: Any, module: nn.Module | None, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[int, ...], result: Any
    ) -> None:
        label = what if module is not None else function_name(what)
        sources = [self.trace.values[v] for v in inputs]
        live = any(s.live for s in sources) or not (self.open or sources)  # made outside of all modules: part of the batch
        parametric = any(s.parametric and not s.live for s in sources)
        weighted = isinstance(module, WEIGHTED) or (module is None and live and parametric and label in WEIGHT_FUNCTIONS)
        position = len(self.trace.nodes)
        outputs: list[int] = []
        for tensor in tensors_in(result):
            self.trace.values.append(Value(tuple(tensor.shape), position, live, parametric))
            outputs.append(self._bind(tensor))
        scopes = tuple(index for index, _, _ in self.open)
        self.trace.nodes.append(Node(position, label, module, what, scopes, args, kwargs, inputs, tuple(outputs), weighted))

    def value(self, tensor: Tensor) -> int:
        found = self.index.get(id(tensor))
        if found is not None:
            return found
        constant = id(tensor) in self.constants or isinstance(tensor, nn.Parameter)
        self.trace.values.append(Value(tuple(tensor.shape), None, not constant, constant))
        return self._bind(tensor)

    def known(self, tensor: Tensor) -> int | None:
        return self.index.get(id(tensor))

    def _bind(self, tensor: Tensor) -> int:
        self.alive.append(tensor)
        self.index[id(tensor)] = len(self.trace.values) - 1
        return len(self.trace.values) - 1

    def _refs(self, tree: Any) -> Any:
        if isinstance(tree, Tensor):
            return Ref(self.value(tree))
        if isinstance(tree, (tuple, list)):
            return tuple(self._refs(item) for item in tree)
        if isinstance(tree, dict):
            return {key: self._refs(item) for key, item in tree.items()}
        return tree


_OPERATORS = {"radd": "add", "iadd": "add", "rmul": "mul", "imul": "mul", "rsub": "sub", "isub": "sub", "truediv": "div", "rtruediv": "div"}
_OPERATORS |= {"itruediv": "div", "rmatmul": "matmul", "imatmul": "matmul", "multiply": "mul", "subtract": "sub", "divide": "div"}
_OPERATORS |= {"log_sigmoid": "logsigmoid", "special_expit": "sigmoid", "expit": "sigmoid", "concat": "cat", "concatenate": "cat"}


def function_name(function: Any) -> str:
    """One name for a function, its method, its operator and its in-place form: ``relu`` for ``F.relu``, ``x.relu_``, ..."""
    name = str(getattr(function, "__name__", function))
    if name == "__get__":
        name = str(getattr(getattr(function, "__self__", None), "__name__", name))
    name = name.strip("_")
    return _OPERATORS.get(name, name)
