"""A task states what is to be learned: rows and their splits, the sealed test set, model, loss and metric; readers make one from files."""

from __future__ import annotations

from traindx.tasks.kinds import (
    Form,
    Kind,
    Loss,
    find_form,
    is_distance,
    labels_of,
    number_form,
    output_form,
    outputs_from_numbers,
    outputs_from_probabilities,
    predicted_labels,
)
from traindx.tasks.metrics import Metric
from traindx.tasks.random_states import preserved_rng, seed_everything
from traindx.tasks.readers import read
from traindx.tasks.rows import ArrayRows, Batch, DatasetRows, Rows, to_device
from traindx.tasks.sealed import SealedTest
from traindx.tasks.splits import FOLDS
from traindx.tasks.task import Forward, ModelFactory, Task

__all__ = [
    "FOLDS",
    "ArrayRows",
    "Batch",
    "DatasetRows",
    "Form",
    "Forward",
    "Kind",
    "Loss",
    "Metric",
    "ModelFactory",
    "Rows",
    "SealedTest",
    "Task",
    "find_form",
    "is_distance",
    "labels_of",
    "number_form",
    "output_form",
    "outputs_from_numbers",
    "outputs_from_probabilities",
    "predicted_labels",
    "preserved_rng",
    "read",
    "seed_everything",
    "to_device",
]
