"""Guests that move while a cell runs: where each is, and how a move goes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from testbed.check.evidence import Event
from testbed.run.actors.driver import DriverActor
from testbed.run.actors.frontend import Frontend
from testbed.run.cast import frontend_socket_of
from testbed.run.history import RUNNER
from testbed.run.rpc import RpcFailure
from testbed.run.steps.context import StepFailed
from testbed.scenario.topology import opposite

if TYPE_CHECKING:
    from testbed.run.cell import Cell
    from testbed.run.steps.migrate import Migrate

_ENDS = frozenset({"migration.completed", "migration.cancelled", "migration.failed"})


class Moves:
    """`port_of` follows a guest from the moment its rings run at the destination."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._ports: dict[str, str] = {}
        self._bound_for: dict[str, str] = {}
        cell.history.on_event.append(self._follow)

    def port_of(self, frontend: str) -> str:
        return self._ports.get(frontend, self._cell.scenario.frontends[frontend].port)

    def _follow(self, event: Event) -> None:
        if event.actor not in self._bound_for:
            return
        if event.name == "migration.stopped":
            self._mark(event, f"{event.actor} stops at {self.port_of(event.actor)}")
        elif event.name == "migration.switched":
            self._ports[event.actor] = self._bound_for[event.actor]
            milliseconds = float(event.fields.get("downtime_us", 0)) / 1000
            self._mark(
                event, f"{event.actor} goes on at {self.port_of(event.actor)}, {milliseconds:.1f} ms later"
            )

    def _mark(self, event: Event, text: str) -> None:
        self._cell.history.note(RUNNER, "label", event.t, text=text)

    async def migrate(self, step: Migrate) -> None:
        """StepFailed when it does not begin, or does not end in time."""
        cell = self._cell
        actor = cell.cast.frontends[step.frontend]
        taken = [
            name for name in cell.cast.frontends if name != step.frontend and cell.port_of(name) == step.to
        ]
        if taken or self.port_of(step.frontend) == step.to:
            raise StepFailed(f"migrate: {', '.join(taken) or step.frontend} sits at {step.to}")
        self._bound_for[step.frontend] = step.to
        origin, start = self.port_of(step.frontend), time.monotonic_ns()
        cell.history.note(step.frontend, "migration.asked", start, **{"from": origin, "to": step.to})
        if step.background:
            cell.world.background(self._whole(step, actor, start), f"migrate {step.frontend}")
        else:
            await self._whole(step, actor, start)

    async def _whole(self, step: Migrate, actor: Frontend, start: int) -> None:
        async with self._cell.fault("migrate", [step.frontend]):
            deadline = start + step.within
            await self._begin(step, actor, deadline)
            ended = asyncio.ensure_future(self._ended(step.frontend, start, deadline))
            if step.cancel_after is not None:
                await asyncio.wait([ended], timeout=step.cancel_after / 1e9)
                await self._cancel(actor)
            if not await ended:
                raise StepFailed(
                    f"migrate: {step.frontend} was not at {step.to} within {step.within / 1e9:g} s"
                )

    async def _cancel(self, actor: Frontend) -> None:
        if isinstance(actor, DriverActor):
            with contextlib.suppress(RpcFailure):  # it was over before
                await actor.do("migrate_cancel")
        else:
            from testbed.run.actors.guest import GuestActor

            assert isinstance(actor, GuestActor), "references are checked when the file is loaded"
            await actor.cancel_migration()

    async def _begin(self, step: Migrate, actor: Frontend, deadline: int) -> None:
        scenario, places = self._cell.scenario, self._cell.world.places
        path = frontend_socket_of(scenario, places, step.to)
        role = opposite(scenario.ports()[step.to].role)
        downtime_ms, octets = max(1, step.downtime // 10**6), (step.bandwidth or 0) << 20
        if not isinstance(actor, DriverActor):
            from testbed.run.actors.guest import GuestActor

            assert isinstance(actor, GuestActor), "references are checked when the file is loaded"
            if not actor.answers:
                raise StepFailed(f"migrate: {actor.name} {actor.state}")
            work = actor.migrate(path, role, downtime_ms, octets, deadline)
            self._cell.world.background(work, f"migrate {actor.name}")
            return
        try:
            await actor.do(
                "migrate",
                path=str(path),
                role=role,
                downtime_ms=downtime_ms,
                bandwidth=octets,
            )
        except RpcFailure as failure:
            raise StepFailed(f"migrate: {failure}") from None

    async def _ended(self, frontend: str, start: int, deadline: int) -> bool:
        history = self._cell.history

        def over() -> bool:
            latest = reversed(history.events)
            return any(e.actor == frontend and e.name in _ENDS for e in latest if e.t >= start) or not (
                self._cell.cast.frontends[frontend].running
            )

        return await history.until(over, deadline)
