"""Live objects as source code: what a script must import and define before an expression means the same in it.

Classes and functions of the user's own files, and the small ones of the remedies, are copied with whatever they name; those of installed
libraries are imported.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import functools
import inspect
import itertools
import linecache
import math
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from traindx.records import InputError

# Longer tensors are kept in the file of arrays, and so are numbers that no line of the script would hold.
MOST_NUMBERS = 16
# Generated code is broken into lines of at most so many columns.
COLUMNS = 110
# Arguments of torch's layers and losses that are deprecated, or say where and not what.
IGNORED = ("device", "dtype", "_weight", "_freeze", "size_average", "reduce")
INSTALLED = ("site-packages", "dist-packages")
# What the script names itself: a user's own of the same name is given another there.
OF_THE_SCRIPT = (
    *("make_model", "loss_fn", "loss_to_be_judged_by", "metric", "prepare", "prepare_test", "forward_pass", "rate", "evaluate"),
    *("seed_everything", "train", "judge", "main", "DATA", "EPOCHS", "BATCH_SIZE", "UPDATES", "UPDATES_AN_EPOCH", "VERIFIED_SEED"),
)
# How the parts of torch are imported that expressions name.
TORCHS = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional"}


def enclosed(opening: str, parts: Sequence[str], closing: str) -> str:
    """The parts between brackets, on one line where they fit, else a part a line."""
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) <= COLUMNS and "\n" not in line:
        return line
    if len(parts) == 1 and parts[0].endswith(("]", ")")):
        return line  # what is inside is broken into lines already
    return "\n".join([opening, *(textwrap.indent(f"{part},", "    ") for part in parts), closing])


def called(function: str, arguments: Sequence[str]) -> str:
    """A call."""
    return enclosed(f"{function}(", arguments, ")")


def listed(items: Sequence[str]) -> str:
    """A list."""
    return enclosed("[", items, "]")


def _shortest(numbers: Any) -> str:
    """Nested numbers as a list, each with as few digits as tell it."""
    if isinstance(numbers, (list, np.ndarray)) and np.ndim(numbers):
        return f"[{', '.join(map(_shortest, numbers))}]"
    text = str(numbers)
    return f'float("{text}")' if text.strip("-") in ("nan", "inf") else text


def refuse(what: str, instead: str = "write the script by hand from the changes in words") -> InputError:
    """The error for something that cannot be written as code."""
    return InputError("export", what, instead)


def executed(code: str, name: str, **names: Any) -> dict[str, Any]:
    """The namespace of a module of this code.

    Raises:
        InputError: when it does not run.

    """
    module = types.ModuleType("exported")
    vars(module).update(names)
    kept = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module  # dataclasses look for the module that they are defined in
    try:
        exec(compile(code, name, "exec"), vars(module))  # the user's own code, as it was found
    except Exception as error:
        raise refuse(f"the code does not run ({type(error).__name__}: {error})") from error
    finally:
        if kept is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = kept
    return vars(module)


class Source:
    """The imports and definitions that a script needs, each once, in an order in which they can be read.

    ``tensors`` are those that are too long for a line: the script finds them by name in ``DATA``.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.definitions: dict[str, str] = {}
        self.tensors: dict[str, Tensor] = {}
        self._known: dict[str, Any] = {}

    def compiled(self, statements: Sequence[str]) -> Callable[[], Any]:
        """A function of these statements, in a namespace that has all it names.

        Raises:
            InputError: when what they name does not run.

        """
        body = textwrap.indent("\n".join(statements), "    ")
        code = ["from __future__ import annotations", *sorted(self.imports), *self.definitions.values(), f"def made():\n{body}"]
        made: Callable[[], Any] = executed("\n".join(code), "<the network>", DATA=self.tensors)["made"]
        try:
            made()
        except Exception as error:
            raise refuse(f"the code of the network does not run ({type(error).__name__}: {error})") from error
        return made

    # -- expressions ---------------------------------------------------------------------------------------------------------------

    def value(self, item: Any) -> str:
        """An expression that gives an equal value.

        Raises:
            InputError: when there is none.

        """
        if isinstance(item, (bool, int, str, bytes, type(None), type(Ellipsis))) and not isinstance(item, enum.Enum):
            return repr(item)
        if isinstance(item, float):
            return repr(item) if math.isfinite(item) else f'float("{item}")'
        if isinstance(item, (tuple, list, set, dict)):
            return self._container(item)
        if isinstance(item, Tensor):
            return self._tensor(item)
        if isinstance(item, (np.ndarray, np.generic)):
            return self._array(np.asarray(item), scalar=isinstance(item, np.generic))
        if isinstance(item, (torch.dtype, torch.Size)):
            self.imports.add("import torch")
            return repr(item)
        if isinstance(item, types.ModuleType):
            return self._module(item, item.__name__.rpartition(".")[2])
        if isinstance(item, functools.partial):
            return self._call("functools.partial", [self.value(item.func), *map(self.value, item.args)], item.keywords, "import functools")
        if isinstance(item, type) or inspect.isroutine(item):
            return self.define(item)
        return self._instance(item)

    def _container(self, item: Any) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{self.value(k)}: {self.value(v)}" for k, v in item.items()) + "}"
        parts = ", ".join(map(self.value, item))
        if type(item) is tuple:
            return f"({parts}{',' if len(item) == 1 else ''})"
        if type(item) is list:
            return f"[{parts}]"
        if type(item) is set:
            return f"{{{parts}}}" if item else "set()"
        return f"{self.define(type(item))}({parts})"

    def _tensor(self, item: Tensor, name: str = "tensor") -> str:
        """Its numbers, where they are few; else its place in the file of arrays."""
        item = item.detach().cpu()
        if item.numel() > MOST_NUMBERS:
            return self._stored(item, name)
        self.imports.add("import torch")
        numbers = _shortest(item.numpy().tolist() if item.dtype != torch.float32 else item.numpy())
        kind = "" if item.dtype in (torch.float32, torch.int64, torch.bool) and item.numel() else f", dtype={item.dtype}"
        return f"torch.tensor({numbers}{kind})"

    def _array(self, item: np.ndarray, scalar: bool, name: str = "array") -> str:
        if item.dtype.kind not in "biuf":
            raise refuse(f"found an array of {item.dtype}", "use numbers")
        if item.size > MOST_NUMBERS:
            return f"{self._stored(torch.from_numpy(np.array(item)), name)}.numpy()"
        self.imports.add("import numpy as np")
        kind = f"np.{'bool_' if item.dtype.kind == 'b' else item.dtype.name}"
        return f"{kind}({_shortest(item)})" if scalar else f"np.array({_shortest(item)}, dtype={kind})"

    def _stored(self, item: Tensor, name: str) -> str:
        places = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2)))
        place = next(p for p in places if p not in self.tensors or torch.equal(self.tensors[p], item))
        self.tensors[place] = item
        return f'DATA["{place}"]'

    def _call(self, function: str, positional: list[str], keywords: dict[str, Any], needs: str = "") -> str:
        if needs:
            self.imports.add(needs)
        return called(function, [*positional, *(f"{name}={self._named(name, value)}" for name, value in keywords.items())])

    def _named(self, name: str, value: Any) -> str:
        if isinstance(value, np.ndarray):
            return self._array(value, scalar=False, name=name)
        return self._tensor(value, name) if isinstance(value, Tensor) else self.value(value)

    def _instance(self, item: Any) -> str:
        if dataclasses.is_dataclass(item):
            fields = {f.name: getattr(item, f.name) for f in dataclasses.fields(item) if f.init}
            return self._call(self.define(type(item)), [], fields)
        if isinstance(item, enum.Enum):
            return f"{self.define(type(item))}.{item.name}"
        if isinstance(item, nn.Module):
            return self.construct(item)
        names = list(inspect.signature(type(item)).parameters)
        if set(vars(item) if hasattr(item, "__dict__") else ()) != set(names):
            raise refuse(f"found a {type(item).__name__}, whose attributes are not the arguments of its constructor")
        return self._call(self.define(type(item)), [], {name: getattr(item, name) for name in names})

    def construct(self, module: nn.Module, child: Callable[[nn.Module], str] | None = None) -> str:
        """A module by its constructor, whose arguments are the attributes of the same names; ``child`` writes the modules inside."""
        child = child or self.construct
        if type(module) in (nn.Sequential, nn.ModuleList):
            return self._chain(module, child)
        if isinstance(module, (torch.fx.GraphModule, nn.modules.lazy.LazyModuleMixin)):
            raise refuse(f"found a {type(module).__name__} inside the network")
        written, by_place = [], True
        for i, (name, parameter) in enumerate(_parameters(module).items()):
            by_place = i == 0 or (by_place and parameter.default is inspect.Parameter.empty)
            argument = _argument(module, name, parameter)
            if argument is not None:
                value = child(argument[0]) if isinstance(argument[0], nn.Module) else self._named(name, argument[0])
                written.append(value if by_place else f"{name}={value}")
        return called(self.define(type(module)), written)

    def _chain(self, module: nn.Module, child: Callable[[nn.Module], str]) -> str:
        """Layers one after the other, or in a list."""
        parts = [(name, child(m)) for name, m in module.named_children()]
        function = self.define(type(module))
        if isinstance(module, nn.ModuleList):
            return called(function, [listed([part for _, part in parts])])
        if all(name.isdigit() for name, _ in parts):
            return called(function, [part for _, part in parts])
        self.imports.add("from collections import OrderedDict")
        return called(function, [called("OrderedDict", [listed([f'("{name}", {part})' for name, part in parts])])])

    # -- definitions ---------------------------------------------------------------------------------------------------------------

    def define(self, item: Any) -> str:
        """The name of a class or function, imported or copied with what it needs.

        Raises:
            InputError: when its source is not to be had.

        """
        name = str(getattr(item, "__name__", ""))
        if name and getattr(builtins, name, None) is item:
            return name
        if not _copied(item):
            return self._imported(item)
        if name == "<lambda>":
            return self._lambda(item)
        if inspect.ismethod(item):
            raise refuse(f"found the method {item.__qualname__} of an object", "give a function")
        if name in self._known:
            if self._known[name] is not item:
                raise refuse(f"found two things named {name}", "give one of them another name")
            return _free(name)
        self._known[name] = item
        try:
            code = textwrap.dedent(inspect.getsource(item)).strip()
            tree = ast.parse(code)
        except (OSError, TypeError, SyntaxError):
            raise refuse(f"the source of {name} is not to be had", "define it in a file") from None
        self._need(tree, item)
        renamed = _renamed(code, _scope(item))
        self.definitions[_free(name)] = re.sub(rf"\b(def|class) {name}\b", rf"\1 {_free(name)}", renamed, count=1)
        return _free(name)

    def _lambda(self, item: Any) -> str:
        return f"({self.body_of_lambda(item, parameters=True)})"

    def body_of_lambda(self, item: Any, parameters: bool = False) -> str:
        """The text of a lambda, or of what it returns.

        Raises:
            InputError: when it cannot be found, or two of them stand on its line.

        """
        lines = linecache.getlines(item.__code__.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            tree = ast.Module([], [])
        found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and n.lineno == item.__code__.co_firstlineno]
        same = [n for n in found if _arguments(n) == item.__code__.co_varnames[: item.__code__.co_argcount]]
        if len(same) != 1:
            raise refuse("the source of a lambda is not to be had, or two stand on one line", "give a function with a name")
        self._need(same[0], item)
        found_again = ast.parse(_renamed(ast.unparse(same[0]), _scope(item)), mode="eval").body
        assert isinstance(found_again, ast.Lambda), "names alone are other ones"
        return ast.unparse(found_again if parameters else found_again.body)

    def _need(self, tree: ast.AST, item: Any) -> None:
        """Whatever the code of a class or function names."""
        self._need_of(tree, _scope(item), sys.modules.get(item.__module__))

    def _need_of(self, tree: ast.AST, scope: dict[str, Any], module: types.ModuleType | None) -> None:
        """Names in the order of appearance; of what annotations alone name, what can be imported or is an alias."""
        read, annotations = _names(tree)
        for name in read:
            if name in scope and name not in self._known:
                self._bring(name, scope[name], module)
        for name in annotations:
            if name in scope and name not in self._known:
                self._annotate(name, scope[name])

    def _bring(self, name: str, value: Any, module: types.ModuleType | None) -> None:
        if isinstance(value, types.ModuleType):
            self._module(value, name)
        elif (isinstance(value, type) or inspect.isroutine(value)) and getattr(value, "__name__", None) != "<lambda>":
            defined = self.define(value)
            root, _, last = defined.rpartition(".")
            if root in TORCHS and last == _free(name):
                self.imports.add(f"from {TORCHS[root]} import {last}")
            elif defined != _free(name):
                self.definitions[_free(name)] = f"{_free(name)} = {defined}"
        elif _is_form(value):
            self._annotate(name, value)
        else:
            self._known[name] = value
            self.definitions[_free(name)] = f"{_free(name)} = {self._constant(name, value, module)}"

    def _constant(self, name: str, value: Any, module: types.ModuleType | None) -> str:
        """The value of a module's variable; where that cannot be told, the expression that the module gave it."""
        try:
            return self._named(name.lower(), value)
        except InputError:
            expression = _assigned(name, module)
            if expression is None or module is None:
                raise
            self._need_of(expression, dict(vars(module)), module)
            return _renamed(ast.unparse(expression), dict(vars(module)))

    def _annotate(self, name: str, value: Any) -> None:
        """A name that stands for a type; classes of the user's own are left as names that nothing is done with when the script runs."""
        if isinstance(value, types.ModuleType):
            if not _is_copied_module(value):
                self._module(value, name)
        elif getattr(typing, name, None) is value:
            self.imports.add(f"from typing import {name}")
            self._known[name] = value
        elif isinstance(value, type) and not _copied(value) and value.__name__ == name:
            self.imports.add(f"from {_public_module(value)} import {name}")
            self._known[name] = value
        elif _is_form(value) and "traindx" not in repr(value):
            roots = sorted(set(re.findall(r"\b([a-zA-Z_][\w.]*)\.\w+", repr(value))))
            self.imports |= {f"import {root}" for root in roots}
            self.definitions[name] = f"{name} = {value!r}"
            self._known[name] = value

    def _module(self, module: types.ModuleType, name: str) -> str:
        if _is_copied_module(module):
            raise refuse(f"the code names the module {module.__name__}", "import the names that are used, one by one")
        parent, _, last = module.__name__.rpartition(".")
        alias = "" if last == _free(name) else f" as {_free(name)}"
        self.imports.add(f"from {parent} import {last}{alias}" if parent else f"import {last}{alias}")
        self._known[name] = module
        return _free(name)

    def _imported(self, item: Any) -> str:
        module, name = getattr(item, "__module__", None) or "torch", item.__name__
        if module.startswith("torch.nn.modules") and getattr(nn, name, None) is item:
            self.imports.add("from torch import nn")
            return f"nn.{name}"
        if getattr(torch.nn.functional, name, None) is item:
            self.imports.add("from torch.nn import functional as F")
            return f"F.{name}"
        if getattr(torch, name, None) is item:
            self.imports.add("import torch")
            return f"torch.{name}"
        if getattr(sys.modules.get(module), name, None) is not item:
            raise refuse(f"{module}.{name} cannot be imported by its name")
        self.imports.add(f"from {module} import {name}" + (f" as {_free(name)}" if name in OF_THE_SCRIPT else ""))
        self._known[name] = item
        return _free(str(name))


