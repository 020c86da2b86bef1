"""The audit of activations: what a fresh model's hidden units put out on real rows, whether they are modules or functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from traindx.experiments.audit.measured import evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence
from traindx.remedies.surgery.trace import function_name
from traindx.training import evaluated_index, evaluation_mode

ROWS = 128
# An output this close to a bound, as a share of the distance between the bounds, counts as pinned: the slope is below a tenth of its top.
PINNED_SHARE = 0.025
BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "hardtanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0), "softsign": (-1.0, 1.0)}
RECTIFIERS = ("relu", "relu6")


class _Watch(TorchFunctionMode):
    """Notes, for every call of an activation: units that are zero for all rows, or the share of outputs near a bound."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: list[float] = []
        self.pinned: list[float] = []

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = function_name(func).rstrip("_")
        if isinstance(result, Tensor) and result.ndim >= 2 and result.numel() and (name in RECTIFIERS or name in BOUNDS):
            values = result.detach()
            if name in RECTIFIERS:
                self.dead.append(float((values == 0).float().amin([0, *range(2, values.ndim)]).mean()))
            else:
                low, high = BOUNDS[name]
                edge = PINNED_SHARE * (high - low)
                self.pinned.append(float(((values < low + edge) | (values > high - edge)).float().mean()))
        return result


def activity_evidence(lab: Lab) -> Sequence[Evidence]:
    """``dead_share`` of rectifiers and ``pinned_share`` of bounded activations, of the worst layer; the output's own activation is one too."""
    model = lab.task.build(lab.recipe.seed)
    watch = _Watch()
    batch = next(lab.task.train.batches([evaluated_index(len(lab.task.train), ROWS)], torch.device("cpu")))
    try:
        with evaluation_mode(model), watch:
            lab.task.forward(model, batch)
    except Exception as error:  # the user's own code: the baseline run will tell
        return [evidence("not-applicable", float("nan"), subject="activity", text=f"{type(error).__name__}: {error}")]
    found = [evidence("dead_share", max(watch.dead))] if watch.dead else []
    return [*found, evidence("pinned_share", max(watch.pinned))] if watch.pinned else found
