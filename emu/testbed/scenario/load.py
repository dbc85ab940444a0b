"""A scenario file, checked as a whole: its cells, each a Scenario with every template filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from testbed.scenario.explain import explain
from testbed.scenario.extend import extended
from testbed.scenario.matrix import Cell, Exclusion, LeftOut, cell_text, cells_of, same, selected, written
from testbed.scenario.mistakes import Mistake, Path, ScenarioError, one_of, unknown_name
from testbed.scenario.model import Scenario
from testbed.scenario.references import problems
from testbed.scenario.source import Source, load_source, parse_source
from testbed.scenario.template import TemplateError, render, resolve_let
from testbed.scenario.topology import Datapath

MOST_CELLS = 4096
_UNRENDERED = ("let", "matrix", "except")
_SCALARS = (str, int, float, bool)


@dataclass(frozen=True)
class CellScenario:
    cell: Cell
    scenario: Scenario


@dataclass(frozen=True)
class ScenarioFile:
    file: str
    name: str
    about: str
    seed: int
    cells: list[CellScenario]
    left_out: list[LeftOut]
    axes: dict[str, list[Any]]

    def select(self, wanted: Mapping[str, str]) -> list[CellScenario]:
        """The cells that `--cell KEY=VALUE ...` means. Raises ScenarioError when a key or value is unknown."""
        for key, value in wanted.items():
            if key not in self.axes:
                raise _usage(f"--cell {key}={value}: {unknown_name('axis', key, self.axes)}")
            values = [written(item) for item in self.axes[key]]
            if value not in values:
                raise _usage(f"--cell {key}={value}: {unknown_name(f'value of {key}', value, values)}")
        chosen = [entry for entry in self.cells if selected(entry.cell, wanted)]
        for entry in self.left_out if not chosen else []:
            if selected(entry.cell, wanted):
                raise _usage(f"--cell {cell_text(entry.cell)} is left out by the scenario: {entry.because}")
        return chosen


@dataclass(frozen=True)
class Job:
    """A file, and those of its cells that are wanted."""

    file: ScenarioFile
    cells: list[CellScenario]
    left_out: list[LeftOut]


def load_jobs(
    paths: Iterable[FilePath], cells: Mapping[str, str], datapath: Datapath | None = None
) -> list[Job]:
    """Raises ScenarioError with the mistakes of all files. `datapath`: of switches that do not say."""
    jobs: list[Job] = []
    mistakes: list[Mistake] = []
    for path in paths:
        try:
            file = load_scenario(path)
            chosen = file.select(cells)
            if datapath is not None:
                chosen = [replace(entry, scenario=entry.scenario.walked_by(datapath)) for entry in chosen]
            jobs.append(Job(file, chosen, [entry for entry in file.left_out if selected(entry.cell, cells)]))
        except ScenarioError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ScenarioError(mistakes)
    return jobs


def load_scenario(path: FilePath) -> ScenarioFile:
    """Raises ScenarioError."""
    return build(extended(load_source(path), path.parent))


def parse_scenario(text: str, file: str = "scenario") -> ScenarioFile:
    return build(extended(parse_source(text, file), FilePath(file).parent))


def build(source: Source) -> ScenarioFile:
    axes, exclusions = _matrix(source)
    run, left_out = cells_of(axes, exclusions)
    if not run:
        raise ScenarioError([source.mistake(("matrix",), "every cell is left out by `except`")])
    cells: list[CellScenario] = []
    mistakes: dict[Mistake, list[Cell]] = {}
    for cell in run:
        try:
            cells.append(CellScenario(cell, _cell(source, cell)))
        except ScenarioError as error:
            for mistake in error.mistakes:
                mistakes.setdefault(mistake, []).append(cell)
    if mistakes:
        raise ScenarioError(_with_cells(mistakes, len(run)))
    first = cells[0].scenario
    return ScenarioFile(source.file, first.name, first.about, first.seed, cells, left_out, axes)


def _with_cells(mistakes: dict[Mistake, list[Cell]], count: int) -> Iterator[Mistake]:
    """A mistake that not every cell has says in which one it was seen."""
    for mistake, cells in mistakes.items():
        where = "" if len(cells) == count else f" (in the cell {cell_text(cells[0])})"
        yield Mistake(mistake.file, mistake.line, mistake.place, mistake.what + where)


def _cell(source: Source, cell: Cell) -> Scenario:
    let = source.data.get("let") or {}
    if not isinstance(let, dict):
        raise ScenarioError([source.mistake(("let",), "has to be a mapping: {rate: 20kpps}")])
    try:
        values = resolve_let(let, cell)
        body = {key: value for key, value in source.data.items() if key not in _UNRENDERED}
        rendered = render(body, values)
    except TemplateError as error:
        raise ScenarioError([source.mistake(error.path, error.what)]) from None
    rendered = Source(source.file, rendered, source.lines, source.files)
    try:
        scenario = Scenario.model_validate({**rendered.data, "matrix": _axes_of(source)})
    except ValidationError as error:
        found = list(explain(error, rendered))
        raise ScenarioError(source.mistake(path, what) for path, what in found) from None
    if found := list(problems(scenario)):
        raise ScenarioError(source.mistake(path, what) for path, what in found)
    return scenario


def _axes_of(source: Source) -> dict[str, list[Any]]:
    return {axis: values for axis, values in (source.data.get("matrix") or {}).items() if axis != "except"}


def _matrix(source: Source) -> tuple[dict[str, list[Any]], list[Exclusion]]:
    matrix = source.data.get("matrix") or {}
    if not isinstance(matrix, dict):
        raise ScenarioError([source.mistake(("matrix",), "has to be a mapping: {role: [client, server]}")])
    axes = _axes_of(source)
    count = 1
    for axis, values in axes.items():
        _check_axis(source, axis, values)
        count *= len(values)
    if count > MOST_CELLS:
        raise ScenarioError(
            [source.mistake(("matrix",), f"{count} cells are too many; {MOST_CELLS} is the most")]
        )
    exclusions = [*_exclusions(source, ("except",), axes), *_exclusions(source, ("matrix", "except"), axes)]
    return axes, exclusions


def _check_axis(source: Source, axis: str, values: Any) -> None:
    place = ("matrix", axis)
    if not axis.isidentifier():
        raise ScenarioError(
            [source.mistake(place, f"'{axis}' cannot be written as {{{axis}}}; use letters, digits and _")]
        )
    if not isinstance(values, list) or not values:
        raise ScenarioError([source.mistake(place, f"has to be a list of values: {axis}: [a, b]")])
    for index, value in enumerate(values):
        if not isinstance(value, _SCALARS):
            what = "a value of the matrix is a text, a number, true or false"
            raise ScenarioError([source.mistake((*place, index), what)])
        if any(same(value, other) for other in values[:index]):
            raise ScenarioError([source.mistake((*place, index), f"'{written(value)}' is there twice")])


def _exclusions(source: Source, place: Path, axes: dict[str, list[Any]]) -> Iterator[Exclusion]:
    data: Any = source.data
    for part in place:
        data = (data or {}).get(part)
    if data is None:
        return
    for index, entry in enumerate(data if isinstance(data, list) else [data]):
        path = (*place, index) if isinstance(data, list) else place
        if not isinstance(entry, dict) or not entry.get("because"):
            what = 'says which cells are left out and why: {role: client, because: "..."}'
            raise ScenarioError([source.mistake(path, what)])
        when = {key: value for key, value in entry.items() if key != "because"}
        for axis, value in when.items():
            if axis not in axes:
                raise ScenarioError([source.mistake((*path, axis), unknown_name("axis", axis, axes))])
            for item in value if isinstance(value, list) else [value]:
                if not any(same(item, known) for known in axes[axis]):
                    what = f"'{written(item)}' is no value of {axis}; {one_of(map(written, axes[axis]))}"
                    raise ScenarioError([source.mistake((*path, axis), what)])
        yield Exclusion(when, str(entry["because"]))


def _usage(what: str) -> ScenarioError:
    return ScenarioError([Mistake("testbed run", 0, "", what)])
