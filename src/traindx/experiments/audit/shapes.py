"""The audit of one batch on its way to the loss: widths, shapes, the range of the outputs, the reduction.

Outputs are looked at on fresh models of a few seeds, on real inputs and on inputs drawn far apart, so that what they can *never* be shows.
No weight is trained.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from traindx.experiments.audit.measured import REFUSALS, evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence, NotApplicable
from traindx.remedies.surgery import output_activation
from traindx.tasks import Form, Kind, Task, is_distance, labels_of, output_form
from traindx.training import evaluated_index, evaluation_mode

ROWS = 64
# Fresh models that are looked at: what holds for all of them is the architecture's doing, not the draw's.
SEEDS = 3
# Inputs are also scaled by these, so that outputs show how far they reach.
SCALES = (-10.0, 100.0)
# Sums of probabilities are off by rounding only.
ROUNDING = 1e-4
UNEXPECTED = "not_what_the_loss_expects"
# The ranges of the activations that outputs may come from.
RANGES = {
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "softplus": (0.0, math.inf),
    "softmax": (0.0, 1.0),
    "logsigmoid": (-math.inf, 0.0),
}


def shape_evidence(lab: Lab) -> Sequence[Evidence]:
    """Output width against labels, shapes of outputs and targets, reach of the outputs, reduction of the loss."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of shapes that are broadcast; we say it in our own words
        return _looked_at(lab)


def _looked_at(lab: Lab) -> Sequence[Evidence]:
    task, cpu = lab.task, torch.device("cpu")
    batch = next(task.train.batches([evaluated_index(len(task.train), ROWS)], cpu))
    models = [task.build(lab.recipe.seed + k) for k in range(SEEDS)]
    try:
        outputs, targets = _forward(task, models[0], batch)
    except Exception as error:  # the user's own code: what it raises is the answer
        return [evidence("forward_error", 1.0, text=f"{type(error).__name__}: {error}")]
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor) or not outputs.ndim:
        return []
    reached = [o.reshape(len(o), -1) for o in _reached(task, models, batch)]
    found = [*_widths(task, outputs, targets), *_reduction(task, outputs, targets)]
    return [*found, *_reach(task, models[0], batch, torch.cat(reached))] if reached else found


def _forward(task: Task, model: nn.Module, batch: object) -> tuple[object, object]:
    with evaluation_mode(model):
        return task.forward(model, batch)


def _reached(task: Task, models: Sequence[nn.Module], batch: object) -> Iterator[Tensor]:
    """Outputs of every model on the batch, and on scaled inputs where these are one tensor of real numbers."""
    for model in models:
        for inputs in (batch, *_scaled(batch)):
            try:
                outputs, _ = _forward(task, model, inputs)
            except REFUSALS:  # a model may take the rows as they are only: codes of categories, say, are looked up
                continue
            if isinstance(outputs, Tensor) and bool(torch.isfinite(outputs).all()):
                yield outputs.float()


def _scaled(batch: object) -> list[object]:
    if isinstance(batch, (tuple, list)) and isinstance(batch[0], Tensor) and batch[0].is_floating_point():
        return [(batch[0] * scale, *batch[1:]) for scale in SCALES]
    return []


# -- widths ------------------------------------------------------------------------------------------------------------------------------


def _widths(task: Task, outputs: Tensor, targets: Tensor) -> list[Evidence]:
    """Output units against classes or targets, and whether the loss pairs rows with other rows' targets."""
    width = outputs.shape[1] if outputs.ndim > 1 else 1
    found = [evidence("output_width", width, targets=str(tuple(targets.shape[1:])), outputs=str(tuple(outputs.shape[1:])))]
    labels = None if task.train.targets is None else labels_of(task.train.targets, task.kind)
    indices = labels is not None and not targets.is_floating_point() and targets.ndim == outputs.ndim - 1
    if indices and labels is not None and width > 0:
        valid = labels[labels >= 0] if bool((labels == -100).any()) else labels
        found.append(evidence("needed_width", float(valid.max()) + 1, smallest=float(valid.min()), distinct=len(valid.unique())))
    elif targets.is_floating_point() and (outputs.ndim <= 2 or outputs.ndim == targets.ndim):
        found.append(evidence("needed_width", targets.shape[1] if targets.ndim > 1 else 1))
        found.append(evidence("distance_between_rows", float(is_distance(task.loss) and targets.ndim == outputs.ndim)))
    shapes = f"outputs {_shape(outputs)} and targets {_shape(targets)}"
    if outputs.shape != targets.shape and _broadcasts(task, outputs, targets):
        pairs = math.prod(torch.broadcast_shapes(outputs.shape, targets.shape))
        said = f"{shapes} are broadcast: each row is compared with other rows' targets"
        found.append(evidence("broadcast_pairs", pairs / len(outputs), text=said, same_size=outputs.numel() == targets.numel()))
    elif _repeats(task, outputs, targets):
        text = f"{shapes} are broadcast: the same output is compared with several targets of its row"
        found.append(evidence("repeated_outputs", targets.numel() / outputs.numel(), text=text))
    return found


def _repeats(task: Task, outputs: Tensor, targets: Tensor) -> bool:
    """Whether the loss takes fewer outputs than targets a row, and does as if each were there several times."""
    if outputs.ndim != targets.ndim or outputs.numel() >= targets.numel() or len(outputs) != len(targets):
        return False
    try:
        as_it_is, repeated = task.loss(outputs, targets), task.loss(outputs.expand_as(targets), targets)
        turned = task.loss(outputs, targets.flip(tuple(range(1, targets.ndim))))  # a column of weights is no target like the others
        return all(bool(torch.isclose(as_it_is, loss, rtol=1e-4, atol=1e-9)) for loss in (repeated, turned))
    except REFUSALS:
        return False  # the loss refuses one of the two: it does not broadcast


