"""The comparisons of the language: `0`, `"<= 200ms"`, `">= 0.95"`, `"<= 1.5x"`, `"<= 0.1%"`, `"1..3"`.

The words `outside outages` may follow; what they mean is for the checker to say. The schema of scenario files uses
parse() too, so that a comparison that loads is one that can be judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "duration", "relative", "percent"]

_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"ns|us|ms|s|min|x|%"
_WORDS = "outside outages"
_SINGLE = re.compile(rf"(<=|>=|<|>|==|!=)?\s*({_NUMBER})\s*({_UNIT})?(?:\s+({_WORDS}))?")
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})\s*({_UNIT})?(?:\s+({_WORDS}))?")


class ComparisonError(ValueError):
    """The text is no comparison. str() is one line that says how to mend it."""


@dataclass(frozen=True)
class Comparison:
    """`low op` is used by ranges only. Durations are in nanoseconds."""

    op: str  # "<=", ">=", "<", ">", "==", "!=", ".."
    bound: float
    high: float = 0.0  # of a range, inclusive
    kind: Kind = "number"
    words: str = ""  # what follows the value
    text: str = ""  # as written

    def holds(self, value: float) -> bool:
        match self.op:
            case "<=":
                return value <= self.bound
            case ">=":
                return value >= self.bound
            case "<":
                return value < self.bound
            case ">":
                return value > self.bound
            case "!=":
                return value != self.bound
            case "..":
                return self.bound <= value <= self.high
            case _:
                return value == self.bound

    def __str__(self) -> str:
        return self.text


def _scale(unit: str | None) -> tuple[float, Kind]:
    if unit is None:
        return 1.0, "number"
    if unit == "x":
        return 1.0, "relative"
    if unit == "%":
        return 1.0, "percent"
    return float(_NANOSECONDS[unit]), "duration"


def parse(value: object) -> Comparison:
    """Raises ComparisonError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ComparisonError(f"{value!r} is not a comparison; write a number or one like '<= 200ms'")
    if isinstance(value, int | float):
        return Comparison("==", float(value), text=str(value))
    text = " ".join(value.split())
    if match := _RANGE.fullmatch(text):
        scale, kind = _scale(match[3])
        return Comparison("..", float(match[1]) * scale, float(match[2]) * scale, kind, match[4] or "", text)
    if match := _SINGLE.fullmatch(text):
        scale, kind = _scale(match[3])
        return Comparison(match[1] or "==", float(match[2]) * scale, 0.0, kind, match[4] or "", text)
    raise ComparisonError(
        f"'{text}' is not a comparison; write one like 0, '<= 200ms', '>= 0.95', '<= 1.5x' or '1..3'"
    )


def show_ns(ns: float) -> str:
    """A duration as a person writes it, with three significant digits."""
    for unit in ("s", "ms", "us"):
        if abs(ns) >= _NANOSECONDS[unit]:
            return f"{_digits(ns / _NANOSECONDS[unit])} {unit}"
    return f"{_digits(ns)} ns"


def _digits(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