def _copied(item: Any) -> bool:
    """Whether the code of a class or function is copied: what is in no installed library, and what remedies are made of."""
    module = sys.modules.get(getattr(item, "__module__", None) or "")
    return module is not None and _is_copied_module(module)


def _is_copied_module(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" or module.__name__.partition(".")[0] == "traindx":
        return True
    return file is not None and not any(part in INSTALLED for part in Path(file).parts) and not file.startswith(sys.base_prefix + "/lib")


def _parameters(module: nn.Module) -> dict[str, inspect.Parameter]:
    """What the constructor takes by name; torch's recurrent layers pass theirs on."""
    if type(module) in (nn.RNN, nn.LSTM, nn.GRU):
        passed = dict(inspect.signature(nn.RNNBase).parameters)
        del passed["mode"]
        nonlinearity = inspect.Parameter("nonlinearity", inspect.Parameter.KEYWORD_ONLY, default="tanh")
        return passed | ({"nonlinearity": nonlinearity} if type(module) is nn.RNN else {})
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: parameter for name, parameter in inspect.signature(type(module)).parameters.items() if parameter.kind not in variable}


def _argument(module: nn.Module, name: str, parameter: inspect.Parameter) -> tuple[Any] | None:
    """What a constructor was given, read off the module; None where it is the default."""
    if name in IGNORED:
        return None
    if not hasattr(module, name):
        raise refuse(f"{type(module).__name__} does not keep its argument {name}")
    value = getattr(module, name)
    if name == "bias" and isinstance(value, (Tensor, type(None))) and isinstance(parameter.default, bool):
        value = value is not None
    return None if _is_default(value, parameter.default) else (value,)


