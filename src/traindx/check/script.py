"""A parsed script: what its names stand for, as far as that can be told without running it.

`Script.origins` follows a name through assignments, parameters, returned values and ``self`` attributes to the expressions it may come from.
What cannot be followed ends in a node that is no value (a parameter, a loop, an unpacked assignment), which no rule takes for anything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Module)
LOOPS = (ast.For, ast.AsyncFor, ast.While)

SAME_OBJECT = frozenset(
    [
        "to",
        "cuda",
        "cpu",
        "float",
        "double",
        "half",
        "bfloat16",
        "long",
        "int",
        "type",
        "contiguous",
        "train",
        "eval",
        "requires_grad_",
        "clone",
        "share_memory",
        "apply",
        "share",
    ]
)
"""Methods that hand back what they are called on, as far as a check is concerned."""

WRAPPERS = frozenset(
    {
        "torch.nn.DataParallel",
        "torch.nn.parallel.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "torch.compile",
        "torch.jit.script",
        "torch.autograd.Variable",
        "copy.deepcopy",
    }
)
"""Functions that hand back their first argument, as far as a check is concerned."""

DEPTH = 40
"""Steps that an origin is followed before it counts as out of sight; the longest chains of real scripts take about ten."""


class Binding(NamedTuple):
    """A name gets a value: an expression, or the loop, the parameter or the definition that gives it."""

    value: ast.AST
    statement: ast.AST


class Item(ast.expr):
    """One of the values that an assignment unpacks: ``a, b = f()`` makes two of ``f()``."""

    _fields = ("value",)

    def __init__(self, value: ast.AST, index: int) -> None:
        super().__init__()
        self.value, self.index = value, index


class Script:
    """The tree of one script with parents, scopes and imports."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = list(_in_order(tree))
        self.parents = {child: parent for parent in self.nodes for child in ast.iter_child_nodes(parent)}
        self.memory: dict[type, Any] = {}
        self._scopes: dict[ast.AST, ast.AST] = {}
        self._origins: dict[ast.AST, tuple[ast.AST, ...]] = {}
        self._under_way: set[ast.AST] = set()
        # Which object a method is called on is told by origins, and what a parameter stands for by calls: plain calls come first.
        self.calls: dict[ast.AST, list[ast.Call]] = {}
        self.calls = self._all_calls(self._named_callee)
        self.calls = self._all_calls(self.callee)
        self._origins.clear()

    # --- Around a node -------------------------------------------------------------------------------------------------------------

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around this one, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def scope(self, node: ast.AST) -> ast.AST:
        """The function, class or module whose names this node sees first."""
        if node not in self._scopes:
            self._scopes[node] = self._find_scope(node)
        return self._scopes[node]

    def _find_scope(self, node: ast.AST) -> ast.AST:
        child = node
        for around in self.ancestors(node):
            if isinstance(around, SCOPES) and child not in _outside(around):
                return around
            child = around
        return self.tree

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function around a node."""
        return next((a for a in self.ancestors(node) if isinstance(a, FUNCTIONS)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class around a node."""
        return next((a for a in self.ancestors(node) if isinstance(a, ast.ClassDef)), None)

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement that holds a node."""
        if isinstance(node, ast.stmt):
            return node
        return next((a for a in self.ancestors(node) if isinstance(a, ast.stmt)), None)

    def block(self, statement: ast.AST) -> list[ast.stmt]:
        """The statements beside this one, itself among them."""
        parent = self.parents.get(statement)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and statement in block:
                return block
        return []

    def blocks(self) -> Iterator[list[ast.stmt]]:
        """Every list of statements that follow one another."""
        for node in self.nodes:
            for field in ("body", "orelse", "finalbody"):
                block = getattr(node, field, None)
                if isinstance(block, list) and block:
                    yield block

    # --- Names of libraries ----------------------------------------------------------------------------------------------------------

    @cached_property
    def imports(self) -> dict[str, str]:
        """What imported names stand for: ``{"F": "torch.nn.functional", "Adam": "torch.optim.Adam"}``."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{'.' * node.level}{node.module or ''}.{alias.name}"
        return found

    def dotted(self, node: ast.AST) -> str:
        """The full name of an imported thing, ``torch.nn.Linear``; empty for what was not imported."""
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return _canonical(f"{base}.{node.attr}") if base else ""
        if isinstance(node, ast.Name) and node.id in self.imports and not self._is_bound(node):
            return _canonical(self.imports[node.id])
        return ""

    def _is_bound(self, name: ast.Name) -> bool:
        return any(name.id in self.bindings(scope) for scope in self._seen_from(name))

    def called(self, node: ast.AST) -> str:
        """The full name of the imported thing that this expression calls; empty otherwise."""
        return self.dotted(node.func) if isinstance(node, ast.Call) else ""

    # --- Names of the script ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _bindings(self) -> dict[ast.AST, dict[str, list[Binding]]]:
        found: dict[ast.AST, dict[str, list[Binding]]] = {}
        globals_ = {(self.scope(node), name) for node in self.nodes if isinstance(node, ast.Global) for name in node.names}
        for node in self.nodes:
            for target, value in _assigned(node):
                scope = self.scope(node)
                if (scope, target) in globals_:
                    scope = self.tree
                statement = node if isinstance(node, ast.arg) else self.statement(node) or node
                found.setdefault(scope, {}).setdefault(target, []).append(Binding(value, statement))
        return found

    def bindings(self, scope: ast.AST) -> dict[str, list[Binding]]:
        """The names that a scope gives values to."""
        return self._bindings.get(scope, {})

    def _seen_from(self, node: ast.AST) -> Iterator[ast.AST]:
        """The scopes in which a name is looked up; a class is seen from its own body alone."""
        scope = self.scope(node)
        yield scope
        while scope is not self.tree:
            scope = self.scope(scope)
            if not isinstance(scope, ast.ClassDef):
                yield scope

    def reaching(self, name: ast.Name) -> list[Binding]:
        """The assignments that this use of a name may see."""
        own = self.scope(name)
        for scope in self._seen_from(name):
            bound = self.bindings(scope).get(name.id)
            if bound:
                return self._before(name, bound) if scope is own else bound
        return []

    def _before(self, use: ast.AST, bound: list[Binding]) -> list[Binding]:
        """Those assignments that no later one hides from the use, which stands in the same scope."""
        around = [use, *self.ancestors(use)]
        at = _position(self.statement(use) or use)
        earlier = [b for b in bound if _position(b.statement) < at or (isinstance(b.statement, LOOPS) and b.statement in around)]
        certain = [b for b in earlier if isinstance(b.statement, ast.arg) or self.parents.get(b.statement) in around]
        certain = [b for b in certain if not self._in_other_branch(b.statement, around)]
        last = certain[-1] if certain else None
        kept = earlier[earlier.index(last) :] if last else earlier
        kept = [b for b in kept if not self._in_other_branch(b.statement, around)]
        loops = [a for a in around if isinstance(a, LOOPS)]
        if last is not None:
            held = [last.statement, *self.ancestors(last.statement)]
            loops = [loop for loop in loops if loop not in held]
        later = [b for b in bound if b not in earlier and any(loop in self.ancestors(b.statement) for loop in loops)]
        return kept + later

    def _in_other_branch(self, statement: ast.AST, around: list[ast.AST]) -> bool:
        """Whether the statement stands in the branch of an ``if`` that the use does not stand in."""
        child = statement
        for node in self.ancestors(statement):
            if isinstance(node, ast.If) and node in around:
                within = around[around.index(node) - 1]
                return (child in node.body) != (within in node.body) and within is not node.test
            child = node
        return False

    # --- Functions and classes of the script -----------------------------------------------------------------------------------------

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes of the script by name."""
        return {node.name: node for node in self.nodes if isinstance(node, ast.ClassDef)}

    def bases(self, found: ast.ClassDef) -> Iterator[ast.ClassDef]:
        """A class and those of its ancestors that the script holds."""
        seen, waiting = set[ast.ClassDef](), [found]
        while waiting:
            current = waiting.pop(0)
            if current not in seen:
                seen.add(current)
                yield current
                waiting += [self.classes[b.id] for b in current.bases if isinstance(b, ast.Name) and b.id in self.classes]

    def method(self, found: ast.ClassDef, name: str) -> ast.FunctionDef | None:
        """A class's method, its ancestors' included."""
        methods = (node for current in self.bases(found) for node in current.body if isinstance(node, ast.FunctionDef))
        return next((node for node in methods if node.name == name), None)

    def is_module(self, found: ast.ClassDef) -> bool:
        """Whether a class of the script is an `nn.Module`."""
        names = [self.dotted(base) for current in self.bases(found) for base in current.bases]
        return any(name == "torch.nn.Module" or name.endswith("LightningModule") for name in names)

    def made_by(self, value: ast.AST) -> ast.ClassDef | None:
        """The class of the script that this expression makes an object of."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            return self.classes.get(value.func.id)
        return None

    def callee(self, call: ast.Call) -> Function | None:
        """The function of the script that a call runs; None where it is not of the script or not certain."""
        named = self._named_callee(call)
        if named is None and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name | ast.Attribute):
            made = {self.made_by(origin) for origin in self.origins(call.func.value)}
            if len(made) == 1 and (one := made.pop()) is not None:
                return self.method(one, call.func.attr)
        return named

    def runs(self, call: ast.Call) -> Function | None:
        """The function of the script that a call runs, the ``__init__`` of a class among them."""
        made = self.made_by(call)
        return self.method(made, "__init__") if made else self.callee(call)

    def _named_callee(self, call: ast.Call) -> Function | None:
        func = call.func
        if isinstance(func, ast.Name):
            values = [b.value for b in self.reaching(func)]
            return values[0] if len(values) == 1 and isinstance(values[0], FUNCTIONS) else None
        if isinstance(func, ast.Attribute) and text(func.value) in ("self", "cls") and (own := self.class_of(call)):
            return self.method(own, func.attr)
        return None

    def _all_calls(self, callee: Callable[[ast.Call], Function | None]) -> dict[ast.AST, list[ast.Call]]:
        """The calls of each function of the script; making an object calls its ``__init__``."""
        found: dict[ast.AST, list[ast.Call]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Call):
                made = self.made_by(node)
                function = self.method(made, "__init__") if made else callee(node)
                if function is not None:
                    found.setdefault(function, []).append(node)
        return found

    def returned(self, function: Function) -> list[ast.expr]:
        """The expressions that a function returns."""
        if isinstance(function, ast.Lambda):
            return [function.body]
        returns = (n for n in ast.walk(function) if isinstance(n, ast.Return) and self.function(n) is function)
        return [r.value for r in returns if r.value is not None]

    def attribute(self, node: ast.Attribute) -> list[ast.AST]:
        """What the script assigns to ``self.NAME``, in the class around it and its ancestors."""
        own = self.class_of(node)
        if own is None or not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            return []
        family = set(self.bases(own))
        return [value for found, value in self._attributes.get(node.attr, []) if found in family]

    @cached_property
    def _attributes(self) -> dict[str, list[tuple[ast.ClassDef, ast.AST]]]:
        found: dict[str, list[tuple[ast.ClassDef, ast.AST]]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                for target, value in _pairs(node):
                    if isinstance(target, ast.Attribute) and text(target.value) == "self" and (own := self.class_of(node)):
                        found.setdefault(target.attr, []).append((own, value))
        return found

    # --- Origins -----------------------------------------------------------------------------------------------------------------------

    def origins(self, node: ast.AST) -> tuple[ast.AST, ...]:
        """The expressions that a value may come from; a statement or a parameter stands for what is out of sight."""
        if node in self._under_way:
            return (node,)
        if node not in self._origins:
            self._under_way.add(node)
            self._origins[node] = tuple(dict.fromkeys(self._follow(node, frozenset(), DEPTH))) or (node,)
            self._under_way.discard(node)
        return self._origins[node]

    def _follow(self, node: ast.AST, seen: frozenset[ast.AST], depth: int) -> list[ast.AST]:
        if node in seen or depth == 0:
            return []
        before = self._one_back(node)
        if not before:
            return [node]
        return [origin for value in before for origin in self._follow(value, seen | {node}, depth - 1)]

    def _one_back(self, node: ast.AST) -> list[ast.AST]:
        """The values that this one is made of by a mere change of name or place; empty where it begins."""
        match node:
            case ast.Name():
                return [b.value for b in self.reaching(node)]
            case ast.Attribute():
                return self.attribute(node)
            case Item():
                return self._unpacked(node)
            case ast.IfExp():
                return [node.body, node.orelse]
            case ast.NamedExpr():
                return [node.value]
            case ast.Await():
                return [node.value]
            case ast.arg():
                return self._arguments(node)
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in SAME_OBJECT and not self.dotted(node.func):
                return [value]
            case ast.Call():
                if self.called(node) in WRAPPERS and node.args:
                    return [node.args[0]]
                function = self.callee(node)
                if function is not None and not is_generator(function):
                    return list(self.returned(function))
        return []

    def _unpacked(self, item: Item) -> list[ast.AST]:
        """The element at the item's place in each tuple that its value may be; empty where one is no tuple in sight."""
        origins = self.origins(item.value)
        elements = [o.elts[item.index] for o in origins if isinstance(o, ast.Tuple | ast.List) and item.index < len(o.elts)]
        plain = [e for e in elements if not isinstance(e, ast.Starred)]
        return list(plain) if len(plain) == len(origins) else []

    def _arguments(self, parameter: ast.arg) -> list[ast.AST]:
        """What the calls in the script give for a parameter; empty where a call gives it in a way that is out of sight."""
        function = self.function(parameter)
        if function is None or parameter in (function.args.vararg, function.args.kwarg):
            return []
        given = [argument(call, function, parameter) for call in self.calls.get(function, [])]
        return [g for g in given if g is not None] if all(given) else []


def argument(call: ast.Call, function: Function, parameter: ast.arg) -> ast.expr | None:
    """What a call gives for a parameter of the function, or the parameter's default."""
    for keyword in call.keywords:
        if keyword.arg == parameter.arg:
            return keyword.value
    positional = [*function.args.posonlyargs, *function.args.args]
    bound = isinstance(call.func, ast.Attribute) or (not isinstance(function, ast.Lambda) and function.name == "__init__")
    names = positional[1:] if bound and positional and positional[0].arg in ("self", "cls") else positional
    if parameter in names and not any(isinstance(a, ast.Starred) for a in call.args):
        index = names.index(parameter)
        if index < len(call.args):
            return call.args[index]
    defaults = dict(zip(reversed(positional), reversed(function.args.defaults), strict=False))
    defaults |= {a: d for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d is not None}
    return defaults.get(parameter)


def keyword(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """An argument of a call by its name, or by its position where it has one."""
    for given in call.keywords:
        if given.arg == name:
            return given.value
    if position is not None and position < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: position + 1]):
        return call.args[position]
    return None


