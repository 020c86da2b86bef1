"""The treated network as code: the user's own, and what was changed in it; or the whole, where it is made of torch's layers alone."""

from __future__ import annotations

import copy
import inspect
import itertools
import keyword
import math
import re
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from traindx.handover.source import Source, called, enclosed, refuse
from traindx.remedies.ensemble import Averaged
from traindx.tasks import Task, preserved_rng, seed_everything

# Weights drawn at another scale than a layer's own: by this share of the standard deviation.
OTHER_SCALE = 0.1
# Fewer weights than this say nothing of the scale that they were drawn at.
FEWEST_WEIGHTS = 16
BUILDS = 3


def network_code(source: Source, original: Task, treated: Task) -> list[str]:
    """The statements of ``make_model``: the user's network, one for each change, and what is returned.

    Raises:
        InputError: when the network, or a change of it, cannot be written as code.

    """
    before, after = original.build(0), treated.build(0)
    if isinstance(after, Averaged):
        member = textwrap.indent("\n".join(_statements(source, original, before, after.members[0])), "    ")
        averaged = called(source.define(Averaged), [f"[member() for _ in range({len(after.members)})]", repr(after.factor)])
        return [f"def member() -> nn.Module:\n{member}", f"return {averaged}"]
    return _statements(source, original, before, after)


def _statements(source: Source, original: Task, before: nn.Module, after: nn.Module) -> list[str]:
    """Those that build one network."""
    if _is_plain(after):
        return [f"return {source.construct(after)}"]
    built = _factory(source, original, before)
    changed = [change.statement for change in Patch(source, before).changes(before, after)]
    return [f"model = {built}", *changed, "return model"] if changed else [f"return {built}"]


class Change(NamedTuple):
    """A place in ``model``, the code of what it becomes, and what it was in words; without a value, the place is a whole statement."""

    place: str
    value: str = ""
    before: str = ""

    @property
    def statement(self) -> str:
        """As code."""
        return f"{self.place} = {self.value}" if self.value else self.place


def network_changes(original: Task, treated: Task) -> list[Change]:
    """What turns ``model`` into the treated network.

    Raises:
        InputError: when a change cannot be written as code.

    """
    before, after = original.build(0), treated.build(0)
    if isinstance(after, Averaged):
        averaged = Change("model", f"the mean output of {len(after.members)} such networks", type(before).__name__)
        return [*Patch(Source(), before).changes(before, after.members[0]), averaged]
    return Patch(Source(), before).changes(before, after)


def same_start(make: Callable[[], nn.Module], treated: Task, seed: int) -> bool:
    """Whether the code draws the very weights that the treatment does."""
    with preserved_rng():
        seed_everything(seed)
        made = make().state_dict()
    return all(torch.equal(value, made[name]) for name, value in treated.build(seed).state_dict().items())


def initialization_code(make: Callable[[], nn.Module], treated: Task) -> list[str]:
    """Lines that draw weights as the treatment does, where layers by themselves would draw them otherwise; alike layers together."""
    made, wanted = ([dict(_built(build, seed).named_parameters()) for seed in range(BUILDS)] for build in (make, treated.fresh_model))
    if all(torch.equal(a[name], b[name]) for a, b in zip(made, wanted, strict=True) for name in a):
        return []
    drawn: dict[str, list[str]] = {}
    for name in made[0]:
        ours, theirs = (torch.stack([draw[name].detach().double() for draw in draws]) for draws in (made, wanted))
        layer, _, parameter = name.rpartition(".")
        if call := _draw(ours, theirs):
            drawn.setdefault(layer, []).append(call.format(_path("layer", parameter)))
    groups = itertools.groupby(drawn.items(), key=lambda item: item[1])
    return [line for calls, members in groups for line in _loop([_path("model", layer) for layer, _ in members], calls)]


def _loop(layers: list[str], calls: list[str]) -> list[str]:
    """The calls for each layer."""
    if len(layers) == 1:
        return [call.replace("layer", layers[0], 1) for call in calls]
    return [f"for layer in {enclosed('(', layers, ')')}:", *(f"    {call}" for call in calls)]


