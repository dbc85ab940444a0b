"""What a step may ask of the run it is a part of. The one implementation is testbed.run.cell."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from testbed.check.evidence import Event

if TYPE_CHECKING:
    from testbed.run.hand import Hand
    from testbed.run.moves import Moves
    from testbed.run.steps.change import SwitchChange
    from testbed.scenario.model import Scenario


class StepFailed(Exception):
    """What a step asked for did not come true. str() is one line that says what is missing."""


class Run(Protocol):
    @property
    def scenario(self) -> Scenario: ...

    @property
    def random(self) -> random.Random:
        """Seeded: everything a step chooses comes from here."""

    def label(self, text: str) -> None: ...

    async def pause(self, duration_ns: int) -> None:
        """Lets the world go on for so long."""

    async def wait(self, missing: Callable[[], str], within_ns: int) -> None:
        """Until `missing()` is empty; StepFailed with what it said last when the deadline passes."""

    async def steps(self, steps: Sequence[Any]) -> None:
        """Runs steps one after the other, as steps of their own."""

    async def parallel(self, branches: Sequence[Sequence[Any]]) -> None: ...

    # -- Actors
    def not_running(self) -> list[str]: ...

    async def start(self, actors: Sequence[str]) -> None:
        """Returns when the processes are spawned; what they do next is waited for by `wait`."""

    async def kill(self, actors: Sequence[str]) -> None: ...

    async def stop(self, actors: Sequence[str]) -> None: ...

    async def resume(self, actors: Sequence[str]) -> None: ...

    async def shutdown(self, actors: Sequence[str], within_ns: int) -> None: ...

    def fault(
        self, kind: str, actors: Sequence[str], ports: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[None]:
        """Something is broken from here on. When the block is left, healing was done; the fault ends when what it
        touched works again."""

    async def call(self, actor: str, method: str, params: dict[str, Any], within_ns: int) -> Any:
        """StepFailed when there is no answer, or the answer is no."""

    def hand(self, frontend: str) -> Hand:
        """What is done by hand on a driver frontend. ActorError: it does not run."""

    async def restart_guest(self, guest: str, how: str, within_ns: int) -> None:
        """`how`: reboot, reset or reload. Returns when it was asked for."""

    async def execute(self, guest: str, command: str, within_ns: int) -> dict[str, Any]: ...

    # -- The switch, ports, flows
    async def apply(self, switch: str, change: SwitchChange) -> None: ...

    async def disconnect(self, port: str) -> None: ...

    async def arm(self, port: str, kind: str, fault: dict[str, Any]) -> None:
        """A fault on the socket of that port (docs/protocol.md, testbed-proxy); it begins when its message passes."""

    async def heal_wire(self, port: str) -> None:
        """Ends the faults on the socket of that port, and those that were armed and have not happened."""

    async def set_rate(self, flow: str, packets_per_second: float) -> None: ...

    async def set_queues(self, frontend: str, count: int) -> None: ...

    @property
    def moves(self) -> Moves:
        """Guests that migrate."""

    # -- What `wait` looks at: each says what is missing, or nothing
    def flows_not_moving(self, flows: Sequence[str]) -> Callable[[], str]: ...

    def flow_has_not(self, flow: str, packets: int) -> Callable[[], str]: ...

    def ports_not(self, state: str, ports: Sequence[str]) -> Callable[[], str]: ...

    def guests_not_ready(self, guests: Sequence[str]) -> Callable[[], str]: ...

    def event_not_seen(self, name: str, matches: Callable[[Event], bool]) -> Callable[[], str]: ...

    def actors_not_up(self, actors: Sequence[str]) -> Callable[[], str]: ...


Heal = Callable[[Run], Awaitable[None]]
