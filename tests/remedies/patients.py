"""Tasks and recipes with one fault each, and for every remedy one that it mends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from traindx.records import Recipe
from traindx.remedies import (
    AddDropout,
    AddSkips,
    AddWeightDecay,
    AlignShapes,
    AlignTestInputs,
    AlignValidationInputs,
    Augment,
    AugmentSignals,
    BalanceClasses,
    BlackBoxShift,
    ClassWeights,
    ClipGradients,
    Deepen,
    DropSuspectLabels,
    Ensemble,
    Erase,
    EscapeSaddle,
    FewerRows,
    FillMissing,
    ImportanceWeights,
    InputNoise,
    InsertActivations,
    InsertNormalization,
    LabelSmoothing,
    LinearOutput,
    LoosenClipping,
    MatchClassProportions,
    MeanReduction,
    MixUp,
    MoreEpochs,
    Narrow,
    OutputWidth,
    PerturbStart,
    ProperLoss,
    RealignLabels,
    Reinitialize,
    Remedy,
    RemoveDuplicates,
    RemoveRegularization,
    RepairLabels,
    RobustLoss,
    ScaleBatch,
    ScaleRate,
    SetMomentum,
    SetOptimizer,
    SetSchedule,
    ShareParameters,
    Shuffle,
    SigmoidOutput,
    StandardizeInputs,
    StandardizeTargets,
    StopEarly,
    SwapActivations,
    Unfreeze,
    WarmUp,
    Widen,
)
from traindx.tasks import Task

RECIPE = Recipe(lr=0.05, momentum=0.9, batch_size=16, epochs=3, device="cpu")

SAMPLES: dict[type[Remedy], Remedy] = {
    ScaleRate: ScaleRate(0.1),
    MoreEpochs: MoreEpochs(3.0),
    StopEarly: StopEarly(2),
    AddWeightDecay: AddWeightDecay(2.0),
    StandardizeInputs: StandardizeInputs(),
    DropSuspectLabels: DropSuspectLabels(),
    EscapeSaddle: EscapeSaddle(),
    ImportanceWeights: ImportanceWeights(),
    MatchClassProportions: MatchClassProportions(),
    SwapActivations: SwapActivations("gelu"),
    InsertNormalization: InsertNormalization(),
    AddSkips: AddSkips(),
    AddDropout: AddDropout(0.25),
    Narrow: Narrow(2),
    Widen: Widen(2, ""),
    Deepen: Deepen(16),
    FewerRows: FewerRows(0.5),
    AlignShapes: AlignShapes(),
    AlignTestInputs: AlignTestInputs(),
    AlignValidationInputs: AlignValidationInputs(),
    Augment: Augment(1),
    BalanceClasses: BalanceClasses(),
    ClipGradients: ClipGradients(0.5),
    FillMissing: FillMissing(),
    InsertActivations: InsertActivations("relu"),
    LinearOutput: LinearOutput(),
    LoosenClipping: LoosenClipping(),
    MeanReduction: MeanReduction(),
    OutputWidth: OutputWidth(4),
    PerturbStart: PerturbStart(),
    ProperLoss: ProperLoss(),
    RealignLabels: RealignLabels(1),
    Reinitialize: Reinitialize(),
    RemoveDuplicates: RemoveDuplicates(),
    RemoveRegularization: RemoveRegularization(),
    RepairLabels: RepairLabels(),
    ScaleBatch: ScaleBatch(0.5),
    SetMomentum: SetMomentum(0.5),
    SetOptimizer: SetOptimizer("adam", 0.001),
    SetSchedule: SetSchedule("cosine"),
    Shuffle: Shuffle(),
    SigmoidOutput: SigmoidOutput(),
    StandardizeTargets: StandardizeTargets(),
    Unfreeze: Unfreeze(),
    WarmUp: WarmUp(0.2),
    AugmentSignals: AugmentSignals(),
    BlackBoxShift: BlackBoxShift(),
    ClassWeights: ClassWeights(),
    Ensemble: Ensemble(2),
    Erase: Erase(0.5),
    InputNoise: InputNoise(0.2),
    LabelSmoothing: LabelSmoothing(0.2),
    MixUp: MixUp(0.4),
    RobustLoss: RobustLoss(0.5),
    ShareParameters: ShareParameters(4),
}
OF_THE_RECIPE = (
    ScaleRate,
    MoreEpochs,
    StopEarly,
    AddWeightDecay,
    ClipGradients,
    LoosenClipping,
    ScaleBatch,
    SetMomentum,
    SetOptimizer,
    SetSchedule,
    Shuffle,
    WarmUp,
)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))


def ending(*end: nn.Module, outputs: int = 3) -> Callable[[], nn.Module]:
    """Networks of one hidden layer, with this behind the last layer."""
    return lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, outputs), *end)


def images() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))


def frozen() -> nn.Module:
    model = network()
    model[0].weight.requires_grad_(False)
    return model


def on_a_saddle() -> nn.Module:
    """Every weight is 0: both layers stay where they are but for the last bias."""
    model = ending()()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def rows(count: int, seed: int = 0, shares: tuple[float, ...] = (0.5, 0.3, 0.2)) -> tuple[np.ndarray, np.ndarray]:
    """Three well-parted classes; the features are of different scales."""
    rng = np.random.default_rng(seed)
    y = rng.choice(len(shares), count, p=shares)
    x = rng.normal(size=(count, 6)) + 4 * np.eye(6)[y]
    return (x * [1, 10, 100, 1, 1, 1] + [0, 0, 0, 50, 0, 0]).astype(np.float32), y


def flipped(y: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """(labels of which this share is wrong, which are wrong)."""
    rng = np.random.default_rng(1)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, 3, len(y))) % 3, y), wrong


def sound(model: Callable[[], nn.Module] = network, loss: Any = None, y: Any = None, **arguments: Any) -> Task:
    """Classes, a tenth of whose labels is wrong, and a test set in other proportions; or other models, losses and targets on these rows."""
    x, labels = rows(240)
    given = {"test": rows(80, 2, (0.1, 0.3, 0.6)), **arguments}
    return Task(model, loss or nn.CrossEntropyLoss(), (x, flipped(labels, 0.1)[0] if y is None else y), **given)


def regression(model: Callable[[], nn.Module] | None = None, loss: Any = None, flat: bool = False, **arguments: Any) -> Task:
    """Targets of the order of 50, in a column or flat."""
    x, _ = rows(240)
    u, _ = rows(80, 2)
    y, v = x[:, 3:4], u[:, 3:4]
    return sound(model or ending(outputs=1), loss or nn.MSELoss(), y[:, 0] if flat else y, test=(u, v[:, 0] if flat else v), **arguments)


def binary(model: Callable[[], nn.Module], loss: Any) -> Task:
    (_, y), (u, v) = rows(240), rows(80, 2)
    return sound(model, loss, (y > 0).astype(np.float32)[:, None], test=(u, (v > 0).astype(np.float32)[:, None]))


def of_images() -> Task:
    x = np.random.default_rng(0).normal(size=(240, 1, 8, 8)).astype(np.float32)
    return Task(images, nn.CrossEntropyLoss(), (x, np.arange(240) % 3), test=(x[:80], np.arange(80) % 3))


def of_signals(model: Callable[[], nn.Module] | None = None) -> Task:
    """Three rhythms with any phase, 48 values long; a fully connected network by default."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    time = np.arange(48) / 48
    x = np.sin(2 * np.pi * ((y[:, None] + 1) * time + rng.random((240, 1)))) + 0.05 * rng.normal(size=(240, 48))
    x = x.astype(np.float32)
    fully_connected = lambda: nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 3))  # noqa: E731
    return Task(model or fully_connected, nn.CrossEntropyLoss(), (x, y), test=(x[:80], y[:80]))


