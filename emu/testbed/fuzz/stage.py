"""The processes of a fuzz run, kept alive from case to case: starting them takes a second, a case far less.

Steps are executed as `testbed run` executes them, by the same code, on the same actors. Only the book-keeping of faults is
left out, and what the history collects is forgotten between cases.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.fuzz import topology
from testbed.fuzz.grammar import ATTACKER, Document, Profile, Steps
from testbed.fuzz.steps import parsed
from testbed.fuzz.topology import Target
from testbed.run.actors.base import ActorError, World
from testbed.run.actors.driver import DriverActor
from testbed.run.actors.switch import SwitchActor
from testbed.run.cell import Cell
from testbed.run.conduct import set_up
from testbed.run.history import History
from testbed.run.places import places
from testbed.run.rpc import RpcClosed, RpcFailure
from testbed.run.steps.context import StepFailed
from testbed.run.watcher import Watcher

Seen = Counter[tuple[str, str]]  # (what was done, outcome)
_WITHIN_NS = 10 * 10**9
_DYING_NS = 200 * 10**6


class _Cell(Cell):
    """A case is one fault; nobody measures how long each of its steps took to heal."""

    @contextlib.asynccontextmanager
    async def fault(self, kind: str, actors: Sequence[str], ports: Sequence[str] = ()) -> AsyncIterator[None]:
        yield


@dataclass
class Played:
    """`done` are the steps that could be done: one that finds no ring or no room is no part of the case."""

    done: Steps = field(default_factory=list)
    seen: Seen = field(default_factory=Counter)


class Stage:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.history = cell.history

    @property
    def switch(self) -> SwitchActor:
        return next(iter(self.cell.cast.switches.values()))

    def driver(self, name: str) -> DriverActor:
        actor = self.cell.cast.frontends[name]
        assert isinstance(actor, DriverActor), "topology.py has no others"
        return actor

    async def begin(self) -> None:
        """As the beginning of a finding's file. StepFailed, ActorError, RpcFailure."""
        await set_up(self.cell, self.cell.scenario.autostarted())
        await self.cell.flows.begin()
        await self.do([{"handshake": ATTACKER}, {"wait": {"flows": "moving"}}, {"hang_up": ATTACKER}])
        await self.gone()
        await self.cell.sampler.stop()  # nobody reads what it collects, and it asks everybody all the time
        await self.new_guest()

    async def do(self, steps: Steps) -> None:
        """All of them, or StepFailed, ActorError, RpcFailure."""
        for step in parsed(steps):
            await step.execute(self.cell)

    async def play(self, steps: Steps) -> Played:
        """A case, as far as it goes. Ends early when the backend has died."""
        played = Played()
        self._forget()
        if steps and "handshake" not in steps[0]:
            with contextlib.suppress(RpcFailure):
                await self.do([{"connect": ATTACKER}])
        for document in steps:
            if not self.switch.running:
                break
            if await self._step(document):
                played.done.append(document)
        for event in self.history.events:
            if event.name == "driver.outcome" and event.actor == ATTACKER:
                played.seen[str(event.fields["what"]), str(event.fields["outcome"])] += 1
        return played

    async def _step(self, document: Document) -> bool:
        try:
            await self.do([document])
        except RpcClosed:
            return True  # the driver died of it
        except (StepFailed, RpcFailure, ActorError):
            return await self._died()
        return True

    async def _died(self) -> bool:
        """Whether that step failed because it was the backend's last. A process ends some moments after its sockets; one
        that answers after it has closed the attacker's does live."""
        if not self.driver(ATTACKER).session and not await self._answers():
            deadline = time.monotonic_ns() + _DYING_NS
            await self.history.until(lambda: not self.switch.running, deadline)
        return not self.switch.running

    async def _answers(self) -> bool:
        if not self.switch.controlled:
            return False
        with contextlib.suppress(RpcFailure):
            await self.switch.call("ping", timeout=_DYING_NS / 1e9)
            return True
        return False

    async def new_guest(self) -> None:
        """What `restart` of the attacker does, without the price of a process."""
        await self.driver(ATTACKER).renew()

    async def gone(self) -> None:
        """Until the backend knows that the attacker has hung up, as far as it tells."""
        port = self.cell.port_of(ATTACKER)
        await self.cell.wait(
            lambda: f"somebody is connected to {port}" if port in self.switch.connected else "", _WITHIN_NS
        )

    def _forget(self) -> None:
        for collected in (self.history.events, self.history.calls, self.history.samples):
            collected.clear()
        for kept in (self.history.resources, self.history.pages, self.history.logs):
            kept.clear()


@contextlib.asynccontextmanager
async def stage(target: Target, profile: Profile, files: Path) -> AsyncIterator[Stage]:
    """A fresh one. StepFailed, ActorError, RpcFailure: it did not come up. Leaves nothing behind."""
    scenario = topology.scenario(profile, target.datapath)
    try:
        with places(files) as where:
            async with asyncio.TaskGroup() as tasks:
                world = World(History(), where, tasks, secrets.token_hex(8))
                cell = _Cell(scenario, {}, scenario.seed, target.backend, None, world, Watcher())
                made = Stage(cell)
                try:
                    await made.begin()
                    yield made
                finally:
                    await _end(cell)
    except ExceptionGroup as group:  # the task group's wrapping of what was raised inside of it
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def _end(cell: Cell) -> None:
    await cell.sampler.stop()
    await asyncio.gather(*(frontend.end() for frontend in cell.cast.frontends.values()))
    await asyncio.gather(*(switch.end() for switch in cell.cast.switches.values()))
    await cell.world.end_background()
