"""An experiment varies one factor, keeps the rest fixed, and returns evidence."""

from __future__ import annotations

from traindx.experiments.audit import Audit
from traindx.experiments.base import Experiment, Lab, Memory, Spending
from traindx.experiments.baseline import Baseline
from traindx.experiments.batch_size import BatchSize
from traindx.experiments.class_balance import ClassBalance
from traindx.experiments.class_index import ClassIndex
from traindx.experiments.consistency import Consistency
from traindx.experiments.constraints import Constraints
from traindx.experiments.curvature import CriticalPointOfBaseline
from traindx.experiments.divisions import Divisions
from traindx.experiments.label_map import LabelMap
from traindx.experiments.label_noise import LabelNoise
from traindx.experiments.learning_curve import LearningCurve
from traindx.experiments.lr_range_test import LrRangeTest
from traindx.experiments.mismatch import Mismatch
from traindx.experiments.race import Race
from traindx.experiments.references import References
from traindx.experiments.relation import Relation

EXPERIMENTS: dict[str, Experiment] = {
    e.name: e
    for e in (
        ClassIndex(),
        Audit(),
        Baseline(),
        References(),
        ClassBalance(),
        Relation(),
        LabelMap(),
        Mismatch(),
        LabelNoise(),
        Race(),
        Divisions(),
        Consistency(),
        CriticalPointOfBaseline(),
        Constraints(),
        LearningCurve(),
        LrRangeTest(),
        BatchSize(),
    )
}

__all__ = [
    "EXPERIMENTS",
    "Audit",
    "Baseline",
    "BatchSize",
    "ClassBalance",
    "ClassIndex",
    "Consistency",
    "Constraints",
    "CriticalPointOfBaseline",
    "Divisions",
    "Experiment",
    "Lab",
    "LabelMap",
    "LabelNoise",
    "LearningCurve",
    "LrRangeTest",
    "Memory",
    "Mismatch",
    "Race",
    "References",
    "Relation",
    "Spending",
]
