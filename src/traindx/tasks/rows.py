"""The rows of a task: anything from which batches can be gathered by index.

`ArrayRows` holds tensors and gathers batches by indexing, on whatever device they were moved to. `DatasetRows` asks a map-style data set
row by row through a DataLoader. Both answer the same few questions, so training does not know which it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, default_collate

from traindx.records import InputError
from traindx.tasks.random_states import preserved_rng

Batch = Any

# A data set without a `targets` attribute is walked once to learn its targets, if it is no longer than this.
MAX_WALKED_ROWS = 20_000


class Rows(Protocol):
    """Rows of inputs and targets. ``inputs`` and ``targets`` are tensors of N rows, or None where they are not array-like."""

    def __len__(self) -> int:
        """N."""

    @property
    def inputs(self) -> Tensor | None:
        """(N, ...) or None."""

    @property
    def targets(self) -> Tensor | None:
        """(N, ...) or None."""

    def batches(self, indices: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
        """One batch for each index tensor, on the device."""

    def subset(self, index: Tensor) -> Rows:
        """These rows only, in this order."""

    def map_inputs(self, function: Callable[[Tensor], Tensor]) -> Rows:
        """The same rows with ``function`` applied to inputs of shape (n, ...)."""

    def map_targets(self, function: Callable[[Tensor], Tensor]) -> Rows:
        """The same rows with ``function`` applied to targets of shape (n, ...)."""

    def to(self, device: torch.device) -> Rows:
        """The same rows, held on the device where that is possible."""


class ArrayRows:
    """Columns of equal length as tensors; a batch is a tuple with one gathered tensor a column."""

    def __init__(self, columns: Sequence[Tensor]) -> None:
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def inputs(self) -> Tensor | None:
        """The first column, where there are exactly an input and a target column (or the input alone)."""
        return self.columns[0] if len(self.columns) <= 2 else None

    @property
    def targets(self) -> Tensor | None:
        """The last column, unless there is only one."""
        return self.columns[-1] if len(self.columns) >= 2 else None

    def batches(self, indices: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
        """Gathered by index where the columns are; the index is moved, not the data."""
        home = self.columns[0].device
        for index in indices:
            index = index.to(home)
            yield tuple(column[index].to(device) for column in self.columns)

    def subset(self, index: Tensor) -> ArrayRows:
        """Copies the rows."""
        return ArrayRows([column[index.to(column.device)] for column in self.columns])

    def map_inputs(self, function: Callable[[Tensor], Tensor]) -> ArrayRows:
        """Maps the first column at once."""
        return ArrayRows([function(self.columns[0]), *self.columns[1:]])

    def map_targets(self, function: Callable[[Tensor], Tensor]) -> ArrayRows:
        """Maps the last column at once."""
        return ArrayRows([*self.columns[:-1], function(self.columns[-1])]) if len(self.columns) >= 2 else self

    def to(self, device: torch.device) -> ArrayRows:
        """Moves every column."""
        return ArrayRows([column.to(device) for column in self.columns])


class DatasetRows:
    """A map-style data set of (input, target), or of anything that the task's ``forward`` understands."""

    def __init__(
        self, dataset: Dataset[Any], collate: Callable[[list[Any]], Batch] | None = None, workers: int = 0, argument: str = "train"
    ) -> None:
        self.dataset, self.collate, self.workers, self.argument = dataset, collate or default_collate, workers, argument
        self._targets: Tensor | None = None
        self._walked = False

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    @property
    def inputs(self) -> Tensor | None:
        """None: inputs stay in the data set."""
        return None

    @property
    def targets(self) -> Tensor | None:
        """From the data set's ``targets``, else by one walk over at most MAX_WALKED_ROWS rows; None where rows are not pairs."""
        if not self._walked:
            with preserved_rng():  # a data set may augment at random
                self._targets, self._walked = self._find_targets(), True
        return self._targets

    def _find_targets(self) -> Tensor | None:
        known = getattr(self.dataset, "targets", None)
        if known is not None and len(known) == len(self):
            return torch.as_tensor(np.asarray(known))
        if not len(self) or len(self) > MAX_WALKED_ROWS:
            return None
        first = self._row(0)
        if not (isinstance(first, (tuple, list)) and len(first) == 2 and _is_plain(first[1])):
            return None
        targets = [torch.as_tensor(self._row(i)[1]) for i in range(len(self))]
        return torch.stack(targets) if len({t.shape for t in targets}) == 1 else None

    def _row(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:  # the user's code: whatever it raises is what was found
            found = f"row {index} of the data set raised {type(error).__name__}: {error}"
            raise InputError(self.argument, found, "mend the row, or leave it out") from error

    def batches(self, indices: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
        """Through a DataLoader whose own random state is fixed, so that it draws nothing from the global one."""
        order = [index.tolist() for index in indices]
        loader = DataLoader(
            self.dataset,
            batch_sampler=order,
            collate_fn=self.collate,
            num_workers=self.workers,
            generator=torch.Generator().manual_seed(0),
        )
        for batch in loader:
            yield to_device(batch, device)

    def subset(self, index: Tensor) -> DatasetRows:
        """A view, not a copy."""
        rows = DatasetRows(Subset(self.dataset, index.tolist()), self.collate, self.workers, self.argument)
        if self._walked:
            rows._targets, rows._walked = (None if self._targets is None else self._targets[index]), True
        return rows

    def map_inputs(self, function: Callable[[Tensor], Tensor]) -> DatasetRows:
        """Maps row by row, as rows are asked for."""
        return DatasetRows(_Mapped(self.dataset, function, 0), self.collate, self.workers, self.argument)

    def map_targets(self, function: Callable[[Tensor], Tensor]) -> DatasetRows:
        """Maps row by row, as rows are asked for."""
        return DatasetRows(_Mapped(self.dataset, function, -1), self.collate, self.workers, self.argument)

    def to(self, device: torch.device) -> DatasetRows:
        """Itself: rows are moved batch by batch."""
        return self


class _Mapped(Dataset[Any]):
    def __init__(self, dataset: Dataset[Any], function: Callable[[Tensor], Tensor], place: int) -> None:
        self.dataset, self.function, self.place = dataset, function, place

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Any:
        row = list(self.dataset[index])
        row[self.place] = self.function(torch.as_tensor(row[self.place])[None])[0]
        return tuple(row)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, np.generic, np.ndarray, Tensor))


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor in it on the device, whatever its structure."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(to_device(value, device) for value in batch)
    return batch.to(device) if hasattr(batch, "to") else batch


