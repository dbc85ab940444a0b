"""`extends: FILE`: what several scenarios have in common, written once.

Mappings are merged key by key, and what the scenario says itself wins; its `expect` is added to the other file's; any other
list takes the other's place. Every value keeps the file and line it came from, so that a mistake is told where it was made.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from testbed.scenario.mistakes import Path, ScenarioError
from testbed.scenario.source import Source, load_source

KEY = "extends"
_ADDED_UP: Path = ("expect",)


def extended(source: Source, directory: FilePath) -> Source:
    """`directory` is what a relative path starts from. Raises ScenarioError."""
    if KEY not in source.data:
        return source
    name = source.data[KEY]
    if not isinstance(name, str):
        raise ScenarioError([source.mistake((KEY,), "has to be a file, relative to this one")])
    base = _load(source, directory / name)
    if KEY in base.data:
        what = f"a file that others extend extends none itself; {source.file} does extend this one"
        raise ScenarioError([base.mistake((KEY,), what)])
    own = {key: value for key, value in source.data.items() if key != KEY}
    merge = _Merge(base, source)
    return Source(source.file, merge.mapping(base.data, own, ()), merge.lines, merge.files)


def _load(source: Source, path: FilePath) -> Source:
    """A file that cannot be opened is a mistake of the line that names it; what is wrong inside is its own."""
    if not path.is_file():
        raise ScenarioError([source.mistake((KEY,), f"there is no such file: {path}")])
    return load_source(path)


class _Merge:
    def __init__(self, base: Source, own: Source) -> None:
        self.lines: dict[Path, int] = {(): own.lines.get((), 1)}
        self.files: dict[Path, str] = {}
        self._base, self._own = base, own

    def mapping(self, base: dict[str, Any], own: dict[str, Any], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key in {**base, **own}:
            place = (*path, key)
            if key in base and key in own and self._both(dict, base[key], own[key]):
                self.lines[place] = self._own.lines[place]
                result[key] = self.mapping(base[key], own[key], place)
            elif place == _ADDED_UP and key in base and key in own and self._both(list, base[key], own[key]):
                self._take(self._base, place)
                self._take(self._own, place, later=len(base[key]))
                result[key] = [*base[key], *own[key]]
            else:
                self._take(self._own if key in own else self._base, place)
                result[key] = own[key] if key in own else base[key]
        return result

    @staticmethod
    def _both(kind: type, one: Any, other: Any) -> bool:
        return isinstance(one, kind) and isinstance(other, kind)

    def _take(self, source: Source, place: Path, later: int = 0) -> None:
        """Lines of everything at `place`; items of a list that stands behind another have a later index."""
        depth = len(place)
        for path, line in source.lines.items():
            if path[:depth] != place:
                continue
            if later and len(path) > depth:
                path = (*place, int(path[depth]) + later, *path[depth + 1 :])
            elif later:
                continue
            self.lines[path] = line
            if source is self._base:
                self.files[path] = source.file
