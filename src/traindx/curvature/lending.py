"""A model, lent for one pass: it computes with other tensors in place of its own, and gets everything back, also after an error.

Its own parameters and buffers are never written to. What a pass moves (running statistics, power iterations, caches that modules hang on
themselves) is moved in copies, which are thrown away.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

SEED_RANGE = 2**32


class Copies:
    """Copies of all parameters and buffers of a model at one moment; those of the chosen parameters are the leaves of graphs."""

    def __init__(self, model: nn.Module, chosen: list[nn.Parameter]) -> None:
        among = {id(p) for p in chosen}
        self._parameters = {id(p): nn.Parameter(p.detach().clone(), requires_grad=id(p) in among) for p in model.parameters()}
        self._buffers = {id(b): b.detach().clone() for b in model.buffers()}
        copies: dict[int, Tensor] = {**self._parameters, **self._buffers}
        # A dictionary of a module, a name in it, the tensor that was found there, and its copy.
        self._places: list[tuple[dict[str, Any], str, Tensor, Tensor]] = [
            (held, name, tensor, copies[id(tensor)])
            for module in model.modules()
            for held in (module._parameters, module._buffers)
            for name, tensor in held.items()
            if tensor is not None
        ]
        self.leaves: list[Tensor] = [self._parameters[id(p)] for p in chosen]

    def are_current(self) -> bool:
        """Whether the model still holds the same tensors with the same values. Cost: one read of them."""
        return all(held.get(name) is tensor and torch.equal(tensor, copy) for held, name, tensor, copy in self._places)

    def parameters(self) -> Mapping[int, nn.Parameter]:
        """The copies by the id of the original: the same ones for every pass."""
        return self._parameters

    def buffers(self) -> Mapping[int, Tensor]:
        """Copies of the buffers by the id of the original: new ones for every pass, which may write to them."""
        return {key: buffer.clone() for key, buffer in self._buffers.items()}


@contextmanager
def lent(model: nn.Module, copies: Copies, training: bool, seed: int) -> Iterator[None]:
    """The model on the copies, in one mode, with seeded random states and kernels that can be differentiated twice."""
    with ExitStack() as stack:
        stack.enter_context(seeded(seed))
        stack.enter_context(twice_differentiable(model))
        stack.enter_context(_returned(model))
        model.train(training)
        _put(model, copies.parameters(), copies.buffers())
        yield


def _put(model: nn.Module, parameters: Mapping[int, nn.Parameter], buffers: Mapping[int, Tensor]) -> None:
    """Put the copies in all places of the originals. By setattr, which recurrent layers use to renew their own lists of weights."""
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                setattr(module, name, parameters[id(parameter)])
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                setattr(module, name, buffers[id(buffer)])


@contextmanager
def _returned(model: nn.Module) -> Iterator[None]:
    """Mode, parameters, buffers and tensors kept as plain attributes (old-style weight norms have those) come back as the same objects."""
    before = [
        (m, m.training, dict(m._parameters), dict(m._buffers), {k: v for k, v in vars(m).items() if isinstance(v, Tensor)})
        for m in model.modules()
    ]
    try:
        yield
    finally:
        for module, mode, parameters, buffers, attributes in before:
            module.training = mode
            for name, tensor in (*parameters.items(), *buffers.items()):
                if tensor is not None:
                    setattr(module, name, tensor)
            vars(module).update(attributes)


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Kernels with second derivatives.

    Of the attention kernels only the plain one has them; the fast path of nn.TransformerEncoder has no derivatives at all, and would give
    losses that differ from the differentiated one in the last digits. cuDNN's recurrent layers cannot be differentiated twice. For the
    fused weight norm see `_PlainWeightNorm`.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    recurrent = torch.backends.cudnn.is_available() and any(isinstance(module, nn.RNNBase) for module in model.modules())
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(_PlainWeightNorm())
        if recurrent:
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


class _PlainWeightNorm(TorchFunctionMode):
    """Weight norm by its formula. The fused one holds the norms constant in its second derivative, which then is wrong without a word."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch._weight_norm:
            return func(*args, **(kwargs or {}))
        return _weight_norm(*args, **(kwargs or {}))


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    return v * (g / torch.norm_except_dim(v, 2, dim))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Python's, NumPy's and torch's global random states set to this seed, and put back."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        random.seed(seed)
        np.random.seed(seed % SEED_RANGE)
        torch.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.random.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
