"""The end of a cell: what is stopped goes on, flows end, everything falls quiet, everybody is asked what they saw, ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from testbed.check.evidence import ResourceSample
from testbed.run import guests_memory
from testbed.run.cast import frontend_socket_of
from testbed.run.cell import Cell
from testbed.run.history import RUNNER
from testbed.run.leftovers import Surroundings
from testbed.run.rpc import RpcFailure
from testbed.scenario.topology import NicPort

QUIET_S = 3.0
_STILL_S = 0.04


async def wind_down(cell: Cell, surroundings: Surroundings, *, hurried: bool) -> int:
    """`hurried`: somebody wants to go home; nobody is asked anything. Returns when the last report was in hand."""
    cell.watcher.phase("winding down")
    if not hurried:
        await _ask_everybody(cell)
    end = time.monotonic_ns()
    await _end_all(cell)
    left = surroundings.left(_orphaned(cell), _own_devices(cell))
    cell.history.resources.append(ResourceSample(RUNNER, 0, "end", left))
    return end


async def _ask_everybody(cell: Cell) -> None:
    await cell.resume([actor.name for actor in cell.cast.all.values() if actor.stopped])
    await guests_memory.calm(cell)
    await cell.sampler.flush_snapshot()
    await cell.flows.stop()
    await cell.sampler.stop()
    await _quiet(cell)
    await guests_memory.look_at_the_end(cell)
    await guests_memory.hang_up(cell)
    await guests_memory.tell_messages(cell)
    await cell.reports.fetch(cell.cast.frontends)
    for name, frontend in cell.cast.frontends.items():
        if frontend.answers:
            with contextlib.suppress(RpcFailure):
                cell.endpoints[name] = await frontend.status()
    for switch in cell.cast.switches.values():
        if switch.answers:
            await switch.take_final()
    for actor in cell.cast.all.values():
        if actor.answers:
            await actor.sample_resources("after")


async def _quiet(cell: Cell) -> None:
    """Until no count changes any more: what is in rings and queues has arrived, or never will."""
    deadline = time.monotonic() + QUIET_S
    before: list[object] = []
    while time.monotonic() < deadline:
        for actor in (*cell.cast.frontends.values(), *cell.cast.switches.values()):
            if actor.answers:
                with contextlib.suppress(RpcFailure):
                    await cell.sampler.sample_once(actor)
        now = _counts(cell)
        if now == before:
            return
        before = now
        await asyncio.sleep(_STILL_S)  # a span to compare over, not a wait for something


def _counts(cell: Cell) -> list[object]:
    flows = [(state.sent, state.received) for state in cell.flows.states.values()]
    return [*flows, *(switch.counters.get("totals") for switch in cell.cast.switches.values())]


async def _end_all(cell: Cell) -> None:
    """Frontends first: a backend that goes first would be one more outage."""
    await asyncio.gather(*(frontend.end() for frontend in cell.cast.frontends.values()))
    await asyncio.gather(*(switch.end() for switch in cell.cast.switches.values()))
    if cell.cast.proxy is not None:
        await cell.cast.proxy.end()


def _orphaned(cell: Cell) -> Callable[[Path], bool]:
    """Sockets of processes that the scenario killed. Those of a name are taken over by whoever is started next, so they
    are orphans only when nobody was; those of a process (EAL names a directory after its pid) always are."""
    killed = [end for end in cell.history.exits if end.expected and end.status == "SIGKILL"]
    pids = {str(end.pid) for end in killed}
    last = {end.actor: end.status for end in cell.history.exits if end.expected}
    unborn = {actor for actor, status in last.items() if status == "SIGKILL"}
    names: set[Path] = set()
    for port, spec in cell.scenario.ports().items():
        switch, _ = cell.scenario.split_port(port)
        ends = {name for name in cell.cast.frontends if cell.port_of(name) == port}
        if spec.role == "server" and switch in unborn:
            names.add(cell.world.places.socket(port))
        if spec.role == "client" and unborn & ends:
            names.add(frontend_socket_of(cell.scenario, cell.world.places, port))
    directories = [cell.world.places.directory(actor) for actor in unborn]

    def orphaned(path: Path) -> bool:
        of_a_process = any(part.rpartition("-")[2] in pids for part in path.parts)
        return of_a_process or path in names or any(path.is_relative_to(place) for place in directories)

    return orphaned


def _own_devices(cell: Cell) -> set[str]:
    """Interfaces that NIC ports make: `iface=` of net_tap and the like."""
    devices: set[str] = set()
    for switch in cell.scenario.all_switches().values():
        for port in switch.ports.values():
            if isinstance(port, NicPort):
                for argument in port.device.split(","):
                    key, _, value = argument.partition("=")
                    devices |= {value} if key == "iface" and value else set()
    return devices