def _draw(ours: Tensor, theirs: Tensor) -> str:
    """A call of `nn.init` by which ``theirs`` (draws, ...) may be drawn; none where ``ours`` are drawn at that scale."""
    first = theirs.reshape(-1)[0]
    if bool((theirs == first).all()):
        known = {0.0: "nn.init.zeros_({})", 1.0: "nn.init.ones_({})"}
        return "" if torch.equal(ours, theirs) else known.get(float(first), f"nn.init.constant_({{}}, {float(first):g})")
    scale = float(theirs.std())
    if theirs[0].numel() < FEWEST_WEIGHTS or abs(float(ours.std()) / scale - 1) <= OTHER_SCALE:
        return ""
    if theirs[0].ndim >= 2:
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(theirs[0])
        chance, bound = 4 / math.sqrt(2 * theirs.numel()), math.sqrt(6 / (fan_in + fan_out))
        if 0.9 * bound < float(theirs.abs().max()) <= bound * (1 + 1e-6):
            return "nn.init.xavier_uniform_({})"
        for gain, name in ((2, "relu"), (1, "linear")):
            if abs(scale / math.sqrt(gain / fan_in) - 1) < chance:
                return f'nn.init.kaiming_normal_({{}}, nonlinearity="{name}")'
    return f"nn.init.normal_({{}}, std={scale:.3g})"


