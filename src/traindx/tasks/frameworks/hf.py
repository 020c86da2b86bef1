"""A task from what a Hugging Face `Trainer` is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from traindx.records import InputError
from traindx.tasks.frameworks.base import COMMON, OwnLoss, blaming, first_batches, own_loss, recognised, takes_arguments
from traindx.tasks.rows import MAX_WALKED_ROWS, ArrayRows, Batch, DatasetRows, Rows

LABELS = ("labels", "label", "label_ids")
_REMEDY = "give the datasets and the data_collator with which Trainer trains this model"

Collator = Callable[[list[Any]], Mapping[str, Any]]
LossOfOutputs = Callable[..., Tensor]


def parts(
    model_init: Callable[..., nn.Module],
    train_dataset: Any,
    eval_dataset: Any,
    test_dataset: Any,
    data_collator: Collator | None,
    compute_loss_func: LossOfOutputs | None,
) -> dict[str, Any]:
    """The arguments of a `Task`, as `Task.from_trainer` says."""
    if isinstance(model_init, nn.Module) or not callable(model_init):
        raise InputError(
            "model_init", f"found {type(model_init).__name__}", "give a function that builds it, as for Trainer(model_init=...)"
        )
    build = _Untried(model_init) if takes_arguments(model_init) else model_init
    model = build()
    accepted = tuple(p.name for p in inspect.signature(model.forward).parameters.values() if p.kind is not p.VAR_KEYWORD)
    train = _rows(train_dataset, "train_dataset", accepted, data_collator)
    one = _only_feature(train_dataset, accepted) if isinstance(train, ArrayRows) else None
    own, forward = _OwnForward(one, compute_loss_func), _Forward(one)
    with blaming("model_init", "the model, given a batch,", _REMEDY):
        loss = recognised(model, first_batches(train), lambda model, batch: own(model, batch)[0].loss, forward, COMMON)
    return {
        "model": build,
        "loss": own_loss if loss is None else loss,
        "forward": own if loss is None else forward,
        "kind": "other" if loss is None else None,
        "train": train,
        "validation": None if eval_dataset is None else _rows(eval_dataset, "eval_dataset", accepted, data_collator),
        "test": None if test_dataset is None else _rows(test_dataset, "test_dataset", accepted, data_collator),
    }


@dataclass(frozen=True)
class _Untried:
    """A ``model_init`` that takes a trial of a search, and is given none."""

    model_init: Callable[..., nn.Module]

    def __call__(self) -> nn.Module:
        return self.model_init(None)


# --- Rows --------------------------------------------------------------------------------------------------------------------------


def _rows(dataset: Any, argument: str, accepted: tuple[str, ...], collator: Collator | None) -> Rows:
    """Pairs of (features, label): tensors where every row has one feature of one shape, so that reference models can be trained on them."""
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")) or not len(dataset):
        raise InputError(argument, f"found {type(dataset).__name__}", "give a map-style dataset of dictionaries, with rows in it")
    if not isinstance(dataset[0], Mapping):
        raise InputError(
            argument, f"found rows of type {type(dataset[0]).__name__}", "give rows that are dictionaries, as Trainer takes them"
        )
    pairs = _Pairs(dataset, accepted)
    if collator is None and (arrays := _as_arrays(pairs)) is not None:
        return arrays
    return DatasetRows(pairs, _Collated(collator or _default_collator()), argument=argument)


class _Pairs(Dataset[Any]):
    """Rows as (features that the model takes, label); the label is None where the collator makes it."""

    def __init__(self, dataset: Any, accepted: tuple[str, ...]) -> None:
        self.dataset, self.accepted = dataset, accepted

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], Any]:
        row = self.dataset[index]
        features = {k: v for k, v in row.items() if k not in LABELS and k in self.accepted}
        return features, next((row[name] for name in LABELS if row.get(name) is not None), None)


@dataclass(frozen=True)
class _Collated:
    """(inputs, labels) of the batch that the collator makes."""

    collator: Collator

    def __call__(self, rows: list[tuple[dict[str, Any], Any]]) -> tuple[dict[str, Any], Any]:
        batch = dict(self.collator([features if label is None else {**features, "labels": label} for features, label in rows]))
        labels = batch.pop("labels", None)
        return batch, labels


def _default_collator() -> Collator:
    from transformers import default_data_collator

    return default_data_collator  # type: ignore[no-any-return,unused-ignore]


def _only_feature(dataset: Any, accepted: tuple[str, ...]) -> str | None:
    names = list(_Pairs(dataset, accepted)[0][0])
    return names[0] if len(names) == 1 else None


def _as_arrays(pairs: _Pairs) -> ArrayRows | None:
    name = _only_feature(pairs.dataset, pairs.accepted)
    if name is None or len(pairs) > MAX_WALKED_ROWS:
        return None
    rows = [pairs[i] for i in range(len(pairs))]
    if any(label is None for _, label in rows):
        return None
    columns = [[torch.as_tensor(f[name]) for f, _ in rows], [torch.as_tensor(label) for _, label in rows]]
    if any(len({t.shape for t in column}) > 1 for column in columns):
        return None
    return ArrayRows([torch.stack(column) for column in columns])


# --- Forward passes ----------------------------------------------------------------------------------------------------------------


def _keywords(inputs: Any, feature: str | None) -> dict[str, Any]:
    return dict(inputs) if feature is None else {feature: inputs}


def _logits(outputs: Any) -> Any:
    return outputs["logits"] if isinstance(outputs, Mapping) else outputs[0] if isinstance(outputs, tuple) else outputs


@dataclass(frozen=True)
class _Forward:
    """(logits, labels), shaped as torch's losses expect them: one number a label without its last axis, classes on the second axis."""

    feature: str | None

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[Any, Any]:
        inputs, labels = batch
        logits = _logits(model(**_keywords(inputs, self.feature)))
        if isinstance(logits, Tensor) and isinstance(labels, Tensor):
            if logits.shape == (*labels.shape, 1):
                logits = logits.squeeze(-1)
            elif logits.ndim > 2 and logits.shape[:-1] == labels.shape:
                logits = logits.movedim(-1, 1)
        return logits, labels


@dataclass(frozen=True)
class _OwnForward:
    """The loss that the model computes from the labels, or that the Trainer's ``compute_loss_func`` computes from its outputs."""

    feature: str | None
    compute_loss_func: LossOfOutputs | None

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[OwnLoss, Any]:
        inputs, labels = batch
        keywords = _keywords(inputs, self.feature)
        if self.compute_loss_func is not None:
            return OwnLoss(self.compute_loss_func(model(**keywords), labels, num_items_in_batch=None)), labels
        outputs = model(**keywords) if labels is None else model(**keywords, labels=labels)
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs[0]
        return OwnLoss(loss), labels
