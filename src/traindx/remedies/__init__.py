"""A remedy changes the task, the recipe or the model: the intervention of an experiment, the cure of a treatment."""

from __future__ import annotations

from traindx.records import InputError, RemedyRef
from traindx.remedies.align_inputs import AlignTestInputs, AlignValidationInputs
from traindx.remedies.align_shapes import AlignShapes
from traindx.remedies.augment import Augment
from traindx.remedies.augment_signals import AugmentSignals
from traindx.remedies.balance_classes import BalanceClasses
from traindx.remedies.base import Remedy
from traindx.remedies.black_box_shift import BlackBoxShift
from traindx.remedies.class_weights import ClassWeights
from traindx.remedies.clip_gradients import ClipGradients
from traindx.remedies.drop_suspect_labels import DropSuspectLabels
from traindx.remedies.ensemble import Ensemble
from traindx.remedies.erase import Erase
from traindx.remedies.escape_saddle import EscapeSaddle
from traindx.remedies.fewer_rows import FewerRows
from traindx.remedies.fill_missing import FillMissing
from traindx.remedies.input_noise import InputNoise
from traindx.remedies.insert_activations import InsertActivations
from traindx.remedies.label_smoothing import LabelSmoothing
from traindx.remedies.linear_output import LinearOutput
from traindx.remedies.loosen_clipping import LoosenClipping
from traindx.remedies.match_test import ImportanceWeights, MatchClassProportions
from traindx.remedies.mean_reduction import MeanReduction
from traindx.remedies.mix_up import MixUp
from traindx.remedies.model_changes import AddDropout, AddSkips, Deepen, InsertNormalization, Narrow, SwapActivations, Widen
from traindx.remedies.more_epochs import MoreEpochs
from traindx.remedies.output_width import OutputWidth
from traindx.remedies.perturb_start import PerturbStart
from traindx.remedies.proper_loss import ProperLoss
from traindx.remedies.realign_labels import RealignLabels
from traindx.remedies.reinitialize import Reinitialize
from traindx.remedies.remove_duplicates import RemoveDuplicates
from traindx.remedies.remove_regularization import RemoveRegularization
from traindx.remedies.repair_labels import RepairLabels
from traindx.remedies.robust_loss import RobustLoss
from traindx.remedies.scale_batch import ScaleBatch
from traindx.remedies.scale_rate import ScaleRate
from traindx.remedies.set_momentum import SetMomentum
from traindx.remedies.set_optimizer import SetOptimizer
from traindx.remedies.set_schedule import SetSchedule
from traindx.remedies.share_parameters import ShareParameters
from traindx.remedies.shuffle import Shuffle
from traindx.remedies.sigmoid_output import SigmoidOutput
from traindx.remedies.standardize_inputs import StandardizeInputs
from traindx.remedies.standardize_targets import StandardizeTargets
from traindx.remedies.stop_early import StopEarly
from traindx.remedies.unfreeze import Unfreeze
from traindx.remedies.warm_up import WarmUp
from traindx.remedies.weight_decay import AddWeightDecay

REMEDIES: tuple[type[Remedy], ...] = (
    ScaleRate,
    MoreEpochs,
    AlignShapes,
    ClipGradients,
    InsertActivations,
    LinearOutput,
    LoosenClipping,
    MeanReduction,
    OutputWidth,
    ProperLoss,
    Reinitialize,
    RemoveRegularization,
    PerturbStart,
    EscapeSaddle,
    ScaleBatch,
    SetMomentum,
    SetOptimizer,
    SetSchedule,
    Shuffle,
    SigmoidOutput,
    StandardizeTargets,
    Unfreeze,
    WarmUp,
    StopEarly,
    AddWeightDecay,
    StandardizeInputs,
    DropSuspectLabels,
    ImportanceWeights,
    MatchClassProportions,
    SwapActivations,
    InsertNormalization,
    AddSkips,
    AddDropout,
    Narrow,
    Widen,
    Deepen,
    FewerRows,
    Augment,
    FillMissing,
    RepairLabels,
    RemoveDuplicates,
    RealignLabels,
    AlignTestInputs,
    AlignValidationInputs,
    BalanceClasses,
    AugmentSignals,
    BlackBoxShift,
    ClassWeights,
    Ensemble,
    Erase,
    InputNoise,
    LabelSmoothing,
    MixUp,
    RobustLoss,
    ShareParameters,
)

_BY_ID = {remedy.id: remedy for remedy in REMEDIES}


def make_remedy(ref: RemedyRef) -> Remedy:
    """The remedy that a record names.

    Raises:
        InputError: when there is no remedy of this id, or it refuses the parameters.

    """
    if ref.id not in _BY_ID:
        raise InputError("remedy", f"found {ref.id!r}", f"use one of {', '.join(sorted(_BY_ID))}")
    try:
        return _BY_ID[ref.id](**ref.params)
    except TypeError as error:
        raise InputError(f"remedy {ref.id}", str(error), "give the parameters of its record") from None


__all__ = [
    "REMEDIES",
    "AddDropout",
    "AddSkips",
    "AddWeightDecay",
    "AlignShapes",
    "AlignTestInputs",
    "AlignValidationInputs",
    "Augment",
    "AugmentSignals",
    "BalanceClasses",
    "BlackBoxShift",
    "ClassWeights",
    "ClipGradients",
    "Deepen",
    "DropSuspectLabels",
    "Ensemble",
    "Erase",
    "EscapeSaddle",
    "FewerRows",
    "FillMissing",
    "ImportanceWeights",
    "InputNoise",
    "InsertActivations",
    "InsertNormalization",
    "LabelSmoothing",
    "LinearOutput",
    "LoosenClipping",
    "MatchClassProportions",
    "MeanReduction",
    "MixUp",
    "MoreEpochs",
    "Narrow",
    "OutputWidth",
    "PerturbStart",
    "ProperLoss",
    "RealignLabels",
    "Reinitialize",
    "Remedy",
    "RemoveDuplicates",
    "RemoveRegularization",
    "RepairLabels",
    "RobustLoss",
    "ScaleBatch",
    "ScaleRate",
    "SetMomentum",
    "SetOptimizer",
    "SetSchedule",
    "ShareParameters",
    "Shuffle",
    "SigmoidOutput",
    "StandardizeInputs",
    "StandardizeTargets",
    "StopEarly",
    "SwapActivations",
    "Unfreeze",
    "WarmUp",
    "Widen",
    "make_remedy",
]
