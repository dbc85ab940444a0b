"""One line for everything that happens, for logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from testbed.run.watcher import Watcher
from testbed.scenario.matrix import cell_text

if TYPE_CHECKING:
    from testbed.check.result import CellResult
    from testbed.run.cell import Cell
    from testbed.run.faults import OpenFault

_MARKS = {"passed": "[green]passed[/]", "failed": "[bold red]failed[/]", "unknown": "[yellow]unknown[/]"}
# Steps inside repeat and the like are told at this pace at most.
_INNER_EVERY_S = 5.0


class PlainWatcher(Watcher):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()
        self._last_inner = 0.0

    def say(self, text: str) -> None:
        self.line(f"[dim]{escape(text)}[/]")

    def line(self, markup: str) -> None:
        seconds = time.monotonic() - self._start
        self._console.print(f"[dim]{seconds:8.3f}[/]  {markup}", highlight=False, soft_wrap=True)

    def cell_begins(self, cell: Cell, number: int, count: int) -> None:
        self._start = time.monotonic()
        where = f" {cell_text(cell.axes)}" if cell.axes else ""
        of = f" ({number} of {count})" if count > 1 else ""
        self._console.print(
            f"[bold]{cell.scenario.name}[/]{escape(where)}{of}", highlight=False, soft_wrap=True
        )

    def phase(self, text: str) -> None:
        if text != "steps":
            self.line(f"[dim]{text}[/]")

    def step_begins(self, text: str, depth: int) -> None:
        if depth == 0:
            self.line(escape(text))
        elif time.monotonic() - self._last_inner > _INNER_EVERY_S:
            self._last_inner = time.monotonic()
            self.line(f"[dim]{'  ' * depth}{escape(text)}[/]")

    def step_ends(self, text: str, depth: int, seconds: float, error: str) -> None:
        if error and depth == 0:
            self.line(f"[red]{escape(error)}[/]")

    def cell_ends(self, cell: Cell, result: CellResult) -> None:
        reason = f": {escape(result.reason)}" if result.reason else ""
        self.line(f"{_MARKS[result.verdict]} in {result.duration_s:.1f} s{reason}")

    def left_out(self, cell: dict[str, Any], because: str) -> None:
        self._console.print(
            f"[dim]{escape(cell_text(cell))} is left out: {escape(because)}[/]",
            highlight=False,
            soft_wrap=True,
        )

    def fault(self, fault: OpenFault) -> None:
        """Steps tell of them; only what takes long to work again is worth a line of its own."""
        if fault.end is not None and fault.end - fault.start > 10**9:
            self.line(f"[dim]{escape(fault.text)} is healed after {(fault.end - fault.start) / 1e9:.2f} s[/]")
