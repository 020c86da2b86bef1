"""Identity shortcuts around blocks of equal width."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from traindx.records import NotApplicable
from traindx.remedies.surgery.edit import replace, surgery
from traindx.remedies.surgery.layers import activation_kind, is_residual_add
from traindx.remedies.surgery.trace import Call, Probe, Trace, atomic, trace

WHOLE = 3
"""A user's module of unchanged shape is one block, but a plain chain of more layers than this is searched for blocks inside."""


class Residual(nn.Module):
    """``x + scale * block(x)``."""

    def __init__(self, block: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.block = block
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """The input plus what the block makes of it."""
        branch: Tensor = self.block(x)
        return x + self.scale * branch

    def extra_repr(self) -> str:
        """The scale."""
        return f"scale={self.scale:.4g}"


@surgery
def add_skips(model: nn.Module, probe: Probe) -> nn.Module:
    """Wrap every hidden block that keeps its input's shape in a Residual; of n blocks, each branch counts 1/n.

    A block is a layer with the norm and activation behind it in an nn.Sequential, or a module that another one holds and calls. So
    scaled, depth n multiplies the signal by at most (1 + c/n)^n < e^c. Scaling the branch rather than its weights also holds with norms
    and saturating activations: on the digits data with 56 layers (ReLU, tanh, sigmoid; SGD at 0.01 and 0.1, Adam; one seed) it trained
    every time, where weights over n and a learned scale each diverged in some.
    """
    seen = trace(model, probe)
    search = _Search(seen)
    search.children(model)
    if not search.blocks:
        added = any(n.label == "add" and is_residual_add(seen, n) for n in seen.nodes)
        already = "; what keeps its shape has shortcuts already" if added else ""
        raise NotApplicable(f"no hidden block maps one shape to the same shape{already}")
    scale = 1.0 / len(search.blocks)
    for block in search.blocks:
        if block.chain is None:
            model = replace(model, block.modules[0], Residual(block.modules[0], scale))
        else:
            _wrap(block.chain, block.modules, scale)
    return model


@dataclass(frozen=True)
class _Block:
    """Consecutive elements of a chain, or one module registered anywhere."""

    modules: tuple[nn.Module, ...]
    chain: nn.Sequential | None = None


def _wrap(chain: nn.Sequential, block: tuple[nn.Module, ...], scale: float) -> None:
    items = list(chain._modules.items())
    elements = [m for _, m in items]
    spans = (elements[i : i + len(block)] for i in range(len(elements)))
    start = next(i for i, span in enumerate(spans) if len(span) == len(block) and all(a is b for a, b in zip(span, block, strict=True)))
    body = block[0] if len(block) == 1 else nn.Sequential(*block)
    residual = Residual(body, scale)
    residual.training = body.training = block[0].training
    items[start : start + len(block)] = [(items[start][0], residual)]
    if all(name.isdigit() for name, _ in items):
        items = [(str(i), m) for i, (_, m) in enumerate(items)]
    chain._modules.clear()
    chain._modules.update(items)


class _Search:
    def __init__(self, seen: Trace) -> None:
        self.seen = seen
        self.blocks: list[_Block] = []
        self.taken: set[nn.Module] = set()

    def children(self, module: nn.Module) -> None:
        """Find blocks below a module."""
        calls = self.seen.called(module)
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward and calls:
            self.chain(module, calls[0])
        elif not atomic(module):
            for child in module.children():
                self.consider(child)

    def consider(self, module: nn.Module) -> None:
        """Take a module that is registered on its own, or search it."""
        calls = self.seen.called(module)
        if not calls:
            self.children(module)
            return
        weights = self.weights(calls[0])
        if not weights or module in self.taken:
            return
        inward = isinstance(module, nn.Sequential) or (weights > WHOLE and self.straight(calls[0]))
        before = len(self.blocks)
        if inward:
            self.children(module)
        if len(self.blocks) > before:
            return
        if self.fits(calls[0].inputs, calls[0].outputs, [calls[0]]):
            self.take((module,))
        elif not inward:
            self.children(module)

    def chain(self, module: nn.Sequential, call: Call) -> None:
        """Cut a chain at its layers; each layer with what follows up to the next one is a block when it keeps the shape."""
        position = next(i for i, c in enumerate(self.seen.calls) if c is call)
        elements = [c for c in self.seen.calls if c.parent == position]
        if [c.module for c in elements] != list(module):
            return
        heads = [i for i, c in enumerate(elements) if self.weights(c)]
        for head, following in pairwise([*heads, len(elements)]):
            first = elements[head]
            before = len(self.blocks)
            if self.weights(first) > 1:
                self.consider(first.module)
            if len(self.blocks) > before or first.module in self.taken:
                continue
            parts = elements[head:following]
            while parts and not (self.active(parts) and self.fits(first.inputs, parts[-1].outputs, parts)):
                parts = parts[:-1]
            if parts:
                self.take(tuple(p.module for p in parts), module)

    def take(self, modules: tuple[nn.Module, ...], chain: nn.Sequential | None = None) -> None:
        self.blocks.append(_Block(modules, chain))
        self.taken.add(modules[0])

    def weights(self, call: Call) -> int:
        return sum(n.weighted for n in self.seen.inside(call))

    def straight(self, call: Call) -> bool:
        return all(len(self.seen.live(n)) <= 1 for n in self.seen.inside(call))

    def active(self, parts: list[Call]) -> bool:
        return any(activation_kind(n) for p in parts for n in self.seen.inside(p))

    def fits(self, inputs: tuple[int, ...], outputs: tuple[int, ...], parts: list[Call]) -> bool:
        """One tensor in, one of the same shape out, hidden, and neither inside nor around it a shortcut or a fork."""
        seen = self.seen
        if len(inputs) != 1 or len(outputs) != 1 or seen.shape(inputs[0]) != seen.shape(outputs[0]):
            return False
        nodes = [n for p in parts for n in seen.inside(p)]
        within = {n.index for n in nodes}
        forked = any(reader.index not in within for reader in seen.consumers(inputs[0]))
        joined = any(is_residual_add(seen, n) for n in [*nodes, *seen.downstream(outputs[0])])
        return not forked and not joined and seen.values[inputs[0]].live and seen.reaches_weights(outputs[0])
