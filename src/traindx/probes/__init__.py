"""A probe watches a run while it trains and records one quantity."""

from __future__ import annotations

from traindx.probes.averaged_weights import AveragedWeights
from traindx.probes.base import Probe
from traindx.probes.gradient_cosine import GradientCosine
from traindx.probes.gradient_norm import GradientNorm
from traindx.probes.layer_activations import LayerActivations
from traindx.probes.layer_gradients import LayerGradients
from traindx.probes.learning_rate import LearningRate
from traindx.probes.step_time import StepTime
from traindx.probes.update_ratio import UpdateRatio

PROBES: tuple[type[Probe], ...] = (
    GradientNorm,
    LayerGradients,
    LayerActivations,
    UpdateRatio,
    GradientCosine,
    LearningRate,
    StepTime,
    AveragedWeights,
)

__all__ = [
    "PROBES",
    "AveragedWeights",
    "GradientCosine",
    "GradientNorm",
    "LayerActivations",
    "LayerGradients",
    "LearningRate",
    "Probe",
    "StepTime",
    "UpdateRatio",
    "default_probes",
]


def default_probes() -> list[Probe]:
    """One fresh probe of every kind."""
    return [probe() for probe in PROBES]
