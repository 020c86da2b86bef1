"""What a treatment changes, in words and lines for the user's own code."""

from __future__ import annotations

import re

from traindx.handover.network import network_changes
from traindx.records import InputError, Recipe, RemedyRef, Treatment
from traindx.remedies import make_remedy
from traindx.tasks import Task

_PLACES = {
    **dict.fromkeys(("optimizer", "lr", "momentum", "weight_decay", "optimizer_options"), "in your optimizer"),
    **dict.fromkeys(("schedule", "warmup_steps"), "in your schedule"),
    **dict.fromkeys(("batch_size", "shuffle"), "in your data loader"),
}


def changes(treatment: Treatment) -> list[str]:
    """A sentence for each remedy; then, while the tasks are at hand, lines of code for the network and counts of rows; then the recipe's numbers."""
    before, after = treatment.diagnosis.task, treatment.task
    inside = [] if before is None or after is None else [*_network(before, after), *_rows(before, after)]
    return [f"{ref}: {_sentence(ref)}" for ref in treatment.remedies] + inside + _numbers(treatment.diagnosis.recipe, treatment.recipe)


def _sentence(ref: RemedyRef) -> str:
    """The first sentence of the remedy's own description."""
    text = " ".join((type(make_remedy(ref)).__doc__ or "").split())
    return re.split(r"\.(?: (?=[A-Z])|$)", text)[0].replace("`", "")


def _network(before: Task, after: Task) -> list[str]:
    try:
        lines = network_changes(before, after)
    except InputError as error:
        return [f"in your network: {error.found}"]
    return [f"in your network: {line}" for line in lines]


def _rows(before: Task, after: Task) -> list[str]:
    counts = {"training": (len(before.train), len(after.train)), "validation": (len(before.validation), len(after.validation))}
    return [f"in your data: {name} rows {old} -> {new}" for name, (old, new) in counts.items() if old != new]


def _numbers(before: Recipe, after: Recipe) -> list[str]:
    fields = [name for name in type(after).model_fields if getattr(before, name) != getattr(after, name)]
    return [
        f"{_PLACES.get(n, 'in your loop')}: {n.replace('_', ' ')} {_shown(getattr(before, n))} -> {_shown(getattr(after, n))}"
        for n in fields
    ]


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
