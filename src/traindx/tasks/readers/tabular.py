"""A table becomes a task: target, columns, preprocessing fitted on training rows only."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from traindx.records import InputError, Recipe
from traindx.tasks.readers.base import Column, Table
from traindx.tasks.readers.networks import Perceptron, default_recipe
from traindx.tasks.splits import fold_indices
from traindx.tasks.task import Task

LEAST_ROWS = 10
# A target of whole numbers with at most this many values is a class, with more a quantity.
MOST_CLASSES = 20
# A text column with more distinct values than this share of the rows is an identifier, not a category.
IDENTIFIER_SHARE = 0.5
MOST_CATEGORIES = 40
# More categories than this are said: each becomes an input, and dates or names are seldom meant to.
MANY_CATEGORIES = 20
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_THOUSANDS = re.compile(r"\s*[-+]?\d{1,3},\d{3}\s*")
_log = logging.getLogger("traindx")


@dataclass(frozen=True)
class Target:
    """The target column: its values as a task takes them, and the classes' names (none for a quantity)."""

    values: np.ndarray
    class_names: tuple[str, ...]


def tabular_task(
    table: Table, target: str | int | None, drop: Sequence[str | int], test: Table | None, validation: Table | None, name: str
) -> tuple[Task, Recipe]:
    """A task with a small perceptron and a plain recipe.

    The preprocessing (imputation, standardisation, one-hot columns) is fitted on the rows that are training rows in the first division.
    Later divisions deal the same preprocessed rows anew.

    Raises:
        InputError: when the target is missing or has one value, or another table has other columns.

    """
    position = _position(table, target if target is not None else -1, "--target")
    dropped = {_position(table, d, "--drop") for d in drop} - {position}
    table = _with_known_target(table, position)
    if len(table) < LEAST_ROWS:
        raise InputError("SOURCE", f"found {len(table)} rows with a target", f"give at least {LEAST_ROWS}")
    goal = _target(table.columns[position])
    inputs = [c for i, c in enumerate(table.columns) if i != position and i not in dropped and not _is_identifier(c)]
    if not inputs:
        raise InputError("SOURCE", "no column is left to predict from", "drop fewer columns")
    labels = torch.from_numpy(goal.values) if goal.class_names else None
    training = fold_indices(len(table), 0, labels)[0].numpy() if validation is None else np.arange(len(table))
    pipeline = _Pipeline(inputs, training)
    names, goal_name = [c.name for c in table.columns], table.columns[position].name
    sealed, held_out = (
        _other(other, names, inputs, goal_name, pipeline, goal, arg) for other, arg in ((test, "--test"), (validation, "--validation"))
    )
    x = pipeline(inputs)
    factory, loss = _network(x.shape[1], goal, training)
    task = Task(factory, loss, (x, goal.values), validation=held_out, test=sealed, name=name)
    return task, default_recipe(len(task.train))


def _position(table: Table, wanted: str | int, argument: str) -> int:
    names = [c.name for c in table.columns]
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    try:
        index = int(wanted)
        return range(len(names))[index]
    except (ValueError, IndexError):
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise InputError(
            argument, f"no column {wanted!r}", f"use one of {shown}, or an index from {-len(names)} to {len(names) - 1}"
        ) from None


def _with_known_target(table: Table, position: int) -> Table:
    values = table.columns[position].values
    known = ~np.isnan(values) if table.columns[position].numeric else np.array([v is not None for v in values])
    if not known.any():
        raise InputError("--target", f"column {table.columns[position].name!r} has no known value", "name another column")
    if not known.all():
        _log.warning("%d rows without a target are left out", int((~known).sum()))
    return Table(tuple(Column(c.name, c.values[known]) for c in table.columns))


def _target(column: Column) -> Target:
    values = column.values
    if column.numeric:
        distinct = np.unique(values)
        if len(distinct) < 2:
            raise InputError("--target", f"column {column.name!r} has the single value {distinct[0]:g}", "name a column with at least two")
        if len(distinct) > MOST_CLASSES or not np.allclose(distinct, np.round(distinct)):
            return Target(values.astype(np.float32)[:, None], ())
        return Target(np.searchsorted(distinct, values), tuple(f"{d:g}" for d in distinct))
    names = sorted({str(v) for v in values})
    if len(names) < 2:
        raise InputError("--target", f"column {column.name!r} has the single value {names[0]!r}", "name a column with at least two")
    if len(names) > len(values) * IDENTIFIER_SHARE:
        raise InputError(
            "--target",
            f"column {column.name!r} has {len(names)} different texts in {len(values)} rows",
            "name a column of classes or numbers",
        )
    return Target(np.searchsorted(names, values.astype(str)), tuple(names))


