"""Reference models: what loss is reachable on these rows, out of fold, and what the constant predictor pays.

Constant, logistic or ridge regression, nearest neighbours, gradient boosting and a small network, each fitted on some folds and judged on
the others, on the user's own loss; a small convolutional network too, where the user's network looks at places (see `convolutional`). Where
several numbers or labels a row are predicted, the regressions do so. Where the targets are the inputs, as for an autoencoder, the reference is
the best linear code (principal components) as narrow as the network's. At most MAX_ROWS rows and MAX_FEATURES columns are used, and sizes
follow a model of the cost rather than the clock, so that the answer is the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from traindx.experiments.base import Lab
from traindx.experiments.convolutional import FEWEST_ROWS, ConvolutionalReference
from traindx.experiments.layout import coded_columns, places
from traindx.records import Evidence, Question
from traindx.tasks import (
    Form,
    Kind,
    Task,
    find_form,
    is_distance,
    labels_of,
    number_form,
    output_form,
    outputs_from_numbers,
    outputs_from_probabilities,
)
from traindx.tasks.features import Features, array_pairs, one_thread
from traindx.training import chunk_losses, evaluated_index, mean_and_error, metric_of, predict
from traindx.training.evaluation import chunk_size

MAX_ROWS = 3000
# Boosting's cost grows with rows x features x classes x rounds: this many such units take about two seconds on one core.
BOOSTING_UNITS = 3e7
# Class probabilities are mixed with the uniform distribution at this rate, so that one confident error does not rule a reference out.
SMOOTHING = 0.01
SMALL_SET = 1000
# The subject under which the loss of predictions equal to the targets is told.
LEAST = "targets"
# Rows with more numbers to predict have no references; boosting fits one model a number, and a small network of 64 units few numbers.
MAX_TARGETS, MOST_BOOSTED, MOST_IN_NETWORK = 4096, 4, 64

Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class References:
    """Out-of-fold losses of the reference models."""

    name, title, version, reads_test = "references", "reference models", 6, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``out_of_fold_loss`` and ``out_of_fold_metric`` a model; ``not-applicable`` where inputs or targets are not array-like.

        And the ``validation_loss`` of the constant predictor, on the rows on which the network is judged.
        """
        rows = _usable_rows(lab.task)
        if rows is None:
            reason = "inputs and targets are not plain arrays of one class or one number a row"
            return [*_constant_only(lab.task), Evidence(experiment="references", measure="not-applicable", value=math.nan, text=reason)]
        _, targets, form = rows
        least, found = None, []
        if form in (Form.POSITIVE, Form.LOGARITHMS):  # such losses have any level: the least is where outputs mean the targets
            least = as_outputs(lab.task, _flat(targets).double().numpy(), targets, form)
            found += judged(lab.task, LEAST, least, targets)
        for name, predicted in predictions(lab.task).items():
            found += judged(lab.task, name, as_outputs(lab.task, predicted, targets, form), targets, least)
        return [*found, *_constant_on_validation(lab.task, targets, form)]


# What the references of a task predict, as long as the task lives: several experiments ask for it.
_PREDICTED = WeakKeyDictionary[Task, dict[str, np.ndarray]]()


def predictions(task: Task) -> dict[str, np.ndarray]:
    """(N, outputs) by the name of every reference model, for each of the `reference_rows` by a model that has not seen it; none without such rows.

    Cost: seconds (see the constants above), once a task and process.
    """
    if task not in _PREDICTED:
        rows = _usable_rows(task)
        _PREDICTED[task] = {} if rows is None else _predictions(task, *rows)
    return _PREDICTED[task]


def _predictions(task: Task, inputs: Tensor, targets: Tensor, form: Form) -> dict[str, np.ndarray]:
    features = _features(task, inputs, targets)
    found = {name: held_out(task, model, features, targets) for name, model in predictors(task, features, targets, form).items()}
    network = _of_places(task, inputs, targets)
    return found if network is None else {**found, "convolutional-network": held_out(task, network, inputs.numpy(), targets)}