def has_stars(call: ast.Call) -> bool:
    """Whether arguments are handed over as ``*args`` or ``**kwargs``, out of sight."""
    return any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)


def text(node: ast.AST | None) -> str:
    """The code of a node, as Python itself would write it."""
    return "" if node is None else ast.unparse(node)


def is_generator(function: Function) -> bool:
    """Whether calling the function makes a generator instead of running it."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


# --- Reading the tree ----------------------------------------------------------------------------------------------------------------


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(list(ast.iter_child_nodes(current)))


def _outside(scope: ast.AST) -> list[ast.AST]:
    """The children of a definition that are evaluated outside it: decorators, defaults, base classes."""
    if isinstance(scope, ast.ClassDef):
        return [*scope.decorator_list, *scope.bases, *scope.keywords]
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return list(scope.decorator_list)
    return []


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The names that a node gives values to, each with its value."""
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            for target, value in _pairs(node):
                if isinstance(target, ast.Name):
                    yield target.id, value
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            yield name, value
        case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
            for name in _names(target):
                yield name, node
        case ast.withitem(optional_vars=ast.expr() as target, context_expr=context):
            for name in _names(target):
                yield name, context
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, node
        case ast.arg(arg=name):
            yield name, node
        case ast.ExceptHandler(name=str(name)):
            yield name, node


def _pairs(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Iterator[tuple[ast.expr, ast.AST]]:
    """The targets of an assignment with their values."""
    if isinstance(node, ast.AugAssign):
        yield node.target, node
    elif node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from _taken_apart(target, node.value)


def _taken_apart(target: ast.expr, value: ast.AST) -> Iterator[tuple[ast.expr, ast.AST]]:
    if not isinstance(target, ast.Tuple | ast.List):
        yield target, value
        return
    parts: list[ast.AST] = [Item(value, i) for i in range(len(target.elts))]
    if (
        isinstance(value, ast.Tuple | ast.List)
        and len(value.elts) == len(parts)
        and not any(isinstance(e, ast.Starred) for e in value.elts)
    ):
        parts = list(value.elts)
    for inner, part in zip(target.elts, parts, strict=True):
        yield from _taken_apart(inner.value if isinstance(inner, ast.Starred) else inner, part)


def _names(target: ast.AST) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


def _canonical(name: str) -> str:
    """One spelling for what PyTorch exports under several."""
    for long, short in (
        ("torch.nn.modules.loss.", "torch.nn."),
        ("torch.optim.adam.", "torch.optim."),
        ("torch.optim.sgd.", "torch.optim."),
    ):
        name = name.replace(long, short)
    return name
