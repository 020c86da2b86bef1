"""What a treatment changes, in words and lines for the user's own code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from traindx.handover.network import network_changes
from traindx.records import InputError, Recipe, RemedyRef, Scalar
from traindx.remedies import make_remedy
from traindx.report import words
from traindx.tasks import Task

_PLACES = {
    **dict.fromkeys(("optimizer", "lr", "momentum", "weight_decay", "optimizer_options"), "in your optimizer"),
    **dict.fromkeys(("schedule", "warmup_steps"), "in your schedule"),
    **dict.fromkeys(("batch_size", "shuffle"), "in your data loader"),
}


def changes(remedies: Sequence[RemedyRef], task: Task, treated: Task, recipe: Recipe, better: Recipe) -> tuple[str, ...]:
    """A sentence for each remedy; then what becomes of the network's places, how many rows are left, and the recipe's numbers."""
    told = [f"{ref}: {in_words(ref)}" for ref in remedies]
    return (*told, *_network(task, treated), *_rows(task, treated), *_numbers(recipe, better))


def in_words(ref: RemedyRef) -> str:
    """The first sentence of the remedy's own description, with its values in the place of their names."""
    remedy = make_remedy(ref)
    text = re.split(r"\.(?: (?=[A-Z`])|$)", " ".join((type(remedy).__doc__ or "").split()))[0]
    for name, value in remedy.ref.params.items():
        text = text.replace(f"``{name}``", _value(name, value))
    return text.replace("`", "")


def _value(name: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.percent(value) if name == "share" and isinstance(value, float) else _shown(value)


def _network(before: Task, after: Task) -> list[str]:
    """Places that become the same are told together."""
    if after._factory is before._factory:
        return []
    try:
        found = network_changes(before, after)
    except InputError as error:
        return [f"in your network: {error.found}"]
    together: dict[tuple[str, str], list[str]] = {}
    for change in found:
        together.setdefault((change.before, change.value), []).append(change.place)
    return [
        f"in your network: {', '.join(places)}" + (f": {old} -> {' '.join(new.split())}" if new else "")
        for (old, new), places in together.items()
    ]


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
