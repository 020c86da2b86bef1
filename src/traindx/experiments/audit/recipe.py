"""The audit of the recipe: its numbers against the size of the data and against each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from traindx.experiments.audit.measured import evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence, Recipe
from traindx.training import steps_per_epoch, takes
from traindx.training.schedules import make_schedule

# A rate below this share of its peak has all but ended the learning.
SPENT = 0.05


def recipe_evidence(lab: Lab) -> Sequence[Evidence]:
    """Updates, batch against rows, momentum, decay of weights and of the rate, order of the rows."""
    recipe, rows = lab.recipe, len(lab.task.train)
    batch = min(recipe.batch_size * recipe.accumulate, rows)
    found = [
        evidence("planned_updates", lab.total),
        evidence("batch_share", batch / rows, batch_size=batch),
        evidence("momentum", _momentum(recipe)),
        evidence("weight_decay", _weight_decay(recipe)),
        evidence("planned_warmup", recipe.warmup_steps / lab.total),
        evidence("spent_share", _spent_share(recipe, lab.total, steps_per_epoch(rows, recipe))),
        evidence("schedule", float(recipe.schedule != "constant"), text=recipe.schedule),
        evidence("optimizer", 1.0, text=recipe.optimizer),
        evidence("shuffled", float(recipe.shuffle or lab.task.sample_weight is not None)),
    ]
    if recipe.clip_norm is not None:
        found.append(evidence("clip_norm", recipe.clip_norm))
    return [*found, *_order(lab.task.train.targets)]


def _momentum(recipe: Recipe) -> float:
    """Momentum, or the first of Adam's two decay rates; 0 where there is none."""
    options = recipe.optimizer_options
    betas = options.get("betas")
    if isinstance(betas, list) and betas:
        return float(betas[0])
    if takes(recipe.optimizer, "momentum"):
        return float(options.get("momentum", recipe.momentum))  # type: ignore[arg-type]  # one number
    return 0.9 if takes(recipe.optimizer, "betas") else 0.0


def _weight_decay(recipe: Recipe) -> float:
    value = recipe.optimizer_options.get("weight_decay", recipe.weight_decay)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _spent_share(recipe: Recipe, total: int, per_epoch: int) -> float:
    """The share of the updates that are done at less than SPENT of the highest rate."""
    schedule = make_schedule(recipe, total, per_epoch)
    factors = torch.tensor([schedule(step) for step in torch.linspace(0, total - 1, 200).long().tolist()])
    return float((factors < SPENT * factors.max()).float().mean())


def _order(targets: Tensor | None) -> list[Evidence]:
    """How alike the targets of neighbouring rows are: 0 in random order, 1 when sorted."""
    if targets is None or len(targets) < 20:
        return []
    values = targets.double().reshape(len(targets), -1)
    values = values.argmax(1, keepdim=True).double() if values.shape[1] > 1 and bool((values.sum(1) == 1).all()) else values[:, :1]
    ranks = values[:, 0] if targets.is_floating_point() and len(values.unique()) > 20 else None
    if ranks is not None:
        spread = float(ranks.var())
        change = float((ranks[1:] - ranks[:-1]).square().mean()) / 2
        return [evidence("row_order", 1 - change / spread)] if spread > 0 else []
    same = float((values[1:] == values[:-1]).double().mean())
    shares = torch.unique(values, return_counts=True)[1].double() / len(values)
    expected = float(shares.square().sum())
    return [evidence("row_order", (same - expected) / (1 - expected))] if expected < 1 else []
