"""The JSON schema of what ``to_dict()`` gives."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from traindx.records import Curvature, Diagnosis, InputError, Record, Run, Treatment

KINDS: dict[str, type[Record]] = {"run": Run, "diagnosis": Diagnosis, "treatment": Treatment, "curvature": Curvature}


class _AsWritten(GenerateJsonSchema):
    """What ``to_dict()`` writes: every field, and NaN or an infinity as a string."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), {"enum": ["NaN", "Infinity", "-Infinity"]}]}

    def field_is_required(self, *_: Any, **__: Any) -> bool:
        return True

    def generate(self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode)}


def schema(kind: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a record's ``to_dict()``; ``kind`` is "run", "diagnosis", "treatment" or "curvature"."""
    if kind not in KINDS:
        raise InputError("kind", f"found {kind!r}", f"use one of {', '.join(KINDS)}")
    return KINDS[kind].model_json_schema(mode="serialization", schema_generator=_AsWritten)
