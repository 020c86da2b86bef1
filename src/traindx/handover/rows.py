"""The rows of a treated training as arrays, as they were given where the script can prepare them itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from traindx.handover.source import Source, refuse
from traindx.tasks import Rows, Task
from traindx.tasks.task import InputMap

# A data set without arrays is written out if it is no longer than this, and gives the same rows twice.
MOST_ROWS = 50_000


@dataclass
class Columns:
    """Arrays by name (``train_inputs``, ``train_targets``, ...), and for each split the expression that prepares its inputs, if any."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    prepared: dict[str, str] = field(default_factory=dict)


def columns(source: Source, original: Task, treated: Task, question: str | None) -> Columns:
    """Inputs and targets of every split, and the weights of training rows. The test set is opened where there is a question.

    Raises:
        InputError: when the rows are no pairs of arrays.

    """
    found = Columns()
    splits = {"train": (original.train, treated.train), "validation": (original.validation, treated.validation)}
    if question is not None and original.test is not None and treated.test is not None and treated.test.has_labels:
        splits["test"] = (original.test.rows(question), treated.test.rows(question))
    for name, (before, after) in splits.items():
        inputs, targets = _arrays(after)
        maps = treated.test_maps if name == "test" else treated.input_maps
        given = _given(before, inputs, maps) if maps else None
        if given is not None:
            inputs = given
            found.prepared[name] = _nested([source.value(function) for function in maps])
        found.arrays |= {f"{name}_inputs": inputs.numpy(), f"{name}_targets": targets.numpy()}
    if treated.sample_weight is not None:
        found.arrays["sample_weight"] = treated.sample_weight.numpy()
    return found


def _nested(functions: Sequence[str]) -> str:
    """The functions, one after the other, of ``inputs``."""
    expression = "inputs"
    for function in functions:
        expression = f"{function}({expression})"
    return expression


def _given(before: Rows, inputs: Tensor, maps: Sequence[InputMap]) -> Tensor | None:
    """The inputs before the maps, row by row; None where a row is not among those that were given."""
    if before.inputs is None:
        return None
    raw = before.inputs.cpu()
    mapped = raw
    for function in maps:
        mapped = function(mapped)
    place = {row.tobytes(): i for i, row in enumerate(mapped.numpy())}
    places = [place.get(row.tobytes()) for row in inputs.numpy()]
    known = [i for i in places if i is not None]
    return raw[torch.tensor(known)] if len(known) == len(places) else None


def _arrays(rows: Rows) -> tuple[Tensor, Tensor]:
    if rows.inputs is not None and rows.targets is not None:
        return rows.inputs.cpu(), rows.targets.cpu()
    if len(rows) > MOST_ROWS:
        raise refuse(f"found a data set of {len(rows)} rows that are no arrays", f"give arrays, or at most {MOST_ROWS} rows")
    once, again = (_batch(rows) for _ in range(2))
    if not all(torch.equal(a, b) for a, b in zip(once, again, strict=True)):
        raise refuse("the data set gives other rows each time", "give arrays, and let the network do what is random")
    return once


def _batch(rows: Rows) -> tuple[Tensor, Tensor]:
    try:
        batch = next(iter(rows.batches([torch.arange(len(rows))], torch.device("cpu"))))
    except RuntimeError as error:
        raise refuse(f"the rows do not fit together ({error})", "give arrays") from None
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch)):
        raise refuse("the rows are no pairs of an input and a target", "give arrays")
    return batch[0], batch[1]
