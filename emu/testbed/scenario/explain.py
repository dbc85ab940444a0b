"""From pydantic's errors to mistakes: the place in the file, and a sentence in the words of the language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from testbed.scenario.mistakes import Path, did_you_mean, one_of
from testbed.scenario.source import Source

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def explain(error: ValidationError, source: Source) -> Iterator[tuple[Path, str]]:
    """Path in the file, and what is wrong there. Alternatives of a union that were not meant are left out."""
    found = [(_place(detail, source), detail) for detail in error.errors(include_url=False)]
    for path, details in _by_path(found).items():
        yield path, _sentence(details, path)


def _by_path(found: list[tuple[Path, ErrorDetails]]) -> dict[Path, list[ErrorDetails]]:
    """Where one place has several complaints they are the alternatives of a union; a complaint further inside wins."""
    grouped: dict[Path, list[ErrorDetails]] = {}
    for path, detail in found:
        grouped.setdefault(path, []).append(detail)
    inner = {path for path in grouped for other in grouped if other != path and other[: len(path)] == path}
    outer_only_unions = {
        path
        for path in inner
        if all(detail["type"] in {*_EXPECTED, "literal_error"} for detail in grouped[path])
    }
    return {path: details for path, details in grouped.items() if path not in outer_only_unions}


def _place(detail: ErrorDetails, source: Source) -> Path:
    """Tags of unions and fields that a shorthand fills are in pydantic's location but not in the file."""
    location = [*detail["loc"], *([key] if (key := (detail.get("ctx") or {}).get("key")) else [])]
    path: Path = ()
    data: Any = source.data
    for part in location:
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path = (*path, part)
    return path


def _sentence(details: list[ErrorDetails], path: Path) -> str:
    own = [d for d in details if d["type"] in ("value_error", "mistake")]
    detail = (own or details)[0]
    kind, context, value = detail["type"], detail.get("ctx") or {}, detail["input"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "mistake":
        return str(context["what"])
    if kind == "missing":
        return f"needs `{detail['loc'][-1]}:`"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _tag(detail)
    choices = [choice for d in details if d["type"] == "literal_error" for choice in _choices(d)]
    if choices:
        near = did_you_mean(str(value), choices)
        return f"{_shown(value)} is not known here; write {_either(choices)}{near}"
    if kind in _EXPECTED:
        wanted = list(dict.fromkeys(_EXPECTED[d["type"]] for d in details if d["type"] in _EXPECTED))
        return f"{_shown(value)} is not {_either(wanted)}"
    return _limits(kind, context, value) or f"{_shown(value)}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _limits(kind: str, context: dict[str, Any], value: Any) -> str:
    limits = {
        "greater_than_equal": ("ge", "at least"),
        "less_than_equal": ("le", "at most"),
        "greater_than": ("gt", "more than"),
        "less_than": ("lt", "less than"),
    }
    if kind in limits:
        key, words = limits[kind]
        return f"{_shown(value)} has to be {words} {context[key]}"
    if kind in ("too_short", "string_too_short"):
        return "is empty"
    return ""


def _tag(detail: ErrorDetails) -> str:
    context = detail.get("ctx") or {}
    key = str(context.get("discriminator", "'type'")).strip("'")
    known = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",") if tag.strip()]
    if detail["type"] == "union_tag_not_found":
        return f"needs `{key}:`" + (f"; {one_of(known)}" if known else "")
    tag = str(context.get("tag", ""))
    return f"no {key} '{tag}'; {one_of(known)}{did_you_mean(tag, known)}"


def _choices(detail: ErrorDetails) -> list[str]:
    """The values of a Literal, from "'a', 'b' or 'c'"."""
    text = str((detail.get("ctx") or {}).get("expected", ""))
    return [part.strip().strip("'") for part in text.replace(" or ", ", ").split(",") if part.strip()]


def _either(words: list[str]) -> str:
    unique = list(dict.fromkeys(words))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} or {unique[-1]}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'"
