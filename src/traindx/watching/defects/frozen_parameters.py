"""Parameters that should learn do not: drawn at random and frozen, or held at a rate of zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from traindx.records import Branch
from traindx.watching.defects.base import LIKELY, Detector
from traindx.watching.loop import Loop

# Rates of zero for so many updates: a warm-up that begins at zero has left it long before.
UPDATES_AT_ZERO = 20
# What follows other weights has been changed after so many.
UPDATES_UNCHANGED = 8
# Below this many weights, a distribution cannot be told.
LEAST_WEIGHTS = 64
# Kolmogorov's distance at which a sample of n differs from its distribution at the level 0.001, times the root of n.
KOLMOGOROV = 1.95


class FrozenParameters(Detector):
    """Seen where frozen weights still have the distribution that their layer draws, so that nobody has ever trained them; or where all
    parameters are frozen, or a group's learning rate is exactly zero. To freeze what was trained before is common, and no finding; nor is a
    copy that follows the trained weights, or a fixed network through which something else is optimized.
    """

    cause = "frozen-parameters"
    branch = Branch.OPTIMIZATION
    confidence = LIKELY
    needed = 1
    of_the_loop = False
    settles = "let every parameter learn"

    def __init__(self) -> None:
        super().__init__()
        self._at_zero = 0
        self._fresh: dict[str, Tensor] = {}
        """A few weights of the layers that are frozen as they were drawn."""

    def started(self, loop: Loop) -> None:
        """Frozen weights against the distributions of fresh ones."""
        parameters = list(loop.module.parameters())
        if not any(id(p) in loop.names for p in loop.optimized):
            return
        if parameters and not any(p.requires_grad for p in parameters):
            self.saw(loop, "no parameter of the model requires gradients")
        else:
            frozen = {name: weight for name, m in loop.module.named_modules() if (weight := _frozen(m)) is not None and is_fresh(m)}
            self._fresh = {name: _few(weight) for name, weight in frozen.items() if not _has_a_twin(weight, parameters)}

    def updated(self, loop: Loop) -> None:
        """Are they still what they were? Then, rates of zero."""
        if self.held is not None:
            return
        if self._fresh and loop.updates >= UPDATES_UNCHANGED:
            self._weigh_fresh(loop)
        groups = [g for optimizer in loop.optimizers for g in optimizer.param_groups if g["params"]]
        self._at_zero = self._at_zero + 1 if any(g["lr"] == 0 for g in groups) else 0
        if self._at_zero >= UPDATES_AT_ZERO:
            self.saw(loop, f"a group of parameters has had a learning rate of zero for {UPDATES_AT_ZERO} updates", value=self._at_zero)

    def ended(self, loop: Loop) -> None:
        """A training of a few updates."""
        if self._fresh and self.held is None and loop.updates:
            self._weigh_fresh(loop)

    def _weigh_fresh(self, loop: Loop) -> None:
        """Those that nothing has changed or unfrozen since."""
        frozen = {name: weight for name, m in loop.module.named_modules() if (weight := _frozen(m)) is not None}
        kept = [name for name, few in self._fresh.items() if name in frozen and torch.equal(_few(frozen[name]), few)]
        self._fresh = {}
        if kept:
            said = f"frozen, with weights as they are drawn at random: {', '.join(kept[:3])}{' and more' if len(kept) > 3 else ''}"
            self.saw(loop, said, kept[0], len(kept))


def _weight(module: nn.Module) -> nn.Parameter | None:
    """The layer's own, where it is large enough to be judged."""
    weight = getattr(module, "weight", None)
    return weight if isinstance(weight, nn.Parameter) and weight.numel() >= LEAST_WEIGHTS else None


def _frozen(module: nn.Module) -> nn.Parameter | None:
    """The layer's own weight, where that is frozen."""
    weight = _weight(module)
    return None if weight is None or weight.requires_grad else weight


def _few(weight: Tensor) -> Tensor:
    return weight.detach().flatten()[:LEAST_WEIGHTS].clone()


def _has_a_twin(weight: Tensor, parameters: list[nn.Parameter]) -> bool:
    """Whether another parameter has the same values: it is a copy, and may be made anew from time to time."""
    return any(p is not weight and p.shape == weight.shape and torch.equal(p, weight) for p in parameters)


def is_fresh(module: nn.Module) -> bool:
    """Whether the layer's weight is distributed as torch draws it: uniform within 1 / sqrt(fan in), normal for embeddings."""
    weight = _weight(module)
    if weight is None:
        return False
    values = weight.detach().float().flatten()[:4096]
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        bound = 1 / math.sqrt(weight[0].numel())
        return bool(values.abs().max() <= bound * (1 + 1e-6)) and _fits(values, (values / bound + 1) / 2)
    return isinstance(module, nn.Embedding) and _fits(values, 0.5 * (1 + torch.erf(values / math.sqrt(2))))


def _fits(values: Tensor, probabilities: Tensor) -> bool:
    """Kolmogorov and Smirnov: whether the values' cumulative probabilities under a distribution are uniform."""
    ordered = probabilities.sort().values
    steps = torch.arange(1, len(values) + 1, device=values.device) / len(values)
    return float((ordered - steps).abs().max()) * math.sqrt(len(values)) < KOLMOGOROV
