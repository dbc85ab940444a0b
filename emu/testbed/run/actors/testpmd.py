"""dpdk-testpmd in the place of the switch: the stock vhost library, forwarding from each port to the next and back.

It has no control socket and tells nothing. What is known of its sessions is what the frontends at the other ends say.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.check.evidence import Event, ResourceSample
from testbed.run.actors.base import ActorError, World
from testbed.run.actors.switch import SwitchActor
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcError
from testbed.scenario.topology import Switch, VhostPort

READY_DEADLINE_S = 30.0
_MEMORY_MB = 256
_LOOK_AGAIN_S = 0.01


class TestpmdActor(SwitchActor):
    """`ends`: the port of each frontend that sits at this switch."""

    __test__ = False  # pytest takes it for a test by its name
    controlled = False

    def __init__(
        self,
        name: str,
        program: Path,
        spec: Switch,
        sockets: Mapping[str, Path],
        ends: Mapping[str, str],
        world: World,
    ) -> None:
        super().__init__(name, program, {}, world)
        self._spec = spec
        self._sockets = sockets
        self._ends = ends
        world.history.on_event.append(self._follow)

    def command(self, control: Path) -> Sequence[str | Path]:
        self.sessions, self.connected = set(), set()
        devices, queues = [], 1
        for number, (port, spec) in enumerate(self._spec.ports.items()):
            assert isinstance(spec, VhostPort), "backends.py says that others are not supported"
            client = spec.role == "client"
            if not client:
                self._sockets[port].unlink(missing_ok=True)  # the library takes no socket that is there
            queues = max(queues, spec.queues)
            devices += [
                "--vdev",
                f"net_vhost{number},iface={self._sockets[port]},queues={spec.queues},client={client:d}",
            ]
        eal = ["--no-huge", "-m", str(_MEMORY_MB), "--no-pci", "--no-telemetry"]
        eal += ["--lcores", _lcores(), f"--file-prefix={self.name}", *devices]
        application = ["--auto-start", "--forward-mode=io", "--nb-cores=1", "--total-num-mbufs=16384"]
        # Without a terminal it ends when it has read its input, unless it shows statistics now and then.
        application += [f"--rxq={queues}", f"--txq={queues}", "--stats-period=3600"]
        runtime = f"RUNTIME_DIRECTORY={self._directory}"
        return ["env", runtime, self._program, *eal, "--", *application]

    async def _bring_up(self, process: ManagedProcess, control: Path) -> None:
        """Its sockets are all there is to see."""
        deadline = time.monotonic() + READY_DEADLINE_S
        listening = [
            self._sockets[port]
            for port, spec in self._spec.ports.items()
            if isinstance(spec, VhostPort) and spec.role == "server"
        ]
        while process.running and not all(path.exists() for path in listening):
            if time.monotonic() > deadline:
                self.failure = f"did not listen within {READY_DEADLINE_S:g} s"
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        self.up = process is self._process and process.running and not self.failure
        self.world.history.changed()

    def _follow(self, event: Event) -> None:
        port = self._ends.get(event.actor)
        if port is None:
            return
        match event.name:
            case "driver.up":
                self.sessions.add(port)
            case "driver.connected":
                self.connected.add(port)
            case "frontend.link" | "guest.link" if event.fields.get("up"):
                self.sessions.add(port)
            case "driver.down" | "frontend.link" | "guest.link" | "process.exited":
                self.sessions.discard(port)
                self.connected.discard(port)

    async def ask(self, method: str, params: dict[str, Any] | None, timeout: float) -> Any:
        raise RpcError(-32601, f"dpdk-testpmd has no `{method}`", {"code": "not_supported"})

    async def shutdown(self, within_s: float) -> None:
        process = self._process
        if process is None or not process.running:
            return
        await process.end(None, within_s)
        if process.status == "SIGKILL":
            raise ActorError(f"{self.name} was asked to end and had not {within_s:g} s later")

    async def end(self) -> None:
        await super().end()
        shutil.rmtree(self._directory, ignore_errors=True)  # what EAL leaves in its runtime directory

    async def sample(self) -> None:
        """It counts for itself only."""

    async def take_final(self) -> None: ...

    def record_life(self) -> None: ...

    async def sample_resources(self, label: str) -> None:
        try:
            document = _resources(Path("/proc") / str(self.pid))
        except OSError:
            return  # it is gone: the checker says that there is no sample
        self.world.history.resources.append(ResourceSample(self.name, self.pid, label, document))


def _lcores() -> str:
    """Two threads of it, on any of the processors we may use: a busy one is no reason to wait for it."""
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    return f"0@({cpus}),1@({cpus})"


def _resources(process: Path) -> dict[str, int]:
    """As `resources` of docs/protocol.md. OSError."""
    return {
        "fds": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
        "mappings": (process / "maps").read_bytes().count(b"\n"),
    }