def _built(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build()


def _is_plain(module: nn.Module) -> bool:
    """Whether the whole tree is made of torch's layers, in sequence, each with its own weights, learned or not as they are by themselves."""
    parts = list(module.modules())
    torchs = all(type(m).__module__.startswith("torch.nn.modules") for m in parts) and not isinstance(
        module, nn.modules.lazy.LazyModuleMixin
    )
    chained = all(isinstance(m, nn.Sequential) or not list(m.children()) for m in parts)
    return torchs and chained and all(p.requires_grad for p in module.parameters()) and len(parts) == sum(1 for _ in _walk(module))


def _walk(module: nn.Module) -> Any:
    yield module
    for child in module.children():
        yield from _walk(child)


def _factory(source: Source, task: Task, built: nn.Module) -> str:
    """An expression that builds the network as the user does."""
    factory = task._factory
    if getattr(factory, "__name__", "") == "<lambda>":
        return source.body_of_lambda(factory)
    if isinstance(factory, type) or inspect.isfunction(factory):
        return f"{source.define(factory)}()"
    if _is_plain(built):
        return source.construct(built)
    return f"{source.value(factory)}()"


class Patch:
    """Assignments that turn the user's network into the treated one, module by module from the outside in."""

    def __init__(self, source: Source, before: nn.Module) -> None:
        self.source = source
        self._old = {name: module for name, module in before.named_modules() if name}
        self._used: set[str] = set()

    def changes(self, before: nn.Module, after: nn.Module) -> list[Change]:
        """In the order in which they are to be made; none where there is none."""
        if _same_kind(before, after):
            return [*self._within(before, after, ""), *_frozen(before, after)]
        return [Change("model", self._root(before, after), type(before).__name__), *_frozen(before, after)]

    def _within(self, before: nn.Module, after: nn.Module, path: str) -> list[Change]:
        changed = [
            Change(f"{_path('model', path)}.{name}", self.source.value(value), str(vars(before).get(name)))
            for name, value in _own_changes(before, after)
        ]
        for name, child in after.named_children():
            inner, old = f"{path}.{name}".lstrip("."), dict(before.named_children())[name]
            if _same_kind(old, child):
                changed += self._within(old, child, inner)
            else:
                changed.append(Change(_path("model", inner), self._expression(child, inner), _shown(old)))
        return changed

    def _expression(self, module: nn.Module, path: str = "") -> str:
        """A module of the user's network that stays, by its place there; else by its constructor."""
        for name in sorted(self._old, key=lambda n: (not n.startswith(path), n.count("."), len(n), n)):
            old = self._old[name]
            if name not in self._used and type(old) is type(module) and repr(old) == repr(module) and not _own_changes(old, module):
                self._used |= {name, *(n for n in self._old if n.startswith(f"{name}."))}
                return _path("model", name)
        return self.source.construct(module, lambda child: self._expression(child, path))

    def _root(self, before: nn.Module, after: nn.Module) -> str:
        """A network around the user's, or one that was traced through it."""
        if isinstance(after, fx.GraphModule):
            return self._traced(after)
        inside = [m for m in after.children() if _same_kind(before, m)]
        if inside:
            patched = self._within(before, inside[0], "")
            if not patched:
                return self.source.construct(after, lambda m: "model" if m is inside[0] else self._expression(m))
            raise refuse("the network is changed inside and outside at once")
        return self.source.construct(after, lambda m: self._expression(m))

    def _traced(self, traced: fx.GraphModule) -> str:
        """A class of its own: the modules that its forward pass names, and the code of that pass."""
        names = [name for name, _ in traced.named_children()]
        members = [
            f"self.{name} = {'model.' + name if name in self._old else self._expression(module, name)}"
            for name, module in traced.named_children()
        ]
        loose = [n for n, _ in (*traced.named_parameters(recurse=False), *traced.named_buffers(recurse=False))]
        members += [f"self.{name} = model.{name}" for name in loose]
        if not all(name.isidentifier() for name in (*names, *loose)):
            raise refuse("the traced network has parts without a name")
        forward = _readable(traced)
        self.source.imports |= {"import torch", "from torch import nn"}
        body = "\n".join(f"        {line}" for line in ("super().__init__()", *members))
        code = f'class Traced(nn.Module):\n    """The network\'s forward pass with its activations as modules."""\n\n    def __init__(self, model: nn.Module) -> None:\n{body}\n\n'
        self.source.definitions["Traced"] = code + textwrap.indent(forward, "    ")
        return "Traced(model)"


def _readable(traced: fx.GraphModule) -> str:
    """The code of a traced forward pass without what it does for memory's sake, and with the modules by their places."""
    lines = [re.sub(r";  \w+ = .*", "", line) for line in traced.code.strip().splitlines()]
    signature = re.sub(r" : [^,)]+", "", re.sub(r"\) -> .*", "):", lines[0]))
    return re.sub(r'getattr\((self[\w.]*), "(\d+)"\)', r"\1[\2]", "\n".join([signature, *lines[1:]]))


def _path(root: str, dotted: str) -> str:
    """``model.body[0].weight`` for ``body.0.weight``."""
    for part in filter(None, dotted.split(".")):
        root += (
            f"[{part}]"
            if part.isdigit()
            else f".{part}"
            if part.isidentifier() and not keyword.iskeyword(part)
            else f".get_submodule({part!r})"
        )
    return root


def _same_kind(before: nn.Module, after: nn.Module) -> bool:
    """Whether only what is inside may differ: the same class, the same names, the same shapes of its own weights."""
    if type(before) is not type(after) or [n for n, _ in before.named_children()] != [n for n, _ in after.named_children()]:
        return False
    own = [[(n, p.shape) for n, p in (*m.named_parameters(recurse=False), *m.named_buffers(recurse=False))] for m in (before, after)]
    return own[0] == own[1] and (
        bool(list(after.children())) or before.extra_repr() == after.extra_repr() or bool(_own_changes(before, after))
    )


def _own_changes(before: nn.Module, after: nn.Module) -> list[tuple[str, Any]]:
    """Plain attributes of a module that have another value."""
    return [(name, value) for name, value in vars(after).items() if not name.startswith("_") and _differs(vars(before).get(name), value)]


def _differs(old: Any, new: Any) -> bool:
    if isinstance(new, (nn.Module, Tensor)) or isinstance(old, (nn.Module, Tensor)):
        return False
    if callable(new) and callable(old):
        return bool(getattr(new, "__name__", new) != getattr(old, "__name__", old))
    try:
        return bool(old != new) and repr(old) != repr(new)
    except (RuntimeError, ValueError):
        return False


def _shown(module: nn.Module) -> str:
    """A layer with its sizes; of what has layers inside, the class alone."""
    return type(module).__name__ if list(module.children()) else repr(module)


def _frozen(before: nn.Module, after: nn.Module) -> list[Change]:
    """Parameters that are learned where they were not."""
    old = {name: p.requires_grad for name, p in before.named_parameters()}
    freed = [name for name, p in after.named_parameters() if name in old and p.requires_grad and not old[name]]
    if freed and len(freed) == sum(not learned for learned in old.values()):
        return [Change("model.requires_grad_(True)")]
    return [Change(f"{_path('model', name)}.requires_grad_(True)") for name in freed]


def same_function(made: nn.Module, wanted: nn.Module, task: Task) -> bool:
    """Whether two networks hold weights of the same names and shapes, and give the same outputs with the same weights."""
    state = wanted.state_dict()
    if {k: v.shape for k, v in made.state_dict().items()} != {k: v.shape for k, v in state.items()}:
        return False
    made = copy.deepcopy(made)
    made.load_state_dict(state)
    batch = next(iter(task.train.batches([torch.arange(min(8, len(task.train)))], torch.device("cpu"))))
    with torch.no_grad():
        outputs = [task.forward(model.eval(), batch)[0] for model in (made, wanted)]
    learned = [[n for n, p in m.named_parameters() if p.requires_grad] for m in (made, wanted)]
    return learned[0] == learned[1] and all(torch.equal(a, b) for a, b in zip(*map(_tensors, outputs), strict=True))


def _tensors(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs if isinstance(outputs, (tuple, list)) else []
    return [t for part in parts for t in _tensors(part)]
