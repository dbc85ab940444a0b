"""One cell of a scenario while its steps run: what steps may ask for (run/steps/context.py), done."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from testbed.check.evidence import Event
from testbed.run import guests_memory, waits
from testbed.run.actors.base import Actor, World
from testbed.run.actors.switch import change_document
from testbed.run.backends import Backend
from testbed.run.cast import GuestKit, make_cast, socket_of
from testbed.run.faults import Faults, OpenFault, Works
from testbed.run.flow_plan import PlannedFlow, plan_flows
from testbed.run.flow_report import FlowReports
from testbed.run.flows import Flows
from testbed.run.hand import Hand
from testbed.run.history import RUNNER
from testbed.run.moves import Moves
from testbed.run.recovery import Recovery
from testbed.run.sampler import Sampler
from testbed.run.script import Script
from testbed.run.steps.base import Step as ScenarioStep
from testbed.run.steps.change import SwitchChange
from testbed.run.steps.context import StepFailed
from testbed.run.watcher import Watcher
from testbed.run.wire import Wire
from testbed.scenario.matrix import Cell as Axes
from testbed.scenario.model import Scenario


class Cell:
    """Lives inside the cell's TaskGroup (world.tasks); conduct.py brings it up and winds it down."""

    def __init__(
        self,
        scenario: Scenario,
        axes: Axes,
        seed: int,
        backend: Backend,
        kit: GuestKit | None,
        world: World,
        watcher: Watcher,
    ) -> None:
        self.scenario = scenario
        self.axes = axes
        self.seed = seed
        self.backend = backend
        self.world = world
        self.history = world.history
        self.watcher = watcher
        self.random = random.Random(seed)
        self.cast = make_cast(scenario, backend, world, self._arm, kit)
        planned = plan_flows(scenario, seed)
        self.flows = Flows(planned, self.cast.frontends, self.history, _run_number(), self._is_path_up)
        self.faults = Faults(self._fault_changed)
        self.recovery = Recovery(self)
        self.wire = Wire(self)
        self.moves = Moves(self)
        self.sampler = Sampler(self)
        self.reports = FlowReports()
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.script = Script(self.history, watcher)
        self.steps_start = 0
        world.in_fault = lambda: self.faults.any_open
        self.history.on_event.append(lambda event: self.faults.look())

    async def _arm(self, frontend: str) -> None:
        await self.flows.arm(frontend)

    # -- Who is where
    def port_of(self, frontend: str) -> str:
        return self.moves.port_of(frontend)

    def is_port_up(self, port: str) -> bool:
        switch, name = self.scenario.split_port(port)
        return name in self.cast.switches[switch].sessions

    def owners_of(self, port: str) -> str:
        """For a person who waits for a port: how both its sides are."""
        switch = self.cast.switches[self.scenario.split_port(port)[0]]
        ends = [f for f in self.cast.frontends.values() if self.port_of(f.name) == port]
        return ", ".join(f"{actor.name} {actor.state}" for actor in (switch, *ends))

    def _is_path_up(self, flow: PlannedFlow) -> bool:
        return all(self.is_port_up(self.port_of(end)) for end in (flow.source, flow.sink))

    # -- Steps
    async def steps(self, steps: Sequence[ScenarioStep]) -> None:
        await self.script.run(self, steps)

    async def parallel(self, branches: Sequence[Sequence[ScenarioStep]]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for branch in branches:
                    group.create_task(self.steps(branch))
        except* StepFailed as failures:
            raise failures.exceptions[0] from None

    def label(self, text: str) -> None:
        self.history.note(RUNNER, "label", text=text)

    async def pause(self, duration_ns: int) -> None:
        await asyncio.sleep(duration_ns / 1e9)

    async def wait(self, missing: Callable[[], str], within_ns: int) -> None:
        def over() -> bool:
            return not missing() or bool(self._unasked_death())

        with self.sampler.hurry():
            if await self.history.until(over, time.monotonic_ns() + within_ns) and not missing():
                return
        what = missing()
        death = self._unasked_death()
        if what:
            raise StepFailed(f"{what} ({death})" if death else f"{what} within {within_ns / 1e9:g} s")

    def _unasked_death(self) -> str:
        wrong = next((end for end in reversed(self.history.exits) if not end.expected), None)
        return f"{wrong.actor} ended with {wrong.status}" if wrong else ""

    # -- Processes
    def _actors(self, names: Iterable[str]) -> list[Actor]:
        return [self.cast.all[name] for name in names]

    def not_running(self) -> list[str]:
        shared = self.scenario.names().shares_a_process
        return [
            actor.name for actor in self.cast.all.values() if not actor.running and not shared(actor.name)
        ]

    async def start(self, actors: Sequence[str]) -> None:
        for actor in self._actors(actors):
            await actor.start()
            for mate in self._in_process_of(actor):
                await mate.start()
            self.faults.heal_those_of(("kill", "shutdown"), actor.name)

    def _in_process_of(self, actor: Actor) -> list[Actor]:
        shared = self.scenario.names().shares_a_process
        return [
            f for f in self.cast.frontends.values() if shared(f.name) and actor.name in self.cast.switches
        ]

    async def kill(self, actors: Sequence[str]) -> None:
        await self._end("kill", actors, lambda actor: actor.kill())

    async def shutdown(self, actors: Sequence[str], within_ns: int) -> None:
        await self._end("shutdown", actors, lambda actor: actor.shutdown(within_ns / 1e9))

    async def _end(self, kind: str, actors: Sequence[str], way: Callable[[Actor], Awaitable[None]]) -> None:
        for actor in self._actors(actors):
            if not actor.running:
                raise StepFailed(f"{kind}: {actor.name} {actor.state}")
        for actor in self._actors(actors):
            actor.resume() if kind == "shutdown" else None
            await self.before_fault()
            if not self._part_of_restart(actor.name):
                self._begin(kind, actor.name)
            await way(actor)
            for mate in self._in_process_of(actor):
                await mate.end()

    def _part_of_restart(self, actor: str) -> bool:
        return any(f.kind == "restart" and actor in f.targets and f.healed is None for f in self.faults.open)

    async def stop(self, actors: Sequence[str]) -> None:
        await self.before_fault()
        for actor in self._actors(actors):
            if not actor.running:
                raise StepFailed(f"stop: {actor.name} {actor.state}")
            self._begin("stop", actor.name)
            actor.stop()

    async def resume(self, actors: Sequence[str]) -> None:
        for actor in self._actors(actors):
            actor.resume()
            self.faults.heal_those_of(("stop",), actor.name)

    # -- Faults
    def _begin(
        self, kind: str, actor: str, ports: Sequence[str] = (), works: Works | None = None
    ) -> OpenFault:
        return self.faults.begin(
            kind, (actor,) if actor else (), ports, works or self.recovery.of(kind, actor)
        )

    async def before_fault(self) -> None:
        """A last look at what the blast radius and the leaks are measured against."""
        if not self.faults.all:
            await self.sampler.snapshot()
            for actor in self.cast.all.values():
                await self.sampler.baseline(actor)

    @contextlib.asynccontextmanager
    async def fault(self, kind: str, actors: Sequence[str], ports: Sequence[str] = ()) -> AsyncIterator[None]:
        await self.before_fault()
        # A move is nothing hostile, and is measured in milliseconds that a look would take many of.
        if kind != "migrate" and any(actor in self.scenario.names().drivers for actor in actors):
            await guests_memory.look_before(self, f"{kind} {', '.join(actors)}")
        begun = [self._begin(kind, actor, ports) for actor in actors]
        try:
            yield
        finally:
            for fault in begun:
                self.faults.heal(fault)

    def _fault_changed(self, fault: OpenFault) -> None:
        self.watcher.fault(fault)
        if fault.end is not None:
            self.sampler.want_snapshot()

    # -- Asking
    async def call(self, actor: str, method: str, params: dict[str, Any], within_ns: int) -> Any:
        return await self.cast.all[actor].call(method, params, within_ns / 1e9)

    def hand(self, frontend: str) -> Hand:
        return Hand(self, frontend)

    async def execute(self, guest: str, command: str, within_ns: int) -> dict[str, Any]:
        async with self.fault("exec", [guest]):
            seconds = within_ns / 1e9
            params = {"command": command, "timeout_ms": within_ns // 10**6}
            result = await self.cast.all[guest].call("exec", params, seconds + 5)
            return dict(result)

    async def restart_guest(self, guest: str, how: str, within_ns: int) -> None:
        from testbed.run.actors.guest import GuestActor

        actor = self.cast.frontends[guest]
        assert isinstance(actor, GuestActor), "references are checked when the file is loaded"
        await actor.restart(how, within_ns / 1e9)

    # -- The switch, ports, flows
    async def apply(self, switch: str, change: SwitchChange) -> None:
        await self.before_fault()
        fault = self._begin("apply", "", [*change.ports, *change.remove], lambda healed: True)
        paths = {port: socket_of(self.scenario, self.world.places, switch, port) for port in change.ports}
        documents = change_document(change, paths, switch)
        try:
            await self.cast.switches[switch].apply(documents, change.remove)
        finally:
            self.faults.heal(fault)

    async def disconnect(self, port: str) -> None:
        await self.before_fault()
        switch, name = self.scenario.split_port(port)
        fault = self._begin("disconnect", "", [name], self.recovery.of_session(port))
        try:
            await self.cast.switches[switch].call("disconnect", {"port": name})
        finally:
            self.faults.heal(fault)

    async def arm(self, port: str, kind: str, fault: dict[str, Any]) -> None:
        await self.wire.arm(port, kind, fault)

    async def heal_wire(self, port: str) -> None:
        await self.wire.heal(port)

    async def set_rate(self, flow: str, packets_per_second: float) -> None:
        await self.flows.set_rate([flow], packets_per_second)

    async def set_queues(self, frontend: str, count: int) -> None:
        async with self.fault("queues", [frontend]):
            await self.cast.frontends[frontend].set_queues(count)

    # -- Waiting
    def flows_not_moving(self, flows: Sequence[str]) -> Callable[[], str]:
        return waits.flows_not_moving(self, flows)

    def flow_has_not(self, flow: str, packets: int) -> Callable[[], str]:
        return waits.flow_has_not(self, flow, packets)

    def ports_not(self, state: str, ports: Sequence[str]) -> Callable[[], str]:
        return waits.ports_not(self, state, ports)

    def guests_not_ready(self, guests: Sequence[str]) -> Callable[[], str]:
        return waits.guests_not_ready(self, guests)

    def actors_not_up(self, actors: Sequence[str]) -> Callable[[], str]:
        return waits.actors_not_up(self, actors)

    def event_not_seen(self, name: str, matches: Callable[[Event], bool]) -> Callable[[], str]:
        return waits.event_not_seen(self, name, matches)


def _run_number() -> int:
    """Probes of another run that are still somewhere must not be taken for this one's."""
    return random.SystemRandom().randrange(1, 1 << 32)
