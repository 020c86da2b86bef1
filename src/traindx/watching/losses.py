"""Which of torch's losses a loss function is, also where it is called as a function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn import functional as F  # as everybody calls it

_FUNCTIONS: dict[Callable[..., Any], type[nn.Module]] = {
    F.cross_entropy: nn.CrossEntropyLoss,
    F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
    F.binary_cross_entropy: nn.BCELoss,
    F.nll_loss: nn.NLLLoss,
    F.mse_loss: nn.MSELoss,
    F.l1_loss: nn.L1Loss,
    F.smooth_l1_loss: nn.SmoothL1Loss,
    F.huber_loss: nn.HuberLoss,
}


def is_loss(loss_fn: Any, *kinds: type[nn.Module]) -> bool:
    """Whether it computes a loss of one of these kinds: as a module, as torch's function, or as that with options. What wraps one is unknown."""
    while isinstance(loss_fn, functools.partial):
        loss_fn = loss_fn.func
    return isinstance(loss_fn, kinds) or any(kind in kinds for function, kind in _FUNCTIONS.items() if function is loss_fn)
