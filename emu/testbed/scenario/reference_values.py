"""JSON Schema in words: what stands in the columns "value" and "default" of the reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from testbed.scenario.schema import Schema, written_default

_SCALARS = {"string", "integer", "number", "boolean"}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
# Kinds of values by their first example, with a link to the table of values.
_KINDS = {
    "150ms": "[duration](#values)",
    "2s": "[duration](#values) or range like `1s..3s`",
    "20kpps": "[rate](#values)",
    "256M": "[memory](#values)",
    64: "[size](#values)",
    4096: "[integer](#values)",
    "buf0": "[address](#values)",
    "f0": "[name](#values)",
    7: "[message](#values)",
    0: "[comparison](#values)",
}
_REFERENCES = ["string", "array"]  # one name or a list of them

Links = dict[str, str]  # model -> a link to its section


def code(value: Any) -> str:
    """As a scenario would write it."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def value(schema: Schema, links: Links) -> str:
    """What may be written for a key."""
    if "$ref" in schema:
        return links.get(model_name(schema), "mapping")
    if schema.get("x-is") == "Step":
        return "[step](#steps)"
    if "examples" in schema:
        return "[limit](#values)" if "any" in schema["examples"] else _KINDS[schema["examples"][0]]
    if schema.get("title") == "Name":
        return "name"
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return _either(map(code, schema["enum"]))
    if alternatives := list(branches(schema)):
        if [item.get("type") for item in alternatives] == _REFERENCES and "enum" not in alternatives[0]:
            return "name or list of names"
        kinds = {str(item.get("type")) for item in alternatives}
        if kinds.issuperset(_SCALARS):
            rest = [item for item in alternatives if str(item.get("type")) not in _SCALARS]
            return _either(["plain value", *(value(item, links) for item in rest)])
        return _either(value(item, links) for item in alternatives)
    return _by_type(schema, links)


def branches(schema: Schema) -> Iterator[Schema]:
    """The alternatives of a value, nothing left out but "nothing"."""
    for item in schema.get("anyOf") or schema.get("oneOf") or []:
        if item.get("type") != "null":
            yield item


def model_name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def models_in(schema: Any) -> Iterator[str]:
    """The models that a value refers to, at any depth."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield model_name(schema)
        for item in schema.values():
            yield from models_in(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from models_in(item)


def default(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    written = written_default(schema)
    return "" if written in (None, [], {}) else code(written)


def _by_type(schema: Schema, links: Links) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return _either(_TYPES[item] for item in kind)
    if kind == "array":
        if "prefixItems" in schema:
            return f"`[{', '.join('end' for _ in schema['prefixItems'])}]`"
        return f"list of {_plural(value(schema.get('items', {}), links))}"
    if kind == "object":
        return _mapping(schema, links)
    return _limited(schema, _TYPES.get(str(kind), "anything"))


def _mapping(schema: Schema, links: Links) -> str:
    inner = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    values = [item for item in inner if isinstance(item, dict)]
    if not values:
        return "mapping"
    (example,) = schema.get("propertyNames", {}).get("examples", ["f0"])
    key = "address" if ":" in example else "name"
    return f"mapping `{key}:` {_either(value(item, links) for item in values)}"


def _plural(text: str) -> str:
    return text.replace("](", "s](", 1) if text.startswith("[") else re.sub(r"[A-Za-z]$", r"\g<0>s", text)


def _limited(schema: Schema, text: str) -> str:
    low, high = schema.get("minimum"), schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None and high <= 1_000_000:
        return f"{low} to {high}"
    return f"{text} from {low}" if low is not None else text


def _either(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))
