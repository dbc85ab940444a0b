"""`testbed up`: holds a topology until Ctrl-C, and says how to attach to each of its sockets."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from testbed.run import exits
from testbed.run.actors.base import World
from testbed.run.backends import TestbedSwitch
from testbed.run.binaries import Lacking
from testbed.run.cast import GuestKit, socket_of
from testbed.run.cell import Cell
from testbed.run.command import check_machine, guest_kit
from testbed.run.conduct import set_up
from testbed.run.history import History
from testbed.run.places import Places, new_run_directory, places
from testbed.run.plain import PlainWatcher
from testbed.run.rpc import RpcFailure
from testbed.run.steps.context import StepFailed
from testbed.scenario.load import CellScenario, load_scenario
from testbed.scenario.matrix import cell_text
from testbed.scenario.mistakes import ScenarioError
from testbed.scenario.model import Scenario
from testbed.scenario.topology import Ring, Role, VhostPort, opposite


def hold(file: Path, *, only_switch: bool, directory: Path | None, cells: dict[str, str]) -> int:
    """The exit status: 0 after Ctrl-C."""
    watcher = PlainWatcher(Console(stderr=True, highlight=False))
    try:
        loaded = load_scenario(file)
        chosen = loaded.select(cells)[0]
        held = chosen.scenario.but(steps=[], expect=[])
        if only_switch:
            held = held.but(frontends={}, flows={})
        planned = CellScenario(chosen.cell, held)
        check_machine([planned], TestbedSwitch())
        kit = guest_kit([planned], watcher.say)
        with _directory(loaded.name, directory) as files:
            if planned.cell:
                watcher.say(f"cell {cell_text(planned.cell)}; choose another with --cell")
            return asyncio.run(_hold(planned, files, kit, watcher))
    except ScenarioError as mistake:
        print(mistake, file=sys.stderr)
        return exits.MISTAKE
    except Lacking as lacking:
        print(f"testbed up: {lacking}", file=sys.stderr)
        return exits.LACKING
    except KeyboardInterrupt:
        return exits.INTERRUPTED


@contextlib.contextmanager
def _directory(name: str, chosen: Path | None) -> Iterator[Path]:
    """One that was asked for stays."""
    if chosen is not None:
        yield new_run_directory(name, chosen)
    else:
        with tempfile.TemporaryDirectory(prefix="testbed-up-") as scratch:
            yield Path(scratch)


async def _hold(planned: CellScenario, files: Path, kit: GuestKit | None, watcher: PlainWatcher) -> int:
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    with places(files) as where:
        async with asyncio.TaskGroup() as tasks:
            world = World(History(), where, tasks, secrets.token_hex(8))
            cell = Cell(
                planned.scenario, planned.cell, planned.scenario.seed, TestbedSwitch(), kit, world, watcher
            )
            try:
                return await _until_interrupted(cell, interrupted)
            finally:
                watcher.say("ending what was started")
                await asyncio.gather(*(frontend.end() for frontend in cell.cast.frontends.values()))
                await asyncio.gather(*(switch.end() for switch in cell.cast.switches.values()))
                await world.end_background()


async def _until_interrupted(cell: Cell, interrupted: asyncio.Event) -> int:
    everyone = list(cell.cast.all)
    starting = asyncio.ensure_future(set_up(cell, everyone))
    ended = asyncio.ensure_future(interrupted.wait())
    try:
        await asyncio.wait([starting, ended], return_when=asyncio.FIRST_COMPLETED)
        if not interrupted.is_set():
            await starting
            with contextlib.suppress(RpcFailure):
                await cell.flows.begin()
            print(attachments(cell.scenario, cell.world.places, cell), flush=True)
            await ended
    except StepFailed as failure:
        print(f"testbed up: {failure}", file=sys.stderr)
        return exits.FAILED
    finally:
        for task in (starting, ended):
            task.cancel()
        await asyncio.gather(starting, ended, return_exceptions=True)
    return exits.PASSED


def attachments(scenario: Scenario, where: Places, cell: Cell | None = None) -> str:
    """How to attach to each socket, and how to talk to each process."""
    lines: list[str] = []
    taken = {spec.port: name for name, spec in scenario.frontends.items()}
    for reference, port in scenario.ports().items():
        path = socket_of(scenario, where, *scenario.split_port(reference))
        owner = f", used by {taken[reference]}" if reference in taken else ""
        lines.append(f"port {reference} ({port.role}{owner}): {path}")
        if reference not in taken:
            lines += [f"  {line}" for line in attach(path, port)]
    for name, actor in (cell.cast.all if cell is not None else {}).items():
        control = where.sockets / f"{name}.{actor.lives}.ctl"
        if control.exists():
            lines.append(f"control of {name} (pid {actor.pid}): nc -U {control}")
    return "\n".join([*lines, "Ctrl-C ends it all."])


def attach(path: Path, port: VhostPort, ring: Ring = "split") -> list[str]:
    """Arguments for QEMU and for any DPDK program's virtio_user."""
    role: Role = opposite(port.role)
    chardev = "server=on,wait=off" if role == "server" else "reconnect=1"
    queues = port.queues
    multi = f",mq=on,vectors={2 * queues + 2}" if queues > 1 else ""
    server = ",server=1" if role == "server" else ""
    packed = ",packed_vq=1" if ring == "packed" else ""
    return [
        "QEMU:        -object memory-backend-memfd,id=mem,size=256M,share=on -machine memory-backend=mem \\",
        f"             -chardev socket,id=c0,path={path},{chardev} \\",
        f"             -netdev vhost-user,id=n0,chardev=c0,queues={queues} -device virtio-net-pci,netdev=n0{multi}",
        "             (before QEMU 10 without KVM: with vectors=0)",
        "virtio_user: --no-huge -m 256 --no-pci --file-prefix NAME \\",
        f"             --vdev net_virtio_user0,path={path},queues={queues}{server}{packed}",
    ]
