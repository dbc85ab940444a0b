"""`{name}` in a scenario stands for a value of the matrix or of `let`.

A text that is nothing but "{n}" becomes the value itself, with its type; inside a longer text the value is written out.
`{{` and `}}` stand for braces. Braces around anything that is no name (awk's `{print $1}`, JSON) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from testbed.scenario.mistakes import Path, did_you_mean, one_of

Values = Mapping[str, Any]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ALONE = re.compile(rf"\{{({_NAME})\}}")
_TOKEN = re.compile(rf"\{{\{{|\}}\}}|\{{({_NAME})\}}")


class TemplateError(ValueError):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what


def render(data: Any, values: Values, path: Path = ()) -> Any:
    """A copy of `data` with every name replaced, in keys too. Raises TemplateError."""
    if isinstance(data, str):
        return _text(data, values, path)
    if isinstance(data, list):
        return [render(item, values, (*path, index)) for index, item in enumerate(data)]
    if isinstance(data, dict):
        return _mapping(data, values, path)
    return data


def _mapping(data: dict[str, Any], values: Values, path: Path) -> dict[str, Any]:
    if len(data) == 1:
        key, value = next(iter(data.items()))
        if value is None and key in values:
            raise TemplateError(path, f'put it in quotes: "{{{key}}}" (without them YAML reads a mapping)')
    result: dict[str, Any] = {}
    for key, value in data.items():
        name = _text(key, values, (*path, key))
        if not isinstance(name, str):
            name = _written(name)
        if name in result:
            raise TemplateError((*path, key), f"'{key}' becomes '{name}', which is there already")
        result[name] = render(value, values, (*path, key))
    return result


def _text(text: str, values: Values, path: Path) -> Any:
    if alone := _ALONE.fullmatch(text):
        return _value(alone[1], values, path)

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        return _written(_value(match[1], values, path))

    return _TOKEN.sub(replace, text)


def _value(name: str, values: Values, path: Path) -> Any:
    if name not in values:
        there = f"{did_you_mean(name, values)}; {one_of(sorted(values))}"
        raise TemplateError(
            path, f"no value '{name}' in `let:` or `matrix:`{there} (write {{{{{name}}}}} for braces)"
        )
    return values[name]


def _written(value: Any) -> str:
    """As YAML would write it: true, not True."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def resolve_let(let: Values, matrix: Values) -> dict[str, Any]:
    """Values of `let` may use the matrix and values of `let` above them. Matrix and `let` together, for render()."""
    values = dict(matrix)
    for name, value in let.items():
        if name in matrix:
            raise TemplateError(("let", name), f"'{name}' is in the matrix already")
        values[name] = render(value, values, ("let", name))
    return values
