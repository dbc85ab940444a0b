"""What happened, merged from all programs, and the one way in which the runner waits: until something is so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from testbed.check.evidence import (
    Call,
    Event,
    LogLook,
    PagesLook,
    ProcessExit,
    ResourceSample,
    Step,
    SwitchEvidence,
)

RUNNER = "testbed"


class History:
    """Everything that is written down during a cell. One event loop, no locks."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls: list[Call] = []
        self.exits: list[ProcessExit] = []
        self.resources: list[ResourceSample] = []
        self.switches: list[SwitchEvidence] = []
        self.samples: list[dict[str, Any]] = []
        self.steps: list[Step] = []
        self.pages: list[PagesLook] = []
        self.logs: list[LogLook] = []
        self.on_event: list[Callable[[Event], None]] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, event: Event) -> None:
        self.events.append(event)
        for listener in self.on_event:
            listener(event)
        self.changed()

    def note(self, actor: str, name: str, t: int | None = None, **fields: Any) -> Event:
        """An event of the runner's own, about `actor`."""
        event = Event(time.monotonic_ns() if t is None else t, actor, name, fields)
        self.add(event)
        return event

    def take(self, actor: str, document: dict[str, Any]) -> None:
        """An `event` notification of docs/protocol.md."""
        fields = {key: value for key, value in document.items() if key not in ("seq", "t", "name")}
        self.add(Event(int(document.get("t", 0)), actor, str(document.get("name", "")), fields))

    def since(self, index: int) -> Iterator[Event]:
        """Events from the `index`-th on, as they arrived."""
        for number in range(index, len(self.events)):
            yield self.events[number]

    def changed(self) -> None:
        """Something is different: whoever waits looks again."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def until(self, so: Callable[[], bool], deadline_ns: int) -> bool:
        """Whether `so()` became true before the deadline. Looks again after every change."""
        while not so():
            left = deadline_ns - time.monotonic_ns()
            if left <= 0:
                return False
            await self._change(left / 1e9)
        return True

    async def _change(self, timeout: float) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting], timeout=timeout)
        finally:
            self._waiting.discard(waiting)
