"""The cells of a matrix: the product of its axes, less those that `except:` leaves out and says why."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = dict[str, Any]


@dataclass(frozen=True)
class Exclusion:
    """Cells that match every entry of `when` (a value, or a list of them) are left out."""

    when: Mapping[str, Any]
    because: str

    def covers(self, cell: Cell) -> bool:
        return all(_fits(cell.get(axis), wanted) for axis, wanted in self.when.items())


@dataclass(frozen=True)
class LeftOut:
    cell: Cell
    because: str


def _fits(value: Any, wanted: Any) -> bool:
    return same(value, wanted) or (isinstance(wanted, list) and any(same(value, item) for item in wanted))


def same(value: Any, wanted: Any) -> bool:
    """true is not 1."""
    return type(value) is type(wanted) and value == wanted


def product(axes: Mapping[str, Sequence[Any]]) -> Iterator[Cell]:
    """One empty cell when there are no axes."""
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def cells_of(
    axes: Mapping[str, Sequence[Any]], exceptions: Sequence[Exclusion]
) -> tuple[list[Cell], list[LeftOut]]:
    """Cells to run, and cells that are left out. The first exception that covers a cell gives the reason."""
    run: list[Cell] = []
    left_out: list[LeftOut] = []
    for cell in product(axes):
        because = next((entry.because for entry in exceptions if entry.covers(cell)), None)
        if because is None:
            run.append(cell)
        else:
            left_out.append(LeftOut(cell, because))
    return run, left_out


def written(value: Any) -> str:
    """A value of the matrix as `--cell KEY=VALUE` and reports write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def cell_text(cell: Cell) -> str:
    return " ".join(f"{axis}={written(value)}" for axis, value in cell.items())


def selected(cell: Cell, wanted: Mapping[str, str]) -> bool:
    """Whether a cell is meant by `--cell KEY=VALUE ...`."""
    return all(written(cell[axis]) == value for axis, value in wanted.items())
