"""A remedy changes the task, the recipe or the model: the intervention of an experiment, the cure of a treatment."""

from __future__ import annotations

from traindx.records import InputError, RemedyRef
from traindx.remedies.base import Remedy
from traindx.remedies.drop_suspect_labels import DropSuspectLabels
from traindx.remedies.fewer_rows import FewerRows
from traindx.remedies.match_test import ImportanceWeights, MatchClassProportions
from traindx.remedies.model_changes import AddDropout, AddSkips, Deepen, InsertNormalization, Narrow, SwapActivations, Widen
from traindx.remedies.more_epochs import MoreEpochs
from traindx.remedies.scale_rate import ScaleRate
from traindx.remedies.standardize_inputs import StandardizeInputs
from traindx.remedies.stop_early import StopEarly
from traindx.remedies.weight_decay import AddWeightDecay

REMEDIES: tuple[type[Remedy], ...] = (
    ScaleRate,
    MoreEpochs,
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
    "Deepen",
    "DropSuspectLabels",
    "FewerRows",
    "ImportanceWeights",
    "InsertNormalization",
    "MatchClassProportions",
    "MoreEpochs",
    "Narrow",
    "Remedy",
    "ScaleRate",
    "StandardizeInputs",
    "StopEarly",
    "SwapActivations",
    "Widen",
    "make_remedy",
]
