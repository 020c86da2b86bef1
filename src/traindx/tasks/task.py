"""A task states what is to be learned: how to build the model, the loss, the splits of the data, the metric."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from traindx.records import InputError, RemedyRef, TraindxError
from traindx.tasks.fingerprint import digest, rows_digest
from traindx.tasks.kinds import Kind, Loss, infer_kind, labels_of, parse_kind
from traindx.tasks.metrics import Metric, find_metric
from traindx.tasks.random_states import preserved_rng, seed_everything
from traindx.tasks.rows import ArrayRows, Batch, Rows, as_rows
from traindx.tasks.sealed import SealedTest
from traindx.tasks.splits import fold_indices

Forward = Callable[[nn.Module, Batch], tuple[Any, Any]]
ModelFactory = Callable[[], nn.Module]
InputMap = Callable[[Tensor], Tensor]


def pair_forward(model: nn.Module, batch: Batch) -> tuple[Any, Any]:
    """The default ``forward``: a batch is (inputs, targets)."""
    inputs, targets = batch
    return model(inputs), targets


class Task:
    """What is to be learned.

    Args:
        model: () -> nn.Module, called afresh for every run, after seeding. A factory that returns the same object again is given a copy
            of that object's first state instead, so no run sees another's weights.
        loss: (outputs, targets) -> scalar tensor.
        train: arrays or tensors (X, y), a map-style data set of (input, target), or a DataLoader (its data set is used; batches are
            drawn by the recipe).
        validation: the same forms; default: a fifth of ``train``, stratified for classes, by ``groups`` or by ``time`` when given.
        test: the same forms, sealed (see `SealedTest`); (U, None) when its labels are unknown.
        metric: a name, or (outputs, targets) -> float; default: accuracy or RMSE by the kind.
        kind: classification, multilabel, regression or other; default: from targets and loss.
        forward: (model, batch) -> (outputs, targets) for batches of any structure.
        collate: makes a batch of a list of rows, for data sets.
        groups: (N,) one group a training row: no group is on both sides of a split.
        time: (N,) numbers that order the training rows: the latest are validation.
        sample_weight: (N,) rows are drawn in proportion to their weight while training.
        name: for reports.

    Raises:
        InputError: naming the argument, what was found and what to do.

    """

    def __init__(
        self,
        model: ModelFactory,
        loss: Loss,
        train: Any,
        validation: Any = None,
        test: Any = None,
        metric: str | Callable[[Any, Any], float] | None = None,
        kind: str | None = None,
        forward: Forward | None = None,
        collate: Callable[[list[Any]], Batch] | None = None,
        groups: Any = None,
        time: Any = None,
        sample_weight: Any = None,
        name: str = "task",
    ) -> None:
        if isinstance(model, nn.Module) or not callable(model):
            raise InputError("model", f"found {type(model).__name__}", "give a function that builds it: lambda: Net()")
        if isinstance(loss, type):
            raise InputError("loss", f"found the class {loss.__name__}", f"give an instance of it: {loss.__name__}()")
        if not callable(loss):
            raise InputError(
                "loss", f"found {type(loss).__name__}", "give (outputs, targets) -> scalar tensor, such as nn.CrossEntropyLoss()"
            )
        self.name, self.loss, self.forward = name, loss, forward or pair_forward
        self.training_loss = loss
        self.remedies: tuple[RemedyRef, ...] = ()
        # What remedies put between the inputs that were given and the network, in order; for test inputs it may be more.
        self.input_maps: tuple[InputMap, ...] = ()
        self.test_maps: tuple[InputMap, ...] = ()
        self._factory = model
        pool = as_rows(train, "train", collate)
        if len(pool) < 2:
            raise InputError("train", f"found {len(pool)} row", "give at least two")
        if pool.inputs is not None and pool.inputs.ndim < 2 and pool.inputs.is_floating_point():  # a token a row may be looked up
            raise InputError("train", f"found inputs of shape {tuple(pool.inputs.shape)}", f"give a row of features each: ({len(pool)}, 1)")
        self.kind = parse_kind(kind) if kind else infer_kind(pool.targets, loss)
        pool = _with_float_targets(pool) if self.kind is Kind.REGRESSION else pool
        self.metric: Metric | None = find_metric(metric, self.kind, loss)
        self._pool = pool
        self._given_validation = validation is not None
        self._groups, self._time = _column(groups, pool, "groups"), _column(time, pool, "time")
        self._weights = _column(sample_weight, pool, "sample_weight")
        self.fold = 0
        if validation is not None:
            self.train, self.validation = pool, self._like_train(as_rows(validation, "validation", collate))
            self.train_index = torch.arange(len(pool))
        else:
            self._split(0)
        self.test = self._sealed(test, collate)
        self._first_model, self.pretrained = self._inspect_factory()

    # -- of a framework ------------------------------------------------------------------------------------------------------------

    @classmethod
    def from_lightning(cls, module_factory: ModelFactory, datamodule: Any, **options: Any) -> Self:
        """What a Lightning `Trainer` trains.

        The loss is the one of torch's, or of the module's own attributes, that gives the numbers of its ``training_step``; where there is
        none, the step itself computes it, and reference models and metrics are not applicable.

        Args:
            module_factory: () -> LightningModule, called afresh for every run.
            datamodule: a `LightningDataModule`; its loaders' data sets are used, batches are drawn by the recipe.
            options: further arguments of `Task`.

        Raises:
            InputError: naming the argument, as for a module that steps its optimizers itself or needs its Trainer to compute the loss.

        """
        from traindx.tasks.frameworks import lightning

        return cls(**{**lightning.parts(module_factory, datamodule), **options})

    @classmethod
    def from_trainer(
        cls,
        model_init: Callable[..., nn.Module],
        train_dataset: Any,
        eval_dataset: Any = None,
        test_dataset: Any = None,
        data_collator: Callable[[list[Any]], Any] | None = None,
        compute_loss_func: Callable[..., Tensor] | None = None,
        **options: Any,
    ) -> Self:
        """What a Hugging Face `Trainer` trains; the arguments have its names.

        The loss is the one of torch's that gives the model's own numbers; where there is none (a shifted one of a language model), the
        model's own is used, and reference models and metrics are not applicable.

        Args:
            model_init: () -> model, called afresh for every run.
            train_dataset: a map-style data set of dictionaries.
            eval_dataset: the same; default: split off.
            test_dataset: the same, sealed.
            data_collator: as for `Trainer`; default: its own for data without a tokenizer.
            compute_loss_func: as for `Trainer`.
            options: further arguments of `Task`.

        Raises:
            InputError: naming the argument.

        """
        from traindx.tasks.frameworks import hf

        given = hf.parts(model_init, train_dataset, eval_dataset, test_dataset, data_collator, compute_loss_func)
        return cls(**{**given, **options})

    @classmethod
    def from_skorch(cls, net: Any, X: Any, y: Any = None, **options: Any) -> Self:
        """What a skorch net is fitted to: its module, its criterion and its way from one to the other.

        Args:
            net: fitted or not; it stays as it is.
            X: inputs, as for ``net.fit``.
            y: targets, as for ``net.fit``.
            options: further arguments of `Task`.

        Raises:
            InputError: naming the argument.

        """
        from traindx.tasks.frameworks import skorch

        return cls(**{**skorch.parts(net, X, y), **options})

    # -- data ----------------------------------------------------------------------------------------------------------------------

    def _like_train(self, rows: Rows) -> Rows:
        return _with_float_targets(rows) if self.kind is Kind.REGRESSION else rows

    def _split(self, fold: int) -> None:
        labels = None if self._pool.targets is None else labels_of(self._pool.targets, self.kind)
        train, held_out = fold_indices(len(self._pool), fold, labels, self._groups, self._time)
        if not len(train) or not len(held_out):
            raise InputError("groups", "found one group only", "give at least two, or a validation set")
        self.train, self.validation, self.fold, self.train_index = self._pool.subset(train), self._pool.subset(held_out), fold, train

    def _sealed(self, test: Any, collate: Callable[[list[Any]], Batch] | None) -> SealedTest | None:
        if test is None:
            return None
        has_labels = not (isinstance(test, (tuple, list)) and len(test) == 2 and test[1] is None)
        rows = as_rows(test, "test", collate)
        return SealedTest(self._like_train(rows) if has_labels else rows, has_labels)

    @property
    def validation_given(self) -> bool:
        """Whether the validation rows were given apart from the training rows, rather than split off by traindx."""
        return self._given_validation

    @property
    def can_resplit(self) -> bool:
        """Whether other folds are other divisions: the validation set was split off by traindx, and not by time."""
        return not self._given_validation and self._time is None

    def resplit(self, fold: int) -> Task:
        """The same task with another fold as validation; itself where `can_resplit` is false."""
        if not self.can_resplit or fold == self.fold:
            return self
        other = copy.copy(self)
        other._split(fold)
        return other

    def whole(self) -> Task:
        """The same task with its validation rows among the training rows; itself where they were given apart.

        For a last training, when nothing is left to be chosen: the validation rows stay what they were, and say nothing any more. A recipe that
        stops early by them needs the task as it was.
        """
        if self._given_validation:
            return self
        other = copy.copy(self)
        other.train, other.train_index, other._given_validation = self._pool, torch.arange(len(self._pool)), True
        return other

    @property
    def sample_weight(self) -> Tensor | None:
        """Weights of the training rows, shape (N,), or None."""
        return None if self._weights is None else torch.as_tensor(self._weights, dtype=torch.float64)[self.train_index]

    @property
    def labels(self) -> Tensor | None:
        """Class indices of the training rows, shape (N,), where each row has one."""
        return None if self.train.targets is None else labels_of(self.train.targets, self.kind)

    @property
    def classes(self) -> int | None:
        """How many classes the training targets show (at least two), for single-label classification."""
        if self.labels is None:
            return None
        targets = self.train.targets
        if targets is not None and targets.ndim == 2 and targets.shape[1] > 1:
            return int(targets.shape[1])
        return max(2, int(self.labels.max()) + 1)

    # -- model ---------------------------------------------------------------------------------------------------------------------

    def build(self, seed: int) -> nn.Module:
        """A fresh model; the global random states are seeded by ``seed`` while it is built and put back afterwards."""
        with preserved_rng():
            seed_everything(seed)
            return self.fresh_model()

    def fresh_model(self) -> nn.Module:
        """A fresh model drawn from the global random state as it stands: for factories made of this task's factory."""
        return copy.deepcopy(self._first_model) if self._first_model is not None else _checked(self._factory())

    def _inspect_factory(self) -> tuple[nn.Module | None, bool]:
        """(a copy of the model if the factory hands out one object again and again, whether two seeds give equal weights, other than constants)."""
        with preserved_rng():
            seed_everything(1)
            first = _first(self._factory)
            if next(first.parameters(), None) is None:
                raise InputError("model", f"found a {type(first).__name__} without parameters", "give a network: there is nothing to train")
            kept = copy.deepcopy(first.state_dict())
            seed_everything(2)
            second = _checked(self._factory())
        shared = {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
        state = second.state_dict()
        equal = kept.keys() == state.keys() and all(torch.equal(kept[k], state[k]) for k in kept if isinstance(kept[k], Tensor))
        weights = [v for v in state.values() if isinstance(v, Tensor) and v.ndim >= 2 and v.is_floating_point()]
        constant = bool(weights) and all(bool((w == w.reshape(-1)[0]).all()) for w in weights if w.numel())
        return (copy.deepcopy(first) if shared or first is second else None), equal and not constant

    # -- changes -------------------------------------------------------------------------------------------------------------------

    def changed(
        self,
        remedy: RemedyRef,
        model: ModelFactory | None = None,
        loss: Loss | None = None,
        training_loss: Loss | None = None,
        forward: Forward | None = None,
        train: Rows | None = None,
        validation: Rows | None = None,
        map_inputs: InputMap | None = None,
        map_targets: Callable[[Tensor], Tensor] | None = None,
        map_test: InputMap | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """A copy changed by a remedy.

        Another factory, loss or forward pass; a loss to descend on that is not the one to be judged by; other training or validation rows;
        inputs or targets mapped in every split, or the test inputs alone; rows re-weighted.
        """
        other = copy.copy(self)
        other.remedies = self.remedies if self.remedies[-1:] == (remedy,) else (*self.remedies, remedy)
        if model is not None:
            other._factory, other._first_model = model, None
        if loss is not None:
            other.loss = other.training_loss = loss
        if training_loss is not None:
            other.training_loss = training_loss
        if forward is not None:
            other.forward = forward
        if train is not None:
            other.train, other._given_validation, other._weights = train, True, None
        if validation is not None:
            other.validation, other._given_validation = validation, True
        if map_inputs is not None:
            other.train, other.validation = other.train.map_inputs(map_inputs), other.validation.map_inputs(map_inputs)
            other._pool = other._pool.map_inputs(map_inputs)
            other.test = other.test.map_inputs(map_inputs) if other.test else None
            other.input_maps, other.test_maps = (*other.input_maps, map_inputs), (*other.test_maps, map_inputs)
        if map_targets is not None:
            other.train, other.validation = other.train.map_targets(map_targets), other.validation.map_targets(map_targets)
            other._pool = other._pool.map_targets(map_targets)
            other.test = other.test.map_targets(map_targets) if other.test else None
        if map_test is not None:
            other.test = other.test.map_inputs(map_test) if other.test else None
            other.test_maps = (*other.test_maps, map_test)
        if weights is not None:
            column = np.zeros(len(other._pool))
            column[other.train_index.numpy()] = weights.double().numpy()
            other._weights = column
        return other

    @property
    def fingerprint(self) -> str:
        """Equal for equal content, in any process; the sealed test set is not read for it. Cost: one pass over the training data."""
        known = self.__dict__.get("_fingerprint")
        identity = tuple(map(id, (self.train, self.validation, self._factory, self.loss, self.training_loss, self.forward, self._weights)))
        if known is None or known[0] != identity:
            metric = self.metric.function if self.metric else None
            parts = (self.build(0), self.loss, self.training_loss, self.forward, self.kind, metric, self._weights)
            known = (identity, digest(*parts, rows_digest(self.train), rows_digest(self.validation)))
            self.__dict__["_fingerprint"] = known
        return str(known[1])

    def summary(self) -> dict[str, str | int | bool]:
        """What a report says of the task."""
        model = self.build(0)
        inputs = self.train.inputs
        return {
            "name": self.name,
            "kind": self.kind.value,
            "rows": len(self.train),
            "validation rows": len(self.validation),
            "test rows": len(self.test) if self.test else 0,
            "inputs": "x".join(map(str, inputs.shape[1:])) if inputs is not None else "any structure",
            "classes": self.classes or 0,
            "metric": self.metric.name if self.metric else "none",
            "parameters": sum(p.numel() for p in model.parameters()),
            "pretrained": self.pretrained,
        }


def _first(factory: ModelFactory) -> nn.Module:
    try:
        return _checked(factory())
    except TraindxError:
        raise
    except Exception as error:  # the user's code: whatever it raises is what was found
        found = f"calling it raised {type(error).__name__}: {error}"
        raise InputError("model", found, "give a function without arguments that builds it: lambda: Net(...)") from error


def _checked(model: Any) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise InputError("model", f"the factory returned {type(model).__name__}", "return an nn.Module")
    return model


def _column(values: Any, rows: Rows, argument: str) -> np.ndarray | None:
    if values is None:
        return None
    column = np.asarray(values)
    if column.shape != (len(rows),):
        raise InputError(argument, f"found shape {column.shape}", f"give one value a training row, shape ({len(rows)},)")
    return column


def _with_float_targets(rows: Rows) -> Rows:
    if isinstance(rows, ArrayRows) and rows.targets is not None and not rows.targets.dtype.is_floating_point:
        columns: Sequence[Tensor] = (*rows.columns[:-1], rows.targets.float())
        return ArrayRows(columns)
    return rows
