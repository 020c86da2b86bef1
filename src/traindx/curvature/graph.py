"""How much memory a graph of autograd holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

PREFIX = "_saved_"
_ATTRIBUTES: dict[type, tuple[str, ...]] = {}


def saved_bytes(roots: Iterable[Tensor], without: Iterable[Tensor]) -> int:
    """Bytes of the storages that the graphs behind these tensors keep alive, each counted once; those of ``without`` are not counted.

    Cost: a walk over the nodes, some microseconds each.
    """
    seen = {tensor.untyped_storage().data_ptr() for tensor in without}
    total, visited = 0, set()
    pending: list[Any] = [root.grad_fn for root in roots if root.grad_fn is not None]
    while pending:
        node = pending.pop()
        if node in visited:
            continue
        visited.add(node)
        pending.extend(following for following, _ in node.next_functions if following is not None)
        for tensor in _saved(node):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                total += storage.nbytes()
    return total


def _saved(node: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for name in _attributes(type(node)):
        value = getattr(node, name)
        found.extend(item for item in (value if isinstance(value, list | tuple) else (value,)) if isinstance(item, Tensor))
    return found


def _attributes(kind: type) -> tuple[str, ...]:
    """The names under which nodes of this kind show what they saved; functions written in Python have one name of their own."""
    if kind not in _ATTRIBUTES:
        _ATTRIBUTES[kind] = tuple(name for name in dir(kind) if name.startswith(PREFIX) or name == "saved_tensors")
    return _ATTRIBUTES[kind]