def _is_identifier(column: Column) -> bool:
    if column.numeric:
        return False
    known = [v for v in column.values if v is not None]
    different = len(set(known))
    found = not known or different > max(MOST_CATEGORIES, len(column.values) * IDENTIFIER_SHARE)
    if known and all(_DECIMAL_COMMA.fullmatch(v) for v in known):
        how = "without a comma" if all(_THOUSANDS.fullmatch(v) for v in known) else "with a decimal point"
        _log.warning("column %r is read as text: for numbers, write %s %s", column.name, known[0], how)
    if found:
        _log.warning("column %r is left out: its texts name rows, not categories", column.name)
    elif different > MANY_CATEGORIES:
        inputs = min(different, MOST_CATEGORIES)
        _log.warning(
            "column %r has %d different texts, which become %d inputs: drop it if they are no categories", column.name, different, inputs
        )
    return found


class _Pipeline:
    """Numbers: missing to the median, standardised, with indicators of what was missing. Categories: one column each."""

    def __init__(self, columns: Sequence[Column], training: np.ndarray) -> None:
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        self.numeric = [c.numeric for c in columns]
        numbers, texts = self._parts(columns)
        imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        self.scaler = make_pipeline(imputer, StandardScaler()).fit(numbers[training]) if numbers.shape[1] else None
        encoder = OneHotEncoder(handle_unknown="ignore", max_categories=MOST_CATEGORIES, sparse_output=False)
        self.encoder = encoder.fit(texts[training]) if texts.shape[1] else None

    def _parts(self, columns: Sequence[Column]) -> tuple[np.ndarray, np.ndarray]:
        rows = len(columns[0].values)
        numbers = [np.where(np.isfinite(c.values), c.values, np.nan) for c, numeric in zip(columns, self.numeric, strict=True) if numeric]
        texts = [
            np.array(["missing" if v is None else str(v) for v in c.values], dtype=object)
            for c, numeric in zip(columns, self.numeric, strict=True)
            if not numeric
        ]
        return (np.stack(numbers, 1) if numbers else np.zeros((rows, 0))), (
            np.stack(texts, 1) if texts else np.zeros((rows, 0), dtype=object)
        )

    def __call__(self, columns: Sequence[Column]) -> np.ndarray:
        """(N, F) float32."""
        numbers, texts = self._parts(columns)
        parts = [part.transform(values) for part, values in ((self.scaler, numbers), (self.encoder, texts)) if part is not None]
        return np.concatenate(parts, 1).astype(np.float32)

    def matched(self, columns: Sequence[Column]) -> list[Column]:
        """Columns of another table in the types of this one: text where this one has text, numbers where it has numbers."""
        return [
            _as_text(c) if not numeric and c.numeric else _as_numbers(c) if numeric and not c.numeric else c
            for c, numeric in zip(columns, self.numeric, strict=True)
        ]


def _as_text(column: Column) -> Column:
    return Column(column.name, np.array([None if np.isnan(v) else f"{v:g}" for v in column.values], dtype=object))


def _as_numbers(column: Column) -> Column:
    def number(value: str | None) -> float:
        try:
            return float(value) if value is not None else np.nan
        except ValueError:
            return np.nan

    return Column(column.name, np.array([number(v) for v in column.values]))


def _other(
    other: Table | None, names: list[str], inputs: Sequence[Column], target: str, pipeline: _Pipeline, goal: Target, argument: str
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """(inputs, targets) of a further table with the same columns, by name, or by position where it has no header; targets may be missing."""
    if other is None:
        return None
    found = {c.name: c for c in other.columns}
    wanted = [c.name for c in inputs]
    if any(name not in found for name in wanted) and len(other.columns) == len(names):
        found = {name: Column(name, c.values) for name, c in zip(names, other.columns, strict=True)}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(argument, f"column {missing[0]!r} is missing", "give a file with the columns of the training file")
    labels = found.get(target)
    return pipeline(pipeline.matched([found[name] for name in wanted])), None if labels is None else _codes(labels, goal, argument)


def _codes(column: Column, goal: Target, argument: str) -> np.ndarray | None:
    """Targets of another table in the codes of this one; classes that training lacks get codes of their own, after the known ones."""
    unknown = np.isnan(column.values).all() if column.numeric else all(v is None for v in column.values)
    if unknown:
        return None
    if not goal.class_names:
        numbers = _as_numbers(column).values if not column.numeric else column.values
        if np.isnan(numbers).any():
            raise InputError(argument, f"column {column.name!r} has values that are no numbers", "give targets of the training file's kind")
        return numbers.astype(np.float32)[:, None]
    texts = [("" if np.isnan(v) else f"{v:g}") if column.numeric else str(v) for v in column.values]
    if not set(texts) <= set(goal.class_names) and {t.rstrip(".") for t in texts} <= set(goal.class_names):
        texts = [t.rstrip(".") for t in texts]  # some files end the labels of one part in a dot
    names = [*goal.class_names, *sorted(set(texts) - set(goal.class_names))]
    return np.array([names.index(t) for t in texts])


def _network(inputs: int, goal: Target, training: np.ndarray) -> tuple[Perceptron, nn.Module]:
    if goal.class_names:
        return Perceptron(inputs, len(goal.class_names)), nn.CrossEntropyLoss()
    known = goal.values[training]
    return Perceptron(inputs, 1, float(known.mean()), float(known.std()) or 1.0), nn.MSELoss()