def _is_default(value: Any, default: Any) -> bool:
    """Whether a constructor given nothing has this value; a size may be told once for every dimension."""
    if default is inspect.Parameter.empty or isinstance(value, (Tensor, nn.Module)):
        return False
    return bool(value == default) or (isinstance(value, tuple) and len(value) > 0 and all(part == default for part in value))


def _scope(item: Any) -> dict[str, Any]:
    """The names that code of this object sees: its module's, and those it closes over."""
    item = inspect.unwrap(item)
    functions = [f for f in vars(item).values() if inspect.isfunction(f)] if isinstance(item, type) else [item]
    scope = dict(vars(sys.modules[item.__module__])) if isinstance(item, type) else dict(item.__globals__)
    for function in functions:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name != "__class__":
                scope[name] = cell.cell_contents
    if isinstance(item, type):
        scope |= {base.__name__: base for base in item.__mro__[1:] if base is not object}
    return scope


def _is_form(value: Any) -> bool:
    """Whether it is a type made of types, such as ``list[int]`` or ``Any``."""
    return isinstance(value, (types.GenericAlias, types.UnionType)) or type(value).__module__ == "typing" or value is Any


def _public_module(item: type) -> str:
    """The shortest module that has the class: ``torch`` rather than ``torch._tensor``."""
    parts = item.__module__.split(".")
    prefixes = (".".join(parts[: i + 1]) for i in range(len(parts)))
    return next(p for p in prefixes if getattr(sys.modules.get(p), item.__name__, None) is item or p == item.__module__)


