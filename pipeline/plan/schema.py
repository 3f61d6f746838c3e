"""`params.schema.json`: what editors complete and check in `params.yaml`, made of the models that read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.artifacts.files import write_text
from pipeline.artifacts.paths import NAME_PATTERN
from pipeline.plan.params import DatasetSettings, Params
from pipeline.settings.sources import Source

SCHEMA_PATH = Path("params.schema.json")


def is_stale(path: Path = SCHEMA_PATH) -> bool:
    """Whether there is such a file, and the models would make another one."""
    return path.exists() and path.read_text(encoding="utf-8") != schema_text()


def write_schema(path: Path = SCHEMA_PATH) -> None:
    write_text(path, schema_text())


def schema_text() -> str:
    return json.dumps(_without_titles(params_schema()), indent=1) + "\n"


def params_schema() -> dict[str, Any]:
    """JSON schema of the whole file. A key may be missing everywhere but in `source`: the defaults serve."""
    entry, whole = DatasetSettings.model_json_schema(), Params.model_json_schema()
    definitions, of_source = entry["$defs"], TypeAdapter(Source).json_schema()["$defs"]
    for name in definitions.keys() - of_source.keys():
        definitions[name].pop("required", None)
    for method in definitions["MethodsSettings"]["properties"].values():
        properties = definitions[method["$ref"].removeprefix("#/$defs/")]["properties"]
        for key, value in properties.items():
            if value.get("type") == "object":  # what it overrides for one of its networks
                properties[key] = {"$ref": "#/$defs/TrainSettings", "description": value["description"]}
    sections = {key: value for key, value in entry["properties"].items() if key != "source"}
    whole["properties"] |= {
        "defaults": _object(sections),
        "datasets": {
            "type": "object",
            "propertyNames": {"pattern": NAME_PATTERN.pattern},
            "additionalProperties": _object(entry["properties"]) | {"required": ["source"]},
        },
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": definitions}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _without_titles(part: Any) -> Any:
    """Pydantic makes them of the keys, which say the same."""
    if isinstance(part, list):
        return [_without_titles(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {key: _without_titles(value) for key, value in part.items() if not _is_title(key, value)}


def _is_title(key: str, value: Any) -> bool:
    return key == "title" and isinstance(value, str)  # `title` may also be a setting's name