def reference_rows(task: Task) -> tuple[np.ndarray, Tensor, Form] | None:
    """(features, targets, form of outputs) of at most MAX_ROWS training rows; None where reference models do not apply."""
    rows = _usable_rows(task)
    return None if rows is None else (_features(task, *rows[:2]), *rows[1:])


def reference_targets(task: Task) -> Tensor | None:
    """The targets of the `reference_rows`, without their features."""
    rows = _usable_rows(task)
    return None if rows is None else rows[1]


def _features(task: Task, inputs: Tensor, targets: Tensor) -> np.ndarray:
    return _raw(inputs) if copies(inputs, targets) else Features(inputs, coded_columns(task))(inputs)


def _of_places(task: Task, inputs: Tensor, targets: Tensor) -> Predictor | None:
    """The convolutional network; None where rows have no places, or are few."""
    numbers = 1 if task.kind is Kind.CLASSIFICATION else _flat(targets).shape[1]
    finite = bool(torch.isfinite(inputs.float()).all())
    if len(inputs) < FEWEST_ROWS or numbers > MOST_IN_NETWORK or not finite or copies(inputs, targets):
        return None
    found = places(task, inputs)
    outputs = (task.classes or 2) if task.kind is Kind.CLASSIFICATION else numbers
    return None if found is None else ConvolutionalReference(task.kind, inputs, found, outputs, fold_count(len(inputs)))


def _usable_rows(task: Task) -> tuple[Tensor, Tensor, Form] | None:
    """(inputs, targets, form of outputs); None where reference models do not apply."""
    pairs = array_pairs(task.train, evaluated_index(len(task.train), MAX_ROWS))
    if pairs is None or not bool(torch.isfinite(pairs[1].float()).all()):
        return None
    inputs, targets = pairs
    if task.kind is Kind.CLASSIFICATION:
        labels = labels_of(targets, task.kind)
        if labels is None or len(labels[labels >= 0].unique()) < 2:
            return None
        if bool((labels < 0).any()):  # rows that the loss is told to ignore
            inputs, targets = inputs[labels >= 0], targets[labels >= 0]
        form = find_form(task.loss, task.kind, targets, single_output(task, targets), task.classes or 2)
    else:
        form = _form_of_numbers(task, targets)
    return None if form is Form.UNKNOWN else (inputs, targets, form)


def _form_of_numbers(task: Task, targets: Tensor) -> Form:
    """What the loss expects where rows have numbers, or a label or none of several; UNKNOWN where references do not apply."""
    if targets.reshape(len(targets), -1).shape[1] > MAX_TARGETS:
        return Form.UNKNOWN
    if task.kind is Kind.REGRESSION:
        return number_form(task.loss, targets) if _one_output_a_target(task) else Form.UNKNOWN
    return output_form(task.loss, task.kind) if task.kind is Kind.MULTILABEL and targets.is_floating_point() else Form.UNKNOWN


def _one_output_a_target(task: Task) -> bool:
    """Whether the network gives out as many numbers as there are targets: not means and variances, say, which the loss takes apart."""
    if is_distance(task.loss):
        return True
    outputs, targets = predict(task, task.build(0), task.train, torch.device("cpu"), torch.arange(min(2, len(task.train))))
    return all(isinstance(o, Tensor) and isinstance(t, Tensor) and o.numel() == t.numel() for o, t in zip(outputs, targets, strict=True))


def copies(inputs: Tensor, targets: Tensor) -> bool:
    """Whether the targets are the inputs, as for an autoencoder."""
    return inputs.is_floating_point() and inputs[0].numel() == targets[0].numel() > 1 and torch.equal(_flat(inputs), _flat(targets))


def _flat(rows: Tensor) -> Tensor:
    return rows.reshape(len(rows), -1)


def _raw(inputs: Tensor) -> np.ndarray:
    return np.asarray(_flat(inputs).double().numpy())


