"""A YAML file as plain data that knows the line of everything in it.

The node graph is read (ruamel.yaml composes it) and turned into data here, so that every key and item keeps its line,
duplicate keys are mistakes, and only what JSON knows comes out: no dates, no tags, no recursion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from testbed.scenario.mistakes import Mistake, Path, ScenarioError, dotted

_LARGEST = 1 << 20  # bytes: a scenario is written by hand
_DEEPEST = 64


@dataclass
class Source:
    """`lines` has the line of every path that the file names; `files`, of those that another file names, which."""

    file: str
    data: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict)
    files: dict[Path, str] = field(default_factory=dict)

    def mistake(self, path: Path, what: str) -> Mistake:
        """At the nearest place that the file names. Parts that a shorthand leaves out are passed over."""
        place: Path = ()
        for part in path:
            if (*place, part) in self.lines:
                place = (*place, part)
        file = self.files.get(place, self.file)
        return Mistake(file, self.lines[place] if place else 0, dotted(place), what)


def load_source(path: FilePath) -> Source:
    """Raises ScenarioError with one mistake."""
    return parse_source(_read(path), str(path))


def parse_source(text: str, file: str = "scenario") -> Source:
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(error.problem or error.context or "cannot be read").split())
        raise _error(file, mark.line + 1 if mark else 0, f"this is no YAML: {what}") from None
    except YAMLError as error:
        what = " ".join(str(error).split())
        raise _error(file, 0, f"this is no YAML: {what}") from None
    except RecursionError:
        raise _error(file, 0, f"nested deeper than {_DEEPEST} levels") from None
    if node is None:
        raise _error(file, 0, "the file is empty; a scenario starts with `name:` and `about:`")
    if not isinstance(node, MappingNode):
        raise _error(file, 1, "a scenario is a mapping that starts with `name:` and `about:`")
    reader = _Reader(file)
    return Source(file, reader.value(node, ()), reader.lines)


def _read(path: FilePath) -> str:
    try:
        if path.is_dir():
            raise _error(
                str(path), 0, f"is a directory; give a file, or list what is there: testbed list {path}"
            )
        if path.stat().st_size > _LARGEST:
            raise _error(str(path), 0, "is larger than 1 MiB; this is no scenario")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise _error(str(path), 0, f"there is no such file{_similar(path)}") from None
    except OSError as error:
        raise _error(str(path), 0, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _error(str(path), line, "is not UTF-8; save it as UTF-8") from None


def _similar(path: FilePath) -> str:
    with_suffix = path.with_name(path.name + ".yaml")
    if with_suffix.is_file():
        return f"; did you mean {with_suffix}?"
    here = FilePath("scenarios") / path.with_suffix(".yaml").name
    return f"; did you mean {here}?" if here.is_file() else "; `testbed list` shows those that ship"


def _error(file: str, line: int, what: str) -> ScenarioError:
    return ScenarioError([Mistake(file, line, "", what)])


class _Reader:
    def __init__(self, file: str) -> None:
        self.lines: dict[Path, int] = {}
        self._file = file

    def value(self, node: Node, path: Path) -> Any:
        if len(path) > _DEEPEST:
            raise self._error(node, path, f"nested deeper than {_DEEPEST} levels (an alias of itself?)")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key == "<<":
                raise self._error(key_node, path, "merge keys (<<) are not part of the language; use `let:`")
            if key in data:
                first = self.lines[(*path, key)]
                raise self._error(key_node, (*path, key), f"is there twice; the first is in line {first}")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.value(value_node, (*path, key))
        return data

    def _key(self, node: Node, path: Path) -> str:
        if not isinstance(node, ScalarNode):
            raise self._error(
                node, path, 'a key has to be a word; put "{name}" in quotes where a value is meant'
            )
        return str(node.value)

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        tag, text = str(node.tag).rpartition(":")[2], str(node.value)
        try:
            match tag:
                case "int":
                    return int(text, 0) if text.lstrip("+-")[:2] in ("0x", "0o", "0b") else int(text)
                case "float":
                    return float(text)
                case "bool":
                    return text.lower() == "true"
                case "null":
                    return None
                case "str" | "timestamp" | "value" | "merge":
                    return text
        except ValueError:
            return text
        raise self._error(node, path, f"the tag {node.tag} is not part of the language")

    def _error(self, node: Node, path: Path, what: str) -> ScenarioError:
        return ScenarioError([Mistake(self._file, node.start_mark.line + 1, dotted(path), what)])
