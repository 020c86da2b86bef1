"""An experiment varies one factor, keeps the rest fixed, and returns evidence."""

from __future__ import annotations

from traindx.experiments.audit import Audit
from traindx.experiments.base import Experiment, Lab, Memory, Spending
from traindx.experiments.baseline import Baseline
from traindx.experiments.label_noise import LabelNoise
from traindx.experiments.learning_curve import LearningCurve
from traindx.experiments.mismatch import Mismatch
from traindx.experiments.race import Race
from traindx.experiments.references import References

EXPERIMENTS: dict[str, Experiment] = {
    e.name: e for e in (Audit(), Baseline(), References(), Mismatch(), LabelNoise(), Race(), LearningCurve())
}

__all__ = [
    "EXPERIMENTS",
    "Audit",
    "Baseline",
    "Experiment",
    "Lab",
    "LabelNoise",
    "LearningCurve",
    "Memory",
    "Mismatch",
    "Race",
    "References",
    "Spending",
]
