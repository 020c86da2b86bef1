"""What a script does to gradients and parameters, in the order in which it does it.

`Flow.paths` walks every entry of the script (its own code, and each function that it does not call itself) and puts the body of a called
function where the call stands. An event knows the loops around it, through all calls.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property

from traindx.check.script import FUNCTIONS, LOOPS, Script, text

Loop = ast.For | ast.AsyncFor | ast.While

LIBRARIES = frozenset(sys.stdlib_module_names) | frozenset(
    [
        "torch",
        "torchvision",
        "torchtext",
        "torchaudio",
        "torchmetrics",
        "numpy",
        "scipy",
        "sklearn",
        "pandas",
        "matplotlib",
        "seaborn",
        "PIL",
        "cv2",
        "tqdm",
        "rich",
        "wandb",
        "yaml",
    ]
)
"""Libraries whose functions neither run a backward pass nor step nor clear an optimizer, but for PyTorch's own, which are known by name."""

NO_GRADIENTS = frozenset({"torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.grad_mode.no_grad"})
BACKWARD = frozenset({"torch.autograd.backward", "torch.autograd.grad", "torch.func.grad", "torch.func.grad_and_value"})
CLIPPING = frozenset({"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm"})


class Kind(Enum):
    """What a call or an assignment does."""

    CLEAR = auto()
    BACKWARD = auto()
    STEP = auto()
    SCHEDULE = auto()
    CLIP = auto()
    UNSCALE = auto()
    TRAIN = auto()
    EVAL = auto()
    FOREIGN = auto()
    """A call of what is out of sight, which may do any of these."""


@dataclass(frozen=True)
class Event:
    """One thing done; ``on`` is the object it is done to, where one is named."""

    kind: Kind
    node: ast.AST
    on: ast.expr | None
    loops: tuple[Loop, ...] = ()

    def within(self, loop: Loop) -> bool:
        """Whether it happens in each turn of a loop, or in some."""
        return loop in self.loops


Path = tuple[Event, ...]


