"""What is broken on purpose, from when to when.

A fault begins when a step breaks something. Its healing is done when a step (or the end of the run) undid it; it ends
when what it touched works again. Where that never comes true after the healing, the healing's own time is the end: what
did not come back is for the checkers to say, and an unhealed fault would excuse it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from testbed.check.evidence import Fault

Works = Callable[[int], bool]  # whether all it touched works again, healed at that time


@dataclass
class OpenFault:
    kind: str
    targets: tuple[str, ...]
    ports: tuple[str, ...]
    start: int
    works: Works
    healed: int | None = None
    end: int | None = None

    @property
    def text(self) -> str:
        return f"{self.kind} {', '.join(self.targets or self.ports)}"


class Faults:
    """`on_change` is called with a fault that begins or ends."""

    def __init__(self, on_change: Callable[[OpenFault], None]) -> None:
        self.all: list[OpenFault] = []
        self._open: list[OpenFault] = []
        self._on_change = on_change

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    @property
    def open(self) -> list[OpenFault]:
        return list(self._open)

    def begin(
        self, kind: str, targets: Iterable[str], ports: Iterable[str] = (), works: Works = lambda healed: True
    ) -> OpenFault:
        fault = OpenFault(kind, tuple(targets), tuple(ports), time.monotonic_ns(), works)
        self.all.append(fault)
        self._open.append(fault)
        self._on_change(fault)
        return fault

    def heal(self, fault: OpenFault) -> None:
        fault.healed = fault.healed or time.monotonic_ns()
        self.look()

    def heal_those_of(self, kinds: Iterable[str], target: str) -> None:
        """What a step such as `start: switch` undoes."""
        for fault in self._open:
            if fault.kind in kinds and target in fault.targets:
                fault.healed = fault.healed or time.monotonic_ns()
        self.look()

    def look(self) -> None:
        """Ends the faults whose healing shows. Called after every change."""
        now = time.monotonic_ns()
        for fault in list(self._open):
            if fault.healed is not None and fault.works(fault.healed):
                fault.end = now
                self._open.remove(fault)
                self._on_change(fault)

    def evidence(self) -> list[Fault]:
        return [
            Fault(f.kind, f.targets, f.start, f.end if f.end is not None else f.healed, f.ports)
            for f in self.all
        ]