def _free(name: str) -> str:
    """The name in the script: another one, where the script has something of this name itself."""
    return f"users_{name}" if name in OF_THE_SCRIPT else name


def _renamed(code: str, scope: Mapping[str, Any]) -> str:
    """The code with what the scope holds under a name that the script has itself under its free one."""
    read, annotations = _places(ast.parse(code))
    lines = [line.encode() for line in code.split("\n")]
    taken = [node for node in (*read, *annotations) if node.id in OF_THE_SCRIPT and node.id in scope]
    for node in sorted(taken, key=lambda n: (n.lineno, n.col_offset), reverse=True):
        line, at = lines[node.lineno - 1], node.col_offset
        if line[at:].startswith(node.id.encode()):  # within an f-string, places are told from Python 3.12 on
            lines[node.lineno - 1] = line[:at] + _free(node.id).encode() + line[at + len(node.id) :]
    return b"\n".join(lines).decode()


def _names(tree: ast.AST) -> tuple[list[str], list[str]]:
    """Names of its surroundings that are read when the code runs, and those that annotations alone name."""
    read, annotations = (dict.fromkeys(node.id for node in places) for places in _places(tree))
    return list(read), [name for name in annotations if name not in read]


def _places(tree: ast.AST) -> tuple[list[ast.Name], list[ast.Name]]:
    """Where names of its surroundings are read when the code runs, and where in annotations."""
    read: list[ast.Name] = []
    annotations: list[ast.Name] = []

    def visit(node: ast.AST, found: list[ast.Name], own: frozenset[str]) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in own and not hasattr(builtins, node.id):
            found.append(node)
        inside = own | _own_names(node)
        for name, child in ast.iter_fields(node):
            for each in child if isinstance(child, list) else [child]:
                if isinstance(each, ast.AST):
                    outside = name in ("annotation", "returns", "decorator_list")
                    visit(each, annotations if name in ("annotation", "returns") else found, own if outside else inside)

    visit(tree, read, frozenset())
    return read, annotations


def _own_names(node: ast.AST) -> frozenset[str]:
    """The arguments and local variables of a function; nothing for any other code."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return frozenset()
    arguments = node.args
    given = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg)))
    names = {argument.arg for argument in given}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and part is not node:
            names.add(part.name)
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in part.names}
    shared = {name for part in ast.walk(node) if isinstance(part, (ast.Global, ast.Nonlocal)) for name in part.names}
    return frozenset(names - shared)


def _assigned(name: str, module: types.ModuleType | None) -> ast.expr | None:
    """The expression that a module's variable is last given at the top of its file."""
    file = getattr(module, "__file__", None)
    tree = ast.parse("".join(linecache.getlines(file))) if file else ast.Module([], [])
    found = [
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [name]
    ]
    return found[-1] if found else None


def _arguments(node: ast.Lambda) -> tuple[str, ...]:
    return tuple(a.arg for a in (*node.args.posonlyargs, *node.args.args))