class Flow:
    """The events of one script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._of: dict[ast.AST, Path] = {}
        self._under_way: set[ast.AST] = set()

    @staticmethod
    def of_script(script: Script) -> Flow:
        """The script's events, found once for all rules."""
        if Flow not in script.memory:
            script.memory[Flow] = Flow(script)
        flow: Flow = script.memory[Flow]
        return flow

    @cached_property
    def paths(self) -> list[Path]:
        """The events of every entry of the script that has any."""
        functions = [n for n in self.script.nodes if isinstance(n, FUNCTIONS)]
        entries = [self.script.tree, *(f for f in functions if f not in self.script.calls and f not in self._all_handed_over)]
        return [path for entry in entries if (path := self.of(entry))]

    @cached_property
    def _all_handed_over(self) -> set[ast.AST]:
        calls = (n for n in self.script.nodes if isinstance(n, ast.Call))
        return {function for call in calls for function in self._handed_over(call)}

    @cached_property
    def _function_names(self) -> set[str]:
        return {n.name for n in self.script.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}

    def of(self, entry: ast.AST) -> Path:
        """The events of one function, class or module, with those of the functions that it calls."""
        if entry in self._under_way:
            return ()
        if entry not in self._of:
            self._under_way.add(entry)
            body = entry.body if isinstance(entry.body, list) else [entry.body]  # type: ignore[attr-defined]
            self._of[entry] = tuple(event for statement in body for event in self._walk(statement))
            self._under_way.discard(entry)
        return self._of[entry]

    def within(self, statement: ast.stmt) -> list[Event]:
        """The events of one statement, with those of the functions that it calls."""
        return list(self._walk(statement))

    def _walk(self, node: ast.AST) -> Iterator[Event]:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            return
        inner = [event for child in ast.iter_child_nodes(node) for event in self._walk(child)]
        if isinstance(node, LOOPS):
            inner = [replace(event, loops=(node, *event.loops)) for event in inner]
        yield from inner
        if isinstance(node, ast.Call):
            yield from self._called(node)
        elif isinstance(node, ast.Assign | ast.Delete) and any(_is_gradient(target) for target in node.targets):
            yield Event(Kind.CLEAR, node, None)
        elif isinstance(node, ast.AugAssign) and any(_is_gradient(n) for n in ast.walk(node.value)):
            yield Event(Kind.STEP, node, None)

    def _called(self, call: ast.Call) -> Iterator[Event]:
        for function in self._handed_over(call):
            yield from self.of(function)
        runs = self.script.runs(call)
        if runs is not None:
            yield from self.of(runs)
            return
        kind = self.kind(call)
        if kind is not None:
            yield Event(kind, call, call.func.value if isinstance(call.func, ast.Attribute) else None)

    def _handed_over(self, call: ast.Call) -> list[ast.AST]:
        """The functions of the script among the arguments, as a closure is to ``optimizer.step``."""
        names = [a for a in _arguments(call) if isinstance(a, ast.Name) and a.id in self._function_names]
        functions = [b.value for name in names for b in self.script.reaching(name) if isinstance(b.value, FUNCTIONS)]
        return [*functions, *(a for a in call.args if isinstance(a, ast.Lambda))]

    def kind(self, call: ast.Call) -> Kind | None:
        """What a call does that runs no function of the script; None where it does nothing to gradients, parameters or modes."""
        name = self.script.called(call)
        if name in BACKWARD:
            return Kind.BACKWARD
        if name in CLIPPING:
            return Kind.CLIP
        if "backward" in name.rpartition(".")[2]:
            return Kind.BACKWARD
        if name:
            return None if name.partition(".")[0] in LIBRARIES else Kind.FOREIGN
        match call.func:
            case ast.Attribute(value=on, attr=method):
                return self._method(call, on, method)
            case ast.Name(id=called) if hasattr(builtins, called):
                return None
        return Kind.FOREIGN

    def _method(self, call: ast.Call, on: ast.expr, method: str) -> Kind | None:
        match method:
            case "zero_grad":
                return Kind.CLEAR
            case "zero_" | "fill_" if _is_gradient(on) or (isinstance(on, ast.Attribute) and _is_gradient(on.value)):
                return Kind.CLEAR
            case _ if "backward" in method:
                return Kind.BACKWARD
            case "step":
                return self._step(call, on)
            case "add_" | "sub_" if any(_is_gradient(n) for a in call.args for n in ast.walk(a)):
                return Kind.STEP
            case "clip_grad_norm_" | "clip_grad_value_":
                return Kind.CLIP
            case "unscale_":
                return Kind.UNSCALE
            case "train":
                return Kind.EVAL if call.args and text(call.args[0]) == "False" else Kind.TRAIN
            case "eval":
                return Kind.EVAL
        return Kind.FOREIGN

    def _step(self, call: ast.Call, on: ast.expr) -> Kind:
        if self.is_scheduler(on) or "sched" in text(on).lower():
            return Kind.SCHEDULE
        takes_optimizer = any(self.is_optimizer(a) or "optim" in text(a).lower() for a in call.args)
        return Kind.STEP if takes_optimizer or self.is_optimizer(on) or "opt" in text(on).lower() else Kind.FOREIGN

    # --- What things are -------------------------------------------------------------------------------------------------------------

    def is_optimizer(self, node: ast.AST) -> bool:
        """Whether a value is an optimizer of PyTorch for certain."""
        return all(map(self.makes_optimizer, self.script.origins(node)))

    def makes_optimizer(self, node: ast.AST) -> bool:
        """Whether an expression makes an optimizer of PyTorch."""
        module, _, name = self.script.called(node).rpartition(".")
        return module == "torch.optim" and name[:1].isupper()

    def is_scheduler(self, node: ast.AST) -> bool:
        """Whether a value is a learning-rate scheduler of PyTorch for certain."""
        return all(self.script.called(origin).startswith("torch.optim.lr_scheduler.") for origin in self.script.origins(node))

    @cached_property
    def optimizers(self) -> list[ast.Call]:
        """The expressions that make optimizers of PyTorch."""
        return [node for node in self.script.nodes if isinstance(node, ast.Call) and self.makes_optimizer(node)]

    def steps_certainly(self, event: Event) -> bool:
        """Whether an event moves parameters along their gradients: a manual update, or an optimizer of PyTorch whose closure is in sight."""
        if event.on is None:
            return True
        if not isinstance(event.node, ast.Call) or not self.is_optimizer(event.on):
            return False
        return len(_arguments(event.node)) == len(self._handed_over(event.node))

    def may_update(self, event: Event) -> bool:
        """Whether a call out of sight may run backward, clear or step.

        A method that ``self`` inherits may, a method given an optimizer, and a function given an optimizer, a model or a loss.
        """
        if event.kind not in (Kind.FOREIGN, Kind.BACKWARD) or not isinstance(event.node, ast.Call):
            return False
        given = [n for a in _arguments(event.node) for n in (ast.walk(a) if isinstance(a, ast.List | ast.Tuple | ast.Dict) else [a])]
        named = [last for node in given if (last := _last_name(node))]
        if any("opt" in name for name in named) or any(self.makes_optimizer(o) for node in given for o in self.script.origins(node)):
            return True
        if event.kind is Kind.BACKWARD:
            return False
        if event.on is not None and not self.script.called(event.node):
            return self._is_inherited(event.node, event.on) or "opt" in _last_name(event.on)
        return any(word in name for name in named for word in ("loss", "model", "net", "self"))

    def _is_inherited(self, call: ast.Call, on: ast.expr) -> bool:
        """Whether a call runs a method of a base class that is out of sight; what ``self`` was given by assignment is no such method."""
        if text(on) not in ("self", "super()") or not isinstance(call.func, ast.Attribute):
            return False
        return call.func.attr != "__init__" and not self.script.attribute(call.func)

    def trains(self, optimizer: ast.AST) -> list[ast.expr]:
        """The models whose parameters an optimizer of PyTorch is given as ``model.parameters()``."""
        makers = [origin for origin in self.script.origins(optimizer) if self.makes_optimizer(origin)]
        return [found for made in makers for found in models_in(made)]

    def is_conditional(self, event: Event) -> bool:
        """Whether an event stands under an ``if`` or in an ``except`` within its loop or function."""
        for around in self.script.ancestors(event.node):
            if isinstance(around, (*LOOPS, *FUNCTIONS)):
                return False
            if isinstance(around, ast.If | ast.IfExp | ast.ExceptHandler | ast.Match):
                return True
        return False

    def same(self, one: ast.AST, other: ast.AST) -> bool:
        """Whether two expressions may stand for the same object."""
        return text(one) == text(other) or bool(set(self.script.origins(one)) & set(self.script.origins(other)))

    def without_gradients(self, node: ast.AST) -> bool:
        """Whether gradients are switched off around a node, by a ``with`` or a decorator of its function or, at all calls, of its callers."""
        return self._without_gradients(node, frozenset())

    def _without_gradients(self, node: ast.AST, seen: frozenset[ast.AST]) -> bool:
        for around in self.script.ancestors(node):
            if isinstance(around, ast.With) and any(self._switches_off(item.context_expr) for item in around.items):
                return True
            if isinstance(around, FUNCTIONS):
                if any(self._switches_off(d) for d in getattr(around, "decorator_list", [])):
                    return True
                calls = self.script.calls.get(around, [])
                return around not in seen and bool(calls) and all(self._without_gradients(call, seen | {around}) for call in calls)
        return False

    def _switches_off(self, context: ast.expr) -> bool:
        function = context.func if isinstance(context, ast.Call) else context
        name = (self.script.dotted(function) or text(function)).rpartition(".")[2]
        return any(word in name for word in ("no_grad", "inference_mode", "grad_enabled"))


def models_in(optimizer: ast.AST) -> list[ast.expr]:
    """The ``model`` of each ``model.parameters()`` in the expression that makes an optimizer."""
    calls = [n for n in ast.walk(optimizer) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    return [c.func.value for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr in ("parameters", "named_parameters")]


def _last_name(node: ast.AST) -> str:
    """The name of a variable or an attribute in small letters; empty for other expressions."""
    return (node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else "").lower()


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(given.value for given in call.keywords)]


def _is_gradient(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "grad" and isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript)