def with_gaps() -> Task:
    x, y = rows(240)
    x[::9, 0] = np.nan
    return Task(network, nn.CrossEntropyLoss(), (x, y), test=rows(80, 2))


def with_copies() -> Task:
    x, y = rows(240)
    return sound(validation=(x[:30], y[:30]))


def validated_in_other_units() -> Task:
    x, y = rows(80, 2)
    return sound(validation=(10 * x + 1, y))


def numbered_from_one() -> Task:
    x, y = rows(240)
    u, v = rows(80, 2)
    return Task(ending(outputs=4), nn.CrossEntropyLoss(), (x, y + 1), test=(u, v + 1))


PATIENTS: dict[type[Remedy], Callable[[], Task]] = {
    AlignShapes: lambda: regression(flat=True),
    AlignValidationInputs: validated_in_other_units,
    Augment: of_images,
    AugmentSignals: of_signals,
    Erase: of_images,
    ShareParameters: of_signals,
    EscapeSaddle: lambda: sound(on_a_saddle),
    FillMissing: with_gaps,
    InsertActivations: lambda: sound(ending(nn.Identity(), nn.Linear(3, 3))),
    LinearOutput: lambda: sound(ending(nn.Softmax(1))),
    MeanReduction: lambda: sound(loss=nn.CrossEntropyLoss(reduction="sum")),
    ProperLoss: lambda: binary(ending(nn.Sigmoid(), outputs=1), nn.BCELoss()),
    RemoveDuplicates: with_copies,
    RemoveRegularization: lambda: sound(ending(nn.Dropout(0.0), nn.Linear(3, 3), nn.Dropout(0.4))),
    RepairLabels: numbered_from_one,
    SigmoidOutput: lambda: binary(ending(nn.Softmax(1), outputs=1), nn.BCELoss()),
    StandardizeTargets: regression,
    Unfreeze: lambda: sound(frozen),
}
"""What a remedy is for, where the sound task has nothing for it to mend."""
RECIPES: dict[type[Remedy], Recipe] = {
    LoosenClipping: RECIPE.replace(clip_norm=0.1),
    Shuffle: RECIPE.replace(shuffle=False),
    AlignShapes: RECIPE.replace(lr=1e-6),
    StandardizeTargets: RECIPE.replace(lr=1e-6),
}


def patient(kind: type[Remedy]) -> tuple[Task, Recipe]:
    """A task and a recipe that remedies of this kind can be applied to."""
    return PATIENTS.get(kind, sound)(), RECIPES.get(kind, RECIPE)