def as_rows(data: Any, argument: str, collate: Callable[[list[Any]], Batch] | None = None) -> Rows:
    """Rows from arrays (X, y), a map-style data set or a DataLoader."""
    if isinstance(data, (ArrayRows, DatasetRows)):
        return data
    if isinstance(data, DataLoader):
        return _from_loader(data, argument, collate)
    if isinstance(data, TensorDataset) and collate is None:
        return ArrayRows([as_tensor(column, argument) for column in data.tensors])
    if isinstance(data, (tuple, list)) and len(data) == 2 and not isinstance(data[0], (tuple, str)):
        return _from_arrays(data[0], data[1], argument)
    named = isinstance(data, Mapping) and set(data) != set(range(len(data)))
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not named and not isinstance(data, (str, bytes, np.ndarray, Tensor)):
        if not len(data):
            raise InputError(argument, "found no rows", "give at least two")
        return DatasetRows(data, collate, argument=argument)
    raise InputError(argument, f"found {type(data).__name__}", "give (X, y), a map-style Dataset of (input, target), or a DataLoader")


def _from_loader(loader: DataLoader[Any], argument: str, collate: Callable[[list[Any]], Batch] | None) -> Rows:
    dataset = loader.dataset
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        raise InputError(argument, "found a DataLoader over an iterable data set", "give one that can be indexed: rows must be drawn again")
    chosen = collate or (None if loader.collate_fn is default_collate else cast("Callable[[list[Any]], Batch]", loader.collate_fn))
    if isinstance(dataset, TensorDataset) and chosen is None:
        return as_rows(dataset, argument)
    if not len(dataset):
        raise InputError(argument, "found no rows", "give at least two")
    return DatasetRows(dataset, chosen, loader.num_workers, argument)


def _from_arrays(inputs: Any, targets: Any, argument: str) -> ArrayRows:
    x = as_tensor(inputs, argument)
    if targets is None:
        return ArrayRows([x])
    y = as_tensor(targets, argument)
    if not x.ndim or len(x) != (len(y) if y.ndim else -1):
        raise InputError(argument, f"found inputs of shape {tuple(x.shape)} and targets of shape {tuple(y.shape)}", "give one target a row")
    if not len(x):
        raise InputError(argument, "found no rows", "give at least two")
    return ArrayRows([x, y])


def as_tensor(values: Any, argument: str) -> Tensor:
    """A tensor of the values: 64-bit floats become 32-bit, small integers (pixels, say) become floats, labels that are text are refused."""
    if isinstance(values, Tensor):
        tensor = values.detach()
    else:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise InputError(
                argument, f"found values of type {array.dtype}", "give numbers (for text and categories see traindx.tasks.read)"
            )
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        tensor = torch.from_numpy(np.array(array))  # a copy: what the caller does to the array later must not reach us
    if tensor.dtype in (torch.float64, torch.float16, torch.bfloat16):
        return tensor.float()
    if tensor.dtype in (torch.uint8, torch.bool):
        return tensor.float()
    if tensor.dtype in (torch.int8, torch.int16, torch.int32):
        return tensor.long()
    return tensor
