"""What is wrong with a scenario: one line each, with file, line, place, what, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Mistake:
    """str() is the line a person sees: `scenarios/x.yaml:12: flows.probe.to: no frontend 'g9'; there are f0, g1`."""

    file: str
    line: int  # 0: the file as a whole
    place: str  # dotted, empty for the file as a whole
    what: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.place}: {self.what}" if self.place else f"{where}: {self.what}"


class ScenarioError(Exception):
    """The scenario cannot be run as written. str() is one line per mistake, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


def dotted(path: Path) -> str:
    """flows.probe.to, steps[3].kill"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def one_of(names: Iterable[str]) -> str:
    """What there is, for the end of a message."""
    listed = list(names)
    return f"there are {', '.join(listed)}" if listed else "there are none"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'f0'?` when one of the names is near, else nothing."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown_name(kind: str, name: str, names: Iterable[str]) -> str:
    """no frontend 'g9'; there are f0, g1; did you mean 'g1'?"""
    listed = sorted(names)
    return f"no {kind} '{name}'; {one_of(listed)}{did_you_mean(name, listed)}"


def unknown_key(key: str, keys: Iterable[str]) -> str:
    listed = list(keys)
    return f"unknown key '{key}'{did_you_mean(key, listed)}; {one_of(listed)}"