def single_output(task: Task, targets: Tensor) -> bool:
    """Whether the loss wants one number for two classes: real-valued 0/1 targets."""
    return targets.is_floating_point() and (targets.ndim == 1 or targets.shape[1:].numel() == 1)


def as_outputs(task: Task, predictions: np.ndarray, targets: Tensor, form: Form) -> Tensor:
    """Predictions in the form that the task's loss expects, on the CPU."""
    if task.kind is Kind.REGRESSION:
        return outputs_from_numbers(torch.from_numpy(predictions), targets, form)
    if form is Form.NUMBERS or task.kind is Kind.MULTILABEL:
        numbers = torch.from_numpy(predictions).to(targets.dtype).reshape(targets.shape)
        if form is Form.NUMBERS:
            return numbers
        shares = numbers.clamp(SMOOTHING / 2, 1 - SMOOTHING / 2)
        return torch.logit(shares) if form is Form.LOGITS else shares
    probabilities = torch.from_numpy(predictions).float()
    smooth = (1 - SMOOTHING) * probabilities + SMOOTHING / probabilities.shape[1]
    return outputs_from_probabilities(smooth, targets, form, single_output(task, targets))


def judged(task: Task, name: str, outputs: Tensor, targets: Tensor, least: Tensor | None = None) -> list[Evidence]:
    """The loss of these outputs with its interval, and the metric. The interval is that of the loss above what the ``least`` outputs pay."""
    size = chunk_size(len(targets))
    parts, wanted = list(outputs.split(size)), list(targets.split(size))
    losses, sizes = chunk_losses(task, parts, wanted)
    loss, error = mean_and_error(losses, sizes)
    if least is not None:
        lowest, _ = chunk_losses(task, list(least.split(size)), wanted)
        error = mean_and_error([a - b for a, b in zip(losses, lowest, strict=True)], sizes)[1]
    shared: dict[str, Any] = {"experiment": "references", "subject": name, "details": {"rows": len(targets)}}
    margin = 1.96 * error if math.isfinite(error) else 0.0
    found = [Evidence(measure="out_of_fold_loss", value=loss, low=loss - margin, high=loss + margin, **shared)]
    metric = metric_of(task, parts, wanted)
    return found if math.isnan(metric) else [*found, Evidence(measure="out_of_fold_metric", value=metric, **shared)]


def _constant_only(task: Task) -> list[Evidence]:
    """The constant predictor's loss needs targets alone."""
    targets = task.train.targets
    if targets is None or not bool(torch.isfinite(targets.float()).all()):
        return []
    targets = targets[evaluated_index(len(targets), MAX_ROWS)].cpu()
    if task.kind is Kind.CLASSIFICATION and (labels := labels_of(targets, task.kind)) is not None:
        targets = targets[labels >= 0]
        form = find_form(task.loss, task.kind, targets, single_output(task, targets), task.classes or 2)
    else:
        form = _form_of_numbers(task, targets)
    if form is Form.UNKNOWN:
        return []
    nothing = np.zeros((len(targets), 1))
    return judged(task, "constant", out_of_fold(task, _constant(task), nothing, targets, form), targets)


def _constant_on_validation(task: Task, targets: Tensor, form: Form) -> list[Evidence]:
    """What the constant of the training rows pays on the validation rows: of few or heavy-tailed ones it is another loss."""
    rows = array_pairs(task.validation, evaluated_index(len(task.validation), MAX_ROWS))
    if rows is None or rows[1].shape[1:] != targets.shape[1:] or not bool(torch.isfinite(rows[1].float()).all()):
        return []
    labels, known = labels_of(targets, task.kind), labels_of(rows[1], task.kind)
    held = rows[1] if known is None else rows[1][(known >= 0) & (known < (task.classes or 2))]
    if not len(held):
        return []
    y = labels.numpy() if labels is not None else _flat(targets).double().numpy()
    outputs = as_outputs(task, _constant(task)(np.zeros((len(y), 1)), y, np.zeros((len(held), 1))), held, form)
    return [e.replace(measure="validation_loss") for e in judged(task, "constant", outputs, held) if e.measure == "out_of_fold_loss"]


