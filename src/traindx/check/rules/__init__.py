"""The rules: one file a rule, listed by code."""

from __future__ import annotations

from traindx.check.base import Rule
from traindx.check.rules.missing_backward import MissingBackward
from traindx.check.rules.missing_optimizer_step import MissingOptimizerStep
from traindx.check.rules.missing_zero_grad import MissingZeroGrad
from traindx.check.rules.no_effect import NoEffect
from traindx.check.rules.softmax_before_cross_entropy import SoftmaxBeforeCrossEntropy

RULES: tuple[Rule, ...] = (
    MissingZeroGrad(),
    MissingBackward(),
    MissingOptimizerStep(),
    NoEffect(),
    SoftmaxBeforeCrossEntropy(),
)
