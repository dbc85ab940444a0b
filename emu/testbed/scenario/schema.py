"""The JSON Schema of the language, from the models: editors complete and check with it.

    python -m testbed.scenario.schema > emu/testbed/scenario/scenario.schema.json

A test holds the committed file against this. Templates ("{ring}") are allowed wherever a value is.
"""

from __future__ import annotations

import json
from typing import Any

from testbed.run.steps.base import Step
from testbed.run.steps.registry import STEPS
from testbed.scenario.model import Scenario
from testbed.scenario.units import duration_text, size_text

_REF = "#/$defs/{model}"
_TEMPLATE = {"type": "string", "pattern": r"^\{[A-Za-z_][A-Za-z0-9_]*\}$"}
# Validation words of a value; where one stands, a template may stand instead.
_VALUE_WORDS = ("enum", "const", "pattern")
_VALUE_TYPES = ("integer", "number", "boolean")

Schema = dict[str, Any]


def json_schema() -> str:
    return json.dumps(build(), indent=1, sort_keys=True) + "\n"


def build() -> Schema:
    schema: Schema = Scenario.model_json_schema(ref_template=_REF)
    definitions: Schema = schema.setdefault("$defs", {})
    steps = [_step(step, definitions) for step in STEPS.values()]
    definitions["Step"] = {"anyOf": steps, "description": "one step: a mapping with one key"}
    schema["properties"]["matrix"] = {
        "description": "axes; every combination is a cell",
        "type": "object",
        "additionalProperties": {"type": "array"},
    }
    schema = _with_templates(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "testbed scenario",
    }


def _step(step: type[Step], definitions: Schema) -> Schema:
    """{kind: body}; the body is the shorthand's value, a mapping, or either."""
    own: Schema = step.model_json_schema(ref_template=_REF)
    definitions.update(own.pop("$defs", {}))
    own.pop("title", None)
    forms: list[Schema] = [own]
    if step.shorthand:
        field = step.model_fields[step.shorthand]
        forms.insert(0, own["properties"][field.alias or step.shorthand])
        own.pop("required", None)
    body = forms[0] if len(forms) == 1 else {"anyOf": forms}
    description = own.pop("description", "")
    properties: Schema = {step.kind: body}
    if step.breaks:
        properties["weight"] = {"type": "integer", "minimum": 1, "description": "in `random` only"}
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [step.kind],
        "additionalProperties": False,
    }


def written_default(schema: Schema) -> Any:
    """A value's default as a scenario would write it: models keep nanoseconds, megabytes and parsed sizes."""
    default, first = schema.get("default"), next(iter(schema.get("examples", [])), None)
    if first == "150ms" and isinstance(default, int):
        return duration_text(default)
    if first == "256M" and isinstance(default, int):
        return f"{default}M"
    if first == 64 and isinstance(default, list):
        return size_text(default[0]["low"], default[0]["high"])
    return default


def _with_templates(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_templates(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-is") == "Step":
        return {"$ref": "#/$defs/Step"}
    schema = {key: value for key, value in schema.items() if key != "discriminator"}
    if "default" in schema:
        schema["default"] = written_default(schema)
    kept = {key: value for key, value in schema.items() if key in ("examples", "default", "enum", "const")}
    result = {key: value if key in kept else _with_templates(value) for key, value in schema.items()}
    types = schema.get("type")
    value = types in _VALUE_TYPES or isinstance(types, list) or any(word in schema for word in _VALUE_WORDS)
    if not value or not isinstance(types, str | list | None) or types == "object":
        return result
    described = {key: result.pop(key) for key in ("description", "default", "title") if key in result}
    return {"anyOf": [result, dict(_TEMPLATE)], **described}


if __name__ == "__main__":
    print(json_schema(), end="")
