"""The rules: one file a rule, listed by code."""

from __future__ import annotations

from traindx.check.base import Rule
from traindx.check.rules.clipping_scaled_gradients import ClippingScaledGradients
from traindx.check.rules.clipping_without_effect import ClippingWithoutEffect
from traindx.check.rules.data_not_shuffled import DataNotShuffled
from traindx.check.rules.detached_graph import DetachedGraph
from traindx.check.rules.dropout_always_on import DropoutAlwaysOn
from traindx.check.rules.eval_mode_while_training import EvalModeWhileTraining
from traindx.check.rules.freezing_without_effect import FreezingWithoutEffect
from traindx.check.rules.gradients_cleared_before_step import GradientsClearedBeforeStep
from traindx.check.rules.gradients_while_evaluating import GradientsWhileEvaluating
from traindx.check.rules.layer_made_in_forward import LayerMadeInForward
from traindx.check.rules.loss_arguments_swapped import LossArgumentsSwapped
from traindx.check.rules.loss_kept_with_graph import LossKeptWithGraph
from traindx.check.rules.loss_sign_flipped import LossSignFlipped
from traindx.check.rules.missing_backward import MissingBackward
from traindx.check.rules.missing_optimizer_step import MissingOptimizerStep
from traindx.check.rules.missing_zero_grad import MissingZeroGrad
from traindx.check.rules.no_effect import NoEffect
from traindx.check.rules.parameters_not_in_optimizer import ParametersNotInOptimizer
from traindx.check.rules.preprocessing_mismatch import PreprocessingMismatch
from traindx.check.rules.scaled_gradients_stepped import ScaledGradientsStepped
from traindx.check.rules.scheduler_before_optimizer import SchedulerBeforeOptimizer
from traindx.check.rules.scheduler_wrong_rhythm import SchedulerWrongRhythm
from traindx.check.rules.seeds_never_set import SeedsNeverSet
from traindx.check.rules.single_unit_softmax import SingleUnitSoftmax
from traindx.check.rules.softmax_before_cross_entropy import SoftmaxBeforeCrossEntropy
from traindx.check.rules.targets_misaligned import TargetsMisaligned
from traindx.check.rules.test_set_used_for_selection import TestSetUsedForSelection
from traindx.check.rules.train_mode_while_evaluating import TrainModeWhileEvaluating
from traindx.check.rules.train_test_leakage import TrainTestLeakage
from traindx.check.rules.unregistered_layers import UnregisteredLayers
from traindx.check.rules.wrong_loss import WrongLoss
from traindx.check.rules.wrong_output_activation import WrongOutputActivation

RULES: tuple[Rule, ...] = (
    MissingZeroGrad(),
    MissingBackward(),
    MissingOptimizerStep(),
    NoEffect(),
    GradientsClearedBeforeStep(),
    DetachedGraph(),
    LossKeptWithGraph(),
    ClippingWithoutEffect(),
    ClippingScaledGradients(),
    ScaledGradientsStepped(),
    LossSignFlipped(),
    SoftmaxBeforeCrossEntropy(),
    WrongLoss(),
    LossArgumentsSwapped(),
    SingleUnitSoftmax(),
    WrongOutputActivation(),
    ParametersNotInOptimizer(),
    UnregisteredLayers(),
    LayerMadeInForward(),
    FreezingWithoutEffect(),
    SchedulerBeforeOptimizer(),
    SchedulerWrongRhythm(),
    TrainModeWhileEvaluating(),
    EvalModeWhileTraining(),
    GradientsWhileEvaluating(),
    DropoutAlwaysOn(),
    TestSetUsedForSelection(),
    DataNotShuffled(),
    SeedsNeverSet(),
    TargetsMisaligned(),
    PreprocessingMismatch(),
    TrainTestLeakage(),
)
