"""A rule weighs the evidence for one cause: one file a cause, listed here."""

from __future__ import annotations

from traindx.diagnosis.rules.base import Rule
from traindx.diagnosis.rules.bottleneck import Bottleneck
from traindx.diagnosis.rules.covariate_shift import CovariateShift
from traindx.diagnosis.rules.features_insufficient import FeaturesInsufficient
from traindx.diagnosis.rules.label_noise import LabelNoise
from traindx.diagnosis.rules.label_shift import LabelShift
from traindx.diagnosis.rules.learning_rate_too_high import LearningRateTooHigh
from traindx.diagnosis.rules.learning_rate_too_low import LearningRateTooLow
from traindx.diagnosis.rules.model_too_flexible import ModelTooFlexible
from traindx.diagnosis.rules.model_too_simple import ModelTooSimple
from traindx.diagnosis.rules.too_little_data import TooLittleData
from traindx.diagnosis.rules.trained_too_briefly import TrainedTooBriefly
from traindx.diagnosis.rules.trained_too_long import TrainedTooLong
from traindx.diagnosis.rules.unnormalized_input import UnnormalizedInput
from traindx.diagnosis.rules.vanishing_gradient import VanishingGradient

RULES: tuple[Rule, ...] = (
    LearningRateTooHigh(),
    LearningRateTooLow(),
    TrainedTooBriefly(),
    UnnormalizedInput(),
    VanishingGradient(),
    ModelTooSimple(),
    Bottleneck(),
    FeaturesInsufficient(),
    ModelTooFlexible(),
    TooLittleData(),
    TrainedTooLong(),
    CovariateShift(),
    LabelShift(),
    LabelNoise(),
)

__all__ = ["RULES", "Rule"]
