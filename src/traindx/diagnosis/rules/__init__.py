"""A rule weighs the evidence for one cause: one file a cause, listed here."""

from __future__ import annotations

from traindx.diagnosis.rules.bad_initialization import BadInitialization
from traindx.diagnosis.rules.base import Rule
from traindx.diagnosis.rules.batch_too_large import BatchTooLarge
from traindx.diagnosis.rules.batch_too_small import BatchTooSmall
from traindx.diagnosis.rules.bottleneck import Bottleneck
from traindx.diagnosis.rules.class_imbalance import ClassImbalance
from traindx.diagnosis.rules.covariate_shift import CovariateShift
from traindx.diagnosis.rules.data_not_shuffled import DataNotShuffled
from traindx.diagnosis.rules.dead_units import DeadUnits
from traindx.diagnosis.rules.detached_graph import DetachedGraph
from traindx.diagnosis.rules.exploding_gradient import ExplodingGradient
from traindx.diagnosis.rules.features_insufficient import FeaturesInsufficient
from traindx.diagnosis.rules.frozen_parameters import FrozenParameters
from traindx.diagnosis.rules.gradient_clipping_too_tight import GradientClippingTooTight
from traindx.diagnosis.rules.label_noise import LabelNoise
from traindx.diagnosis.rules.label_shift import LabelShift
from traindx.diagnosis.rules.labels_unrelated_to_inputs import LabelsUnrelatedToInputs
from traindx.diagnosis.rules.learning_rate_decays_too_fast import LearningRateDecaysTooFast
from traindx.diagnosis.rules.learning_rate_too_high import LearningRateTooHigh
from traindx.diagnosis.rules.learning_rate_too_low import LearningRateTooLow
from traindx.diagnosis.rules.local_minimum import LocalMinimum
from traindx.diagnosis.rules.loss_summed_over_batch import LossSummedOverBatch
from traindx.diagnosis.rules.missing_augmentation import MissingAugmentation
from traindx.diagnosis.rules.missing_decay import MissingDecay
from traindx.diagnosis.rules.missing_nonlinearity import MissingNonlinearity
from traindx.diagnosis.rules.missing_normalization import MissingNormalization
from traindx.diagnosis.rules.missing_warmup import MissingWarmup
from traindx.diagnosis.rules.model_too_flexible import ModelTooFlexible
from traindx.diagnosis.rules.model_too_simple import ModelTooSimple
from traindx.diagnosis.rules.momentum_too_high import MomentumTooHigh
from traindx.diagnosis.rules.non_finite_data import NonFiniteData
from traindx.diagnosis.rules.optimizer_unsuited import OptimizerUnsuited
from traindx.diagnosis.rules.output_target_shape_mismatch import OutputTargetShapeMismatch
from traindx.diagnosis.rules.output_width_wrong import OutputWidthWrong
from traindx.diagnosis.rules.over_regularized import OverRegularized
from traindx.diagnosis.rules.preprocessing_mismatch import PreprocessingMismatch
from traindx.diagnosis.rules.saddle_point import SaddlePoint
from traindx.diagnosis.rules.saturating_activation import SaturatingActivation
from traindx.diagnosis.rules.single_unit_softmax import SingleUnitSoftmax
from traindx.diagnosis.rules.softmax_before_cross_entropy import SoftmaxBeforeCrossEntropy
from traindx.diagnosis.rules.too_deep_without_skips import TooDeepWithoutSkips
from traindx.diagnosis.rules.too_little_data import TooLittleData
from traindx.diagnosis.rules.train_test_leakage import TrainTestLeakage
from traindx.diagnosis.rules.trained_too_briefly import TrainedTooBriefly
from traindx.diagnosis.rules.trained_too_long import TrainedTooLong
from traindx.diagnosis.rules.unnormalized_input import UnnormalizedInput
from traindx.diagnosis.rules.unnormalized_target import UnnormalizedTarget
from traindx.diagnosis.rules.vanishing_gradient import VanishingGradient
from traindx.diagnosis.rules.wrong_labels import WrongLabels
from traindx.diagnosis.rules.wrong_loss import WrongLoss
from traindx.diagnosis.rules.wrong_output_activation import WrongOutputActivation

RULES: tuple[Rule, ...] = (
    LocalMinimum(),
    SaddlePoint(),
    LossSummedOverBatch(),
    UnnormalizedTarget(),
    SoftmaxBeforeCrossEntropy(),
    WrongOutputActivation(),
    WrongLoss(),
    GradientClippingTooTight(),
    DataNotShuffled(),
    MomentumTooHigh(),
    BatchTooLarge(),
    BatchTooSmall(),
    LearningRateDecaysTooFast(),
    MissingWarmup(),
    MissingDecay(),
    OptimizerUnsuited(),
    ExplodingGradient(),
    DeadUnits(),
    SaturatingActivation(),
    BadInitialization(),
    MissingNormalization(),
    TooDeepWithoutSkips(),
    OverRegularized(),
    FrozenParameters(),
    DetachedGraph(),
    SingleUnitSoftmax(),
    OutputTargetShapeMismatch(),
    OutputWidthWrong(),
    MissingNonlinearity(),
    LearningRateTooHigh(),
    LearningRateTooLow(),
    TrainedTooBriefly(),
    UnnormalizedInput(),
    VanishingGradient(),
    ModelTooSimple(),
    Bottleneck(),
    FeaturesInsufficient(),
    ModelTooFlexible(),
    MissingAugmentation(),
    TooLittleData(),
    TrainedTooLong(),
    CovariateShift(),
    LabelShift(),
    LabelNoise(),
    NonFiniteData(),
    WrongLabels(),
    TrainTestLeakage(),
    LabelsUnrelatedToInputs(),
    PreprocessingMismatch(),
    ClassImbalance(),
)

__all__ = ["RULES", "Rule"]