def out_of_fold(task: Task, predictor: Predictor, features: np.ndarray, targets: Tensor, form: Form) -> Tensor:
    """Outputs for every row by a model that has not seen it."""
    return as_outputs(task, held_out(task, predictor, features, targets), targets, form)


def held_out(task: Task, predictor: Predictor, features: np.ndarray, targets: Tensor) -> np.ndarray:
    """(N, classes or numbers): predictions for every row by a model that has not seen it."""
    labels = labels_of(targets, task.kind)
    y = labels.numpy() if labels is not None else _flat(targets).double().numpy()
    width = (task.classes or 2) if labels is not None else y.shape[1]
    predictions = np.zeros((len(y), width))
    folds = np.random.default_rng(0).permutation(len(y)) % fold_count(len(y))
    with one_thread():
        for fold in range(fold_count(len(y))):
            train, held = folds != fold, folds == fold
            predictions[held] = predictor(features[train], y[train], features[held]).reshape(-1, width)
    return predictions


def fold_count(rows: int) -> int:
    """Folds: five for small sets, three otherwise."""
    return 5 if rows < SMALL_SET else 3


def predictors(task: Task, features: np.ndarray, targets: Tensor, form: Form) -> dict[str, Predictor]:
    """The reference models by name, the constant predictor first."""
    if task.kind is Kind.CLASSIFICATION:
        return {"constant": _constant(task), **_classifiers(task, *features.shape)}
    if copies(torch.from_numpy(features), targets.double()):
        return {"constant": _constant(task), **_linear_code(task, features.shape[1])}
    rows, width = features.shape
    positive = form in (Form.POSITIVE, Form.LOGARITHMS)
    return {"constant": _constant(task), **_regressors(rows, width, _flat(targets).shape[1], positive)}


