"""What a person sees while a scenario runs. This one says nothing; plain.py and live.py do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testbed.check.result import CellResult
    from testbed.run.cell import Cell
    from testbed.run.faults import OpenFault


class Watcher:
    """All methods are called on the event loop and return at once."""

    def say(self, text: str) -> None:
        """Something slow begins, or something worth knowing happened."""

    def cell_begins(self, cell: Cell, number: int, count: int) -> None: ...

    def phase(self, text: str) -> None:
        """set-up, steps, winding down..."""

    def step_begins(self, text: str, depth: int) -> None: ...

    def step_ends(self, text: str, depth: int, seconds: float, error: str) -> None: ...

    def fault(self, fault: OpenFault) -> None:
        """It began, or it ended."""

    def cell_ends(self, cell: Cell, result: CellResult) -> None: ...

    def left_out(self, cell: dict[str, Any], because: str) -> None: ...

    def tick(self) -> None:
        """About eight times a second."""

    def close(self) -> None: ...
