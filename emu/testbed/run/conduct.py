"""A cell from its first process to its evidence: set-up, steps, winding down. Whatever happens, nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.check.evidence import Evidence
from testbed.run.actors.base import Actor, ActorError, World
from testbed.run.backends import Backend
from testbed.run.cast import GuestKit
from testbed.run.cell import Cell
from testbed.run.evidence import gather
from testbed.run.history import History
from testbed.run.leftovers import Surroundings
from testbed.run.places import places
from testbed.run.steps.context import StepFailed
from testbed.run.watcher import Watcher
from testbed.run.winding import wind_down
from testbed.scenario.load import CellScenario
from testbed.scenario.topology import Qemu

UP_S = 30.0
GUEST_UP_S = 90.0
CONNECTED_S = 5.0
_TICK_S = 0.125


class Interrupt:
    """Ctrl-C. The first ends the steps, the second does not wait for anybody."""

    def __init__(self) -> None:
        self.pressed = 0
        self.on_press: Callable[[int], None] = lambda times: None

    def press(self) -> None:
        self.pressed += 1
        self.on_press(self.pressed)


class _Outcome:
    """Why the steps did not run to their end, and who ended them."""

    def __init__(self) -> None:
        self.aborted = ""
        self.by = "step"

    def set(self, aborted: str, by: str) -> None:
        if not self.aborted:
            self.aborted, self.by = aborted, by


async def conduct(
    planned: CellScenario,
    seed: int,
    backend: Backend,
    kit: GuestKit | None,
    files: Path,
    watcher: Watcher,
    interrupt: Interrupt,
    *,
    announce: Callable[[Cell], None] = lambda cell: None,
) -> tuple[Cell, Evidence]:
    """Raises Lacking before anything is started."""
    outcome = _Outcome()
    with places(files) as where:
        async with asyncio.TaskGroup() as tasks:
            world = World(History(), where, tasks, secrets.token_hex(8))
            surroundings = Surroundings(world.marker, where)
            cell = Cell(planned.scenario, planned.cell, seed, backend, kit, world, watcher)
            announce(cell)
            start = time.monotonic_ns()
            world.background(_ticks(watcher), "ticks")
            await _play(cell, outcome, interrupt)
            try:
                end = await wind_down(cell, surroundings, hurried=interrupt.pressed > 0)
            finally:
                await world.end_background()
    return cell, gather(cell, start, end, outcome.aborted, outcome.by)


async def _play(cell: Cell, outcome: _Outcome, interrupt: Interrupt) -> None:
    """Set-up and steps, as a task of their own that an interrupt or a crash can end."""
    body = asyncio.create_task(_body(cell, outcome), name="steps")

    def crashed(what: str) -> None:
        outcome.set(what, "internal")
        body.cancel()

    def pressed(times: int) -> None:
        if times == 1:
            cell.watcher.say("interrupted: ending what was started (again: without waiting)")
            outcome.set("interrupted", "interrupt")
            body.cancel()
        else:
            cell.watcher.say("interrupted again: killing what is left")
            for actor in cell.cast.all.values():
                kill_now(actor)

    cell.world.on_crash = crashed
    interrupt.on_press = pressed
    if interrupt.pressed:
        pressed(1)
    with contextlib.suppress(asyncio.CancelledError):
        await body


async def _ticks(watcher: Watcher) -> None:
    while True:
        await asyncio.sleep(_TICK_S)
        watcher.tick()


def kill_now(actor: Actor) -> None:
    """SIGKILL to its group, without waiting and whatever it is doing."""
    if actor.running and actor.pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(actor.pid, signal.SIGKILL)


async def _body(cell: Cell, outcome: _Outcome) -> None:
    try:
        await set_up(cell, cell.scenario.autostarted())
        await _run_steps(cell)
    except StepFailed as failure:
        outcome.set(str(failure), "step")
    except ActorError as failure:
        outcome.set(f"set-up: {failure}", "step")
    except TimeoutError:
        limit = cell.scenario.timeout / 1e9
        outcome.set(f"the steps took longer than {limit:g} s (raise it with `timeout:`)", "step")
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 (the runner's own mistakes make a cell unknown, and end it in order)
        outcome.set(f"{type(error).__name__}: {error}", "internal")
        cell.watcher.say(f"the runner failed: {type(error).__name__}: {error}")


async def _run_steps(cell: Cell) -> None:
    cell.watcher.phase("steps")
    cell.steps_start = time.monotonic_ns()
    await cell.flows.begin()
    async with asyncio.timeout(cell.scenario.timeout / 1e9):
        await cell.steps(cell.scenario.steps)


async def set_up(cell: Cell, names: Sequence[str]) -> None:
    """Starts actors and waits until they are up; then, without insisting, until their sessions are. StepFailed."""
    cell.watcher.phase("set-up")
    if cell.cast.proxy is not None:
        await cell.cast.proxy.start()
        await _until_up(cell, [cell.cast.proxy], UP_S)
    actors = [cell.cast.all[name] for name in names]
    shared = cell.scenario.names().shares_a_process
    early = [a for a in actors if not _waits_for_switch(cell, a.name) and not shared(a.name)]
    for actor in early:
        await actor.start()
    for actor in actors:
        if shared(actor.name):
            await actor.start()
    switches = [actor for actor in early if actor.name in cell.cast.switches]
    await _until_up(cell, switches, UP_S)
    for actor in actors:
        if actor not in early and not shared(actor.name):
            await actor.start()
    await _until_up(cell, actors, GUEST_UP_S if cell.scenario.names().guests else UP_S)
    ends = [cell.cast.frontends[name] for name in names if name in cell.cast.frontends]
    ports = [cell.port_of(end.name) for end in ends if end.connects]
    if switches:
        deadline = time.monotonic_ns() + round(CONNECTED_S * 1e9)
        await cell.history.until(lambda: all(cell.is_port_up(port) for port in ports), deadline)
    cell.sampler.start()
    for actor in actors:
        await cell.sampler.baseline(actor)


def _waits_for_switch(cell: Cell, name: str) -> bool:
    """QEMU before 9.2 tries to connect once a second: let it find somebody the first time."""
    spec = cell.scenario.frontends.get(name)
    return isinstance(spec, Qemu) and cell.scenario.ports()[spec.port].role == "server"


async def _until_up(cell: Cell, actors: Sequence[Actor], within_s: float) -> None:
    def over() -> bool:
        return all(actor.up for actor in actors) or any(actor.failure for actor in actors)

    await cell.history.until(over, time.monotonic_ns() + round(within_s * 1e9))
    for actor in actors:
        if not actor.up:
            late = "" if actor.failure else f" {within_s:g} s after its start"
            raise StepFailed(f"set-up: {actor.name} {actor.state}{late}")
