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
import linecache
import math
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from traindx.records import InputError

# Longer tensors belong into a file, not into a script.
MOST_NUMBERS = 1000
# Arguments of torch's layers and losses that are deprecated, or say where and not what.
IGNORED = ("device", "dtype", "_weight", "_freeze", "size_average", "reduce", "args", "kwargs")
INSTALLED = ("site-packages", "dist-packages")


def refuse(what: str, instead: str = "write the script by hand from the changes in words") -> InputError:
    """The error for something that cannot be written as code."""
    return InputError("export", what, instead)


class Source:
    """The imports and definitions that a script needs, each once, in an order in which they can be read."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.definitions: dict[str, str] = {}
        self._known: dict[str, Any] = {}
        self.tensors: dict[str, Tensor] = {}

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

    def _tensor(self, item: Tensor) -> str:
        if item.numel() > MOST_NUMBERS:
            raise refuse(f"found a tensor of {item.numel()} numbers where the script would have to spell it out")
        self.imports.add("import torch")
        return f"torch.tensor({item.detach().cpu().tolist()!r}, dtype={item.dtype})".replace("nan", 'float("nan")').replace(
            "inf", 'float("inf")'
        )

    def _call(self, function: str, positional: list[str], keywords: dict[str, Any], needs: str = "") -> str:
        if needs:
            self.imports.add(needs)
        return f"{function}({', '.join([*positional, *(f'{k}={self.value(v)}' for k, v in keywords.items())])})"

    def _instance(self, item: Any) -> str:
        if dataclasses.is_dataclass(item):
            fields = {f.name: getattr(item, f.name) for f in dataclasses.fields(item) if f.init}
            return self._call(self.define(type(item)), [], fields)
        if isinstance(item, enum.Enum):
            return f"{self.define(type(item))}.{item.name}"
        if isinstance(item, nn.Module):
            return self.construct(item)
        if not getattr(item, "__dict__", None):
            return f"{self.define(type(item))}()"
        raise refuse(f"found a {type(item).__name__} whose state is known to itself alone")

    def construct(self, module: nn.Module, child: Any = None) -> str:
        """A module by its constructor, whose arguments are the attributes of the same names; ``child`` writes the modules inside."""
        child = child or self.construct
        if isinstance(module, (nn.Sequential, nn.ModuleList)) and type(module).__module__.startswith("torch."):
            parts = [child(m) for m in module]
            return self._call(self.define(type(module)), [f"[{', '.join(parts)}]"] if isinstance(module, nn.ModuleList) else parts, {})
        if isinstance(module, (torch.fx.GraphModule, nn.modules.lazy.LazyModuleMixin)):
            raise refuse(f"found a {type(module).__name__} inside the network")
        arguments = {
            name: arg for name, parameter in _parameters(module).items() if (arg := _argument(module, name, parameter)) is not None
        }
        written = [f"{name}={child(a[0]) if isinstance(a[0], nn.Module) else self.value(a[0])}" for name, a in arguments.items()]
        first = next(iter(_parameters(module)), None)
        return f"{self.define(type(module))}({', '.join(w.removeprefix(f'{first}=') if i == 0 else w for i, w in enumerate(written))})"

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
            return name
        self._known[name] = item
        try:
            code = textwrap.dedent(inspect.getsource(item)).strip()
        except (OSError, TypeError):
            raise refuse(f"the source of {name} is not to be had", "define it in a file") from None
        self._need(ast.parse(code), item)
        self.definitions[name] = code
        return name

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
        return ast.unparse(same[0] if parameters else same[0].body)

    def _need(self, tree: ast.AST, item: Any) -> None:
        """Whatever the code names, in the order of appearance."""
        scope = _scope(item)
        for name in _names(tree):
            if name in scope and name not in self._known:
                self._bring(name, scope[name])

    def _bring(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType):
            self._module(value, name)
        elif (isinstance(value, type) or inspect.isroutine(value)) and getattr(value, "__name__", None) != "<lambda>":
            defined = self.define(value)
            if defined != name and name != defined.rpartition(".")[2]:
                self.definitions[name] = f"{name} = {defined}"
        elif type(value).__module__ in ("typing", "collections.abc", "types") or isinstance(value, types.GenericAlias):
            self._known[name] = value  # an alias of a type, which nothing is done with when the script runs
        else:
            self._known[name] = value
            self.definitions[name] = f"{name} = {self.value(value)}"

    def _module(self, module: types.ModuleType, name: str) -> str:
        if _is_copied_module(module):
            raise refuse(f"the code names the module {module.__name__}", "import the names that are used, one by one")
        parent, _, last = module.__name__.rpartition(".")
        if parent and last == name:
            self.imports.add(f"from {parent} import {name}")
        else:
            self.imports.add(f"import {module.__name__}" + ("" if module.__name__ == name else f" as {name}"))
        self._known[name] = module
        return name

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
        self.imports.add(f"from {module} import {name}")
        self._known[name] = item
        return str(name)


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
    return dict(inspect.signature(type(module)).parameters)


def _argument(module: nn.Module, name: str, parameter: inspect.Parameter) -> tuple[Any] | None:
    """What a constructor was given, read off the module; None where it is the default."""
    if name in IGNORED:
        return None
    if not hasattr(module, name):
        raise refuse(f"{type(module).__name__} does not keep its argument {name}")
    value = getattr(module, name)
    if name == "bias" and isinstance(value, (Tensor, type(None))) and isinstance(parameter.default, bool):
        value = value is not None
    if not isinstance(value, (Tensor, nn.Module)) and parameter.default is not inspect.Parameter.empty and value == parameter.default:
        return None
    if value is None and parameter.default is None:
        return None
    return (value,)


def _scope(item: Any) -> dict[str, Any]:
    """The names that code of this object sees: its module's, and those it closes over."""
    functions = [f for f in vars(item).values() if inspect.isfunction(f)] if isinstance(item, type) else [item]
    scope = dict(vars(sys.modules[item.__module__])) if isinstance(item, type) else dict(item.__globals__)
    for function in functions:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name != "__class__":
                scope[name] = cell.cell_contents
    if isinstance(item, type):
        scope |= {base.__name__: base for base in item.__mro__[1:] if base is not object}
    return scope


def _names(tree: ast.AST) -> list[str]:
    """Names that are read when the code runs: those of annotations are not."""
    found: dict[str, None] = {}

    class Visitor(ast.NodeVisitor):
        def visit_Name(self, node: ast.Name) -> None:
            if isinstance(node.ctx, ast.Load) and not hasattr(builtins, node.id):
                found[node.id] = None

        def visit_arg(self, node: ast.arg) -> None:
            pass

        def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
            if node.value is not None:
                self.visit(node.value)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            for part in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d), *node.body):
                self.visit(part)

    Visitor().visit(tree)
    return list(found)


def _arguments(node: ast.Lambda) -> tuple[str, ...]:
    return tuple(a.arg for a in (*node.args.posonlyargs, *node.args.args))
