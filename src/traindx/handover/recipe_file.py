"""A recipe as TOML."""

from __future__ import annotations

import json
from typing import Any

from traindx.records import Recipe


def recipe_as_toml(recipe: Recipe) -> str:
    """The recipe's fields as TOML; what is None is left out, since TOML has no word for it.

    ``Recipe(**tomllib.loads(text))`` is the recipe again.
    """
    fields = {name: value for name, value in recipe.model_dump(mode="json").items() if value is not None}
    tables = {name: value for name, value in fields.items() if isinstance(value, dict)}
    lines = ["# How the network is trained: the fields of traindx.Recipe; those that are missing are none."]
    lines += [f"{name} = {_toml(value)}" for name, value in fields.items() if name not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{_toml(k)} = {_toml(v)}" for k, v in table.items() if v is not None)]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return repr(value)  # Python's inf and nan are TOML's
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
