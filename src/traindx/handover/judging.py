"""Loss, metric and forward pass of a task as code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from traindx.handover.source import Source
from traindx.tasks import Kind, Task, metrics
from traindx.tasks.kinds import Form, output_form
from traindx.tasks.task import pair_forward
from traindx.training.evaluation import is_summed, metric_of

SHOWN_ROWS = 8


@dataclass(frozen=True)
class Judged:
    """Expressions for the loss to descend on, the loss and the forward pass to be judged by, and the code of the metric, where there is one.

    ``summed``: the loss grows with the rows, and is told a row.
    """

    training_loss: str
    loss: str
    forward: str
    metric_name: str
    metric: str
    summed: bool


def loss_and_metric(source: Source, task: Task, model: nn.Module) -> Judged:
    """As code, for a network of the task.

    Raises:
        InputError: when the loss, the metric or the forward pass is known to itself alone.

    """
    forward = "" if task.forward is pair_forward else source.value(task.forward)
    training, loss = source.value(task.training_loss), source.value(task.loss)
    with torch.no_grad():
        batch = next(iter(task.validation.batches([torch.arange(min(SHOWN_ROWS, len(task.validation)))], torch.device("cpu"))))
        outputs, targets = task.forward(model.eval(), batch)
    name, code = "", ""
    if task.metric is not None and _fits(task, outputs, targets):
        name, code = task.metric.name, _metric(source, task, outputs, targets)
    return Judged(training, loss, forward, name, code, is_summed(task, outputs, targets))


def _fits(task: Task, outputs: Any, targets: Any) -> bool:
    """Whether the metric can be had of these outputs: the one of a kind of task cannot where a loss wants means and variances."""
    return not _is_ours(task) or not math.isnan(metric_of(task, [outputs], [targets]))


def _is_ours(task: Task) -> bool:
    """Whether the metric is one of traindx's own, and not a user's of the same name."""
    return task.metric is not None and getattr(task.metric.function, "__module__", "") == metrics.__name__


def _metric(source: Source, task: Task, outputs: Tensor, targets: Tensor) -> str:
    assert task.metric is not None, "asked for where there is one"
    body = _known(task, outputs, targets).get(task.metric.name) if _is_ours(task) else None
    if body is None:
        return f"metric = {source.value(task.metric.function)}\n"
    lines = [f'"""{task.metric.name.replace("_", " ").capitalize()} over all rows."""', *body.splitlines()]
    return "\n    ".join(["def metric(outputs: Tensor, targets: Tensor) -> float:", *lines])


def _known(task: Task, outputs: Tensor, targets: Tensor) -> dict[str, str]:
    """The bodies of traindx's own metrics, for outputs and targets of these shapes."""
    error = "outputs - targets" if outputs.shape == targets.shape else "outputs.reshape(targets.shape) - targets"
    bodies = {
        "rmse": f"return ({error}).square().mean().sqrt().item()",
        "mae": f"return ({error}).abs().mean().item()",
        "r2": f"variation = (targets - targets.mean(0)).square().sum()\nreturn (1 - ({error}).square().sum() / variation).item()",
    }
    if task.kind not in (Kind.CLASSIFICATION, Kind.MULTILABEL):
        return bodies
    boundary = f"outputs > {_boundary(task)}"
    if task.kind is Kind.MULTILABEL:
        return bodies | {"label_accuracy": f"return (({boundary}) == (targets > 0.5)).float().mean().item()"}
    predicted = "outputs.argmax(1)" if outputs.ndim > 1 and outputs.shape[1] > 1 else f"({boundary}).flatten().long()"
    single = targets.ndim == 1 or targets.shape[1:].numel() == 1
    one_hot = not single and targets.ndim == 2 and targets.is_floating_point()
    wanted = "targets.argmax(1)" if one_hot else "targets.flatten()" if single and targets.ndim > 1 else "targets"
    recall = f"wanted = {wanted}\nhits = ({predicted} == wanted).float()\nrecalls = [hits[wanted == c].mean() for c in wanted.unique()]"
    return bodies | {
        "accuracy": f"return ({predicted} == {wanted}).float().mean().item()",
        "balanced_accuracy": f"{recall}\nreturn torch.stack(recalls).mean().item()",
    }


def _boundary(task: Task) -> float:
    """Where one output changes from one label to the other: probabilities at a half, logits at zero."""
    return 0.5 if output_form(task.loss, Kind.CLASSIFICATION) in (Form.PROBABILITIES, Form.NUMBERS) else 0.0
