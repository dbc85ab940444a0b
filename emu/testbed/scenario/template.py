"""`{name}` in a scenario stands for a value of the matrix or of `let`.

A text that is nothing but "{n}" becomes the value itself, with its type; inside a longer text the value is written out.
`{{` and `}}` stand for braces. Braces around anything that is no name (awk's `{print $1}`, JSON) are left alone.

A key like `p[0..127]` stands for p0, p1 and so on, and `{i}` in what belongs to it for the number; `{i+64}` for one that is
so much larger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from testbed.scenario.mistakes import Path, did_you_mean, one_of

Values = Mapping[str, Any]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_SUM = r"(?:\+[0-9]+)?"
_ALONE = re.compile(rf"\{{({_NAME}{_SUM})\}}")
_TOKEN = re.compile(rf"\{{\{{|\}}\}}|\{{({_NAME}{_SUM})\}}")
_RANGE = re.compile(r"([^\[\]]*)\[([0-9]{1,5})\.\.([0-9]{1,5})\]([^\[\]]*)")
_MOST_OF_A_RANGE = 1024


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
        for entry, inner in _entries(name, values, (*path, key)):
            if entry in result:
                raise TemplateError((*path, key), f"'{key}' becomes '{entry}', which is there already")
            result[entry] = render(value, inner, (*path, key))
    return result


def _entries(name: str, values: Values, path: Path) -> Iterator[tuple[str, Values]]:
    """One, or as many as a range has, each with its number."""
    spread = _RANGE.fullmatch(name)
    if spread is None:
        yield name, values
        return
    first, last = int(spread[2]), int(spread[3])
    if not first <= last < first + _MOST_OF_A_RANGE:
        raise TemplateError(path, f"[{first}..{last}] is no range of 1 to {_MOST_OF_A_RANGE} numbers")
    if "i" in values:
        raise TemplateError(path, "a range needs the name `i` for its number; call the other value otherwise")
    for number in range(first, last + 1):
        yield f"{spread[1]}{number}{spread[4]}", {**values, "i": number}


def _text(text: str, values: Values, path: Path) -> Any:
    if alone := _ALONE.fullmatch(text):
        return _value(alone[1], values, path)

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        return _written(_value(match[1], values, path))

    return _TOKEN.sub(replace, text)


def _value(term: str, values: Values, path: Path) -> Any:
    name, _, more = term.partition("+")
    if more and name in values:
        if not isinstance(values[name], int) or isinstance(values[name], bool):
            raise TemplateError(
                path, f"'{name}' is {_written(values[name])}, to which {more} cannot be added"
            )
        return values[name] + int(more)
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