def _linear_code(task: Task, width: int) -> dict[str, Predictor]:
    """Principal components, as many as the narrowest layer has values a row; none where no layer is narrower than a row."""
    from sklearn.decomposition import PCA

    code = narrowest(task)
    if code >= width:
        return {}

    def predict(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
        found = PCA(min(code, len(x)), svd_solver="randomized", random_state=0).fit(x)
        return np.asarray(found.inverse_transform(found.transform(held)))

    return {"linear": predict}


def narrowest(task: Task) -> int:
    """The fewest values a row that any layer with weights of its own gives out. Cost: one forward pass of a few rows."""
    model, widths = task.build(0), []

    def look(layer: nn.Module, inputs: Any, outputs: Any) -> None:
        if isinstance(outputs, Tensor) and outputs.ndim > 1:
            widths.append(outputs[0].numel())

    hooks = [m.register_forward_hook(look) for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    predict(task, model, task.train, torch.device("cpu"), torch.arange(min(2, len(task.train))))
    for hook in hooks:
        hook.remove()
    return min(widths, default=1)


def _constant(task: Task) -> Predictor:
    if task.kind is Kind.CLASSIFICATION:
        classes = task.classes or 2
        return lambda x, y, held: np.tile(np.bincount(y, minlength=classes) / len(y), (len(held), 1))
    middle = np.median if type(task.loss).__name__ in ("L1Loss",) else np.mean
    return lambda x, y, held: np.tile(middle(y, axis=0), (len(held), 1))


def boosting_rounds(rows: int, width: int, classes: int) -> int:
    """Rounds that the cost allows, from 20 to 100."""
    trees = classes if classes > 2 else 1
    return int(np.clip(BOOSTING_UNITS / (rows * max(width, 8) * trees), 20, 100))


def _classifiers(task: Task, rows: int, width: int) -> dict[str, Predictor]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier

    classes = task.classes or 2
    rounds = boosting_rounds(rows, width, classes)
    small = rows < SMALL_SET
    return {
        "linear": _probabilities(lambda: LogisticRegression(C=0.1, max_iter=100), classes),
        "nearest-neighbours": _probabilities(lambda: KNeighborsClassifier(n_neighbors=min(10, max(1, rows // 10))), classes),
        "gradient-boosting": _probabilities(
            lambda: HistGradientBoostingClassifier(
                max_iter=rounds,
                learning_rate=min(0.2, 6 / rounds),
                max_leaf_nodes=15,
                min_samples_leaf=min(20, max(2, rows // 50)),
                early_stopping=False,
                random_state=0,
            ),
            classes,
        ),
        "small-network": _probabilities(
            lambda: MLPClassifier(
                hidden_layer_sizes=(64,),
                alpha=1.0 if small else 0.1,
                learning_rate_init=3e-3,
                batch_size=min(64, max(8, rows // 20)),
                max_iter=40,
                early_stopping=not small,
                n_iter_no_change=6,
                random_state=0,
            ),
            classes,
        ),
    }


def _probabilities(make: Callable[[], Any], classes: int) -> Predictor:
    def predict(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
        result = np.zeros((len(held), classes))
        if len(np.unique(y)) < 2:
            result[:, y[0]] = 1.0
            return result
        model = make().fit(x, y)
        result[:, model.classes_] = model.predict_proba(held)
        return result

    return predict


def _regressors(rows: int, width: int, numbers: int, positive: bool) -> dict[str, Predictor]:
    """Of positive numbers the linear model is one of their logarithm, as is the sum of trees (Poisson regression)."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import PoissonRegressor, RidgeCV
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.neural_network import MLPRegressor

    rounds, small = boosting_rounds(rows, width, max(numbers, 2)), rows < SMALL_SET
    regressors = {
        "linear": (
            _rates(lambda: MultiOutputRegressor(PoissonRegressor(alpha=0.01, max_iter=300)))
            if positive
            else _numbers(lambda: RidgeCV(np.logspace(-2, 4, 7)))
        ),
        "nearest-neighbours": _numbers(lambda: KNeighborsRegressor(n_neighbors=min(10, max(1, rows // 10)))),
        "gradient-boosting": (_rates if positive else _numbers)(
            lambda: MultiOutputRegressor(
                HistGradientBoostingRegressor(
                    loss="poisson" if positive else "squared_error",
                    max_iter=rounds,
                    learning_rate=0.1,
                    max_leaf_nodes=15,
                    min_samples_leaf=min(20, max(2, rows // 50)),
                    early_stopping=False,
                    random_state=0,
                )
            )
        ),
        "small-network": _numbers(
            lambda: MLPRegressor(
                hidden_layer_sizes=(64,),
                alpha=1.0 if small else 0.1,
                learning_rate_init=3e-3,
                batch_size=min(64, max(8, rows // 20)),
                max_iter=60,
                early_stopping=not small,
                n_iter_no_change=6,
                random_state=0,
            )
        ),
    }
    too_many = {"gradient-boosting": MOST_BOOSTED, "small-network": MOST_IN_NETWORK}
    return {name: predictor for name, predictor in regressors.items() if numbers <= too_many.get(name, numbers)}


def _numbers(make: Callable[[], Any]) -> Predictor:
    def predict(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
        mean, std = y.mean(0), np.where(y.std(0) > 0, y.std(0), 1.0)
        fitted = make().fit(x, (y - mean) / std)
        return np.asarray(fitted.predict(held).reshape(len(held), -1) * std + mean)

    return predict


def _rates(make: Callable[[], Any]) -> Predictor:
    def predict(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
        mean = np.maximum(y.mean(0), 1e-12)
        fitted = make().fit(x, (y / mean).reshape(len(y), -1))
        return np.asarray(fitted.predict(held).reshape(len(held), -1) * mean)

    return predict
