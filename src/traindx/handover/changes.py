"""What a treatment changes, in words for the user's own code."""

from __future__ import annotations

import re

from traindx.records import Recipe, RemedyRef
from traindx.remedies import make_remedy

_CALLED = {"lr": "learning rate", "batch_size": "batch size", "clip_norm": "clipping norm", "early_stopping": "patience of early stopping"}


def changes(remedies: tuple[RemedyRef, ...], before: Recipe, after: Recipe) -> list[str]:
    """A sentence for each remedy, then a line for each number of the recipe that is another one."""
    said = [f"{ref}: {_sentence(ref)}" for ref in remedies]
    fields = [name for name in type(after).model_fields if getattr(before, name) != getattr(after, name)]
    return said + [f"{_CALLED.get(n, n.replace('_', ' '))}: {_shown(getattr(before, n))} -> {_shown(getattr(after, n))}" for n in fields]


def _sentence(ref: RemedyRef) -> str:
    """The first sentence of the remedy's own description."""
    text = " ".join((type(make_remedy(ref)).__doc__ or "").split())
    return re.split(r"\.(?: (?=[A-Z])|$)", text)[0].replace("`", "")


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
