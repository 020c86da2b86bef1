from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import records_by_hand as by_hand

from traindx import report
from traindx.records import Diagnosis, InputError, Run, Treatment


def test_html_and_json_by_the_ending(record: Run | Diagnosis | Treatment, tmp_path: Path) -> None:
    page = report.save(record, tmp_path / "a.html")
    data = report.save(record, str(tmp_path / "a.json"))
    assert page.read_text(encoding="utf-8") == report.to_html(record)
    assert json.loads(data.read_text(encoding="utf-8")) == record.to_dict()
    assert type(record).model_validate_json(data.read_text(encoding="utf-8")).to_dict() == record.to_dict()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json"]


def test_a_record_saves_itself(tmp_path: Path) -> None:
    assert by_hand.healthy().save(tmp_path / "a.json").exists()


@pytest.mark.parametrize(("name", "found"), [("a.pdf", "a.pdf"), ("a", "'a'"), ("missing/a.html", "no folder"), ("", "found '.'")])
def test_a_path_that_cannot_be_used_is_named(name: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^path: ") as error:
        report.save(by_hand.healthy(), name)
    assert found in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.html").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        report.save(by_hand.healthy(), tmp_path / "a.html")


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        report.save(by_hand.healthy(), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_the_destination_can_be_asked_before(tmp_path: Path) -> None:
    assert report.destination(tmp_path / "a.html") == tmp_path / "a.html"
    with pytest.raises(InputError, match=r"^--report: "):
        report.destination(tmp_path / "a.txt", "--report")


# --- Schema ------------------------------------------------------------------------------------------------------------------------


def test_records_follow_their_schema(record: Run | Diagnosis | Treatment) -> None:
    schema = report.schema(type(record).__name__.lower())
    assert errors(record.to_dict(), schema, schema) == []


def test_the_schema_notices_what_is_wrong() -> None:
    schema = report.schema("diagnosis")
    good = by_hand.optimization().to_dict()
    assert errors({**good, "branch": "elsewhere"}, schema, schema)
    assert errors({**good, "extra": 1}, schema, schema)
    assert errors({k: v for k, v in good.items() if k != "key"}, schema, schema)
    assert errors({**good, "cost": {**good["cost"], "runs": "many"}}, schema, schema)


def test_the_schema_is_documented() -> None:
    schema = report.schema("treatment")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all(part.get("description") for part in schema["$defs"].values())


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(InputError, match=r"^kind: found 'report'; use one of run, diagnosis, treatment, curvature$"):
        report.schema("report")


TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def errors(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """What of ``value`` goes against the schema: the keywords of draft 2020-12 that these schemas use."""
    if "$ref" in schema:
        return errors(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "anyOf" in schema:
        return [] if any(not errors(value, option, root, at) for option in schema["anyOf"]) else [f"{at}: none of anyOf"]
    found = []
    kind = schema.get("type")
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    fits = (
        numeric
        if kind == "number"
        else numeric and isinstance(value, int)
        if kind == "integer"
        else isinstance(value, TYPES.get(str(kind), object))
    )
    if not fits:
        return [f"{at}: not {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: not in enum")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: not {schema['const']}")
    if numeric and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: out of range")
    if isinstance(value, list):
        found += [e for i, item in enumerate(value) for e in errors(item, schema.get("items", {}), root, f"{at}[{i}]")]
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{at}: no {name}" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            if name in properties or isinstance(others, dict):
                found += errors(item, properties.get(name, others), root, f"{at}.{name}")
            elif others is False:
                found.append(f"{at}: extra {name}")
    return found