def _shape(tensor: Tensor) -> str:
    return f"(N{''.join(f', {n}' for n in tensor.shape[1:])})" if tensor.ndim > 1 else "(N,)"


def _broadcasts(task: Task, outputs: Tensor, targets: Tensor) -> bool:
    """Whether the loss of a batch is another than the mean (or sum) of its rows' own losses."""
    try:
        shape = torch.broadcast_shapes(outputs.shape, targets.shape)
    except RuntimeError:
        return False
    if math.prod(shape) <= max(outputs.numel(), targets.numel()) or len(outputs) < 2:
        return False
    try:
        whole = float(task.loss(outputs, targets))
        rows = [float(task.loss(outputs[i : i + 1], targets[i : i + 1])) for i in range(len(outputs))]
    except REFUSALS:
        return False  # the loss refuses shapes that differ: it does not broadcast
    mean, total = sum(rows) / len(rows), sum(rows)
    return not (math.isclose(whole, mean, rel_tol=1e-3, abs_tol=1e-9) or math.isclose(whole, total, rel_tol=1e-3, abs_tol=1e-9))


# -- reach -------------------------------------------------------------------------------------------------------------------------------


def _reach(task: Task, model: nn.Module, batch: object, reached: Tensor) -> list[Evidence]:
    """What the outputs can never be: constant, confined to probabilities, confined to less than the targets span."""
    activation = _activation(task, model, batch)
    found = [] if activation is None else [evidence("output_activation", 1.0, text=activation)]
    if bool((reached - reached[:1]).abs().max() <= ROUNDING) and len(reached) > 1 and reached.shape[1] == 1:
        found.append(evidence("constant_output", float(reached[0, 0]), activation=activation or ""))
    form = output_form(task.loss, task.kind)
    logarithms = bool(torch.logsumexp(reached, 1).abs().max() < ROUNDING) if reached.shape[1] > 1 else False
    if form is Form.LOGITS:
        found += _probabilities(reached, activation)
        if type(task.loss) is nn.NLLLoss and not logarithms and activation != "softmax":
            found.append(evidence(UNEXPECTED, 1.0, text="the loss expects logarithms of probabilities, and the outputs are something else"))
    outside = float(((reached < -ROUNDING) | (reached > 1 + ROUNDING)).float().mean())
    if type(task.loss) is nn.BCELoss and outside > 0:
        found.append(
            evidence(UNEXPECTED, outside, text=f"the loss expects probabilities, and {outside:.0%} of the outputs can lie outside 0 to 1")
        )
    found += _several_labels(task)
    if is_distance(task.loss) and task.kind in (Kind.CLASSIFICATION, Kind.MULTILABEL):
        found.append(evidence("distance_on_classes", 1.0))
    if activation in RANGES and task.kind is Kind.REGRESSION and task.train.targets is not None:
        low, high = RANGES[activation]
        targets = task.train.targets.float()
        outside = float(((targets < low) | (targets > high)).float().mean())
        found.append(evidence("targets_out_of_reach", outside, low=low, high=high, activation=activation))
    return found


def _several_labels(task: Task) -> list[Evidence]:
    """Whether cross-entropy over classes is given rows of 0 and 1 that are no shares of one class."""
    if task.kind is not Kind.MULTILABEL or type(task.loss) is not nn.CrossEntropyLoss or task.train.targets is None:
        return []
    several = float((task.train.targets.sum(1) != 1).float().mean())
    text = f"the loss expects one class a row, as shares that sum to 1, and {several:.0%} of the rows have none or several labels"
    return [evidence(UNEXPECTED, several, text=text)]


def _probabilities(reached: Tensor, activation: str | None) -> list[Evidence]:
    """Whether every output is a share of one, or lies between 0 and 1, whatever the input."""
    confined = bool(((reached >= -ROUNDING) & (reached <= 1 + ROUNDING)).all())
    sums = bool(((reached.sum(1) - 1).abs() < 100 * ROUNDING).all()) and reached.shape[1] > 1
    shown = confined and (sums or activation in ("sigmoid", "softmax", "hardsigmoid"))
    return [evidence("outputs_are_probabilities", float(shown), sums_to_one=sums, width=reached.shape[1])]


def _activation(task: Task, model: nn.Module, batch: object) -> str | None:
    try:
        return output_activation(model, lambda m: task.forward(m, batch)[0])
    except NotApplicable:
        return None


def _takes_class_numbers(task: Task, outputs: Tensor, targets: Tensor) -> bool:
    """Whether the loss refuses targets only because they are no integers."""
    if not targets.is_floating_point() or not torch.equal(targets, targets.round()):
        return False
    try:
        return bool(torch.isfinite(task.loss(outputs, targets.long())).all())
    except REFUSALS:
        return False


def _reduction(task: Task, outputs: Tensor, targets: Tensor) -> list[Evidence]:
    """The loss of the batch over that of its halves: 1 for a mean, 2 for a sum."""
    half = len(outputs) // 2
    if half < 1:
        return []
    try:
        whole = float(task.loss(torch.cat([outputs[:half]] * 2), torch.cat([targets[:half]] * 2)))
        part = float(task.loss(outputs[:half], targets[:half]))
    except REFUSALS as error:
        aligned = targets.is_floating_point() and outputs.shape != targets.shape and outputs.numel() == targets.numel()
        numbers = _takes_class_numbers(task, outputs, targets)
        said = f"{type(error).__name__}: {error}"
        return [evidence("loss_error", 1.0, text=said, only_shapes_differ=aligned, only_type_differs=numbers)]
    return [evidence("loss_growth_with_rows", whole / part)] if part and math.isfinite(whole / part) else []
