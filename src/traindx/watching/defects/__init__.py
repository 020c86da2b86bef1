"""A defect is recognised by what a loop really does: one file a defect, listed here."""

from __future__ import annotations

from traindx.watching.defects.base import Detector, Sighting
from traindx.watching.defects.detached_graph import DetachedGraph
from traindx.watching.defects.eval_mode_while_training import EvalModeWhileTraining
from traindx.watching.defects.frozen_parameters import FrozenParameters
from traindx.watching.defects.gradients_cleared_before_step import GradientsClearedBeforeStep
from traindx.watching.defects.loss_sign_flipped import LossSignFlipped
from traindx.watching.defects.missing_backward import MissingBackward
from traindx.watching.defects.missing_optimizer_step import MissingOptimizerStep
from traindx.watching.defects.missing_zero_grad import MissingZeroGrad
from traindx.watching.defects.non_finite_loss import NonFiniteData, NonFiniteLoss
from traindx.watching.defects.output_target_shape_mismatch import OutputTargetShapeMismatch
from traindx.watching.defects.parameters_not_in_optimizer import ParametersNotInOptimizer
from traindx.watching.defects.scheduler_wrong_rhythm import SchedulerWrongRhythm
from traindx.watching.defects.softmax_before_cross_entropy import SoftmaxBeforeCrossEntropy
from traindx.watching.defects.targets_misaligned import TargetsMisaligned
from traindx.watching.defects.train_mode_while_evaluating import TrainModeWhileEvaluating

DETECTORS: tuple[type[Detector], ...] = (
    MissingBackward,
    MissingOptimizerStep,
    GradientsClearedBeforeStep,
    MissingZeroGrad,
    DetachedGraph,
    ParametersNotInOptimizer,
    FrozenParameters,
    LossSignFlipped,
    OutputTargetShapeMismatch,
    SoftmaxBeforeCrossEntropy,
    TargetsMisaligned,
    EvalModeWhileTraining,
    TrainModeWhileEvaluating,
    SchedulerWrongRhythm,
    NonFiniteData,
    NonFiniteLoss,
)
"""In the order in which findings of equal confidence are told."""

__all__ = ["DETECTORS", "Detector", "Sighting"]
