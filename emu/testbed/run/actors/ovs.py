"""OVS-DPDK in the place of the switch: a bridge that learns, on the stock vhost library. Its database survives a kill of the
daemon, as it does on a host, so that a new daemon finds its ports there."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.run.actors.base import ActorError, World
from testbed.run.actors.testpmd import READY_DEADLINE_S, TestpmdActor
from testbed.run.binaries import Lacking
from testbed.run.hugepages import hugepages
from testbed.run.openvswitch import MEMORY_MB, OpenvSwitch, OvsPort, run_tool
from testbed.run.process import ManagedProcess
from testbed.scenario.topology import Switch, VhostPort

_LOOK_AGAIN_S = 0.01


class OvsActor(TestpmdActor):
    def __init__(
        self, name: str, spec: Switch, sockets: Mapping[str, Path], ends: Mapping[str, str], world: World
    ) -> None:
        super().__init__(name, Path(), spec, sockets, ends, world)
        self._ovs = OpenvSwitch(self._directory)
        self._environment = {**world.environment, **self._ovs.environment}
        self._database: ManagedProcess | None = None
        self._held = contextlib.ExitStack()  # hugepages, as long as the actor
        self._configured = False

    async def start(self) -> None:
        if self._database is None:
            try:
                self._held.enter_context(hugepages(MEMORY_MB))
                await self._serve_database()
            except (Lacking, RuntimeError, TimeoutError) as error:
                raise ActorError(f"{self.name}: {error}") from None
        await super().start()

    async def _serve_database(self) -> None:
        await run_tool(self._ovs.make_database(), self._environment)
        database = ManagedProcess(f"{self.name}-database")
        database.spawn(self._ovs.serve_database(), self._log, self._environment)
        self._database = database
        await self._until(database, self._ovs.database.exists, "database")
        await run_tool(self._ovs.vsctl("init", wait=False), self._environment)
        await run_tool(self._ovs.settings([min(os.sched_getaffinity(0))]), self._environment)

    async def _until(self, process: ManagedProcess, there: object, what: str) -> None:
        assert callable(there)
        async with asyncio.timeout(READY_DEADLINE_S):
            while not there():
                if not process.running:
                    raise RuntimeError(f"its {what} ended at once")
                await asyncio.sleep(_LOOK_AGAIN_S)  # its socket is the event

    def command(self, control: Path) -> Sequence[str | Path]:
        self.sessions, self.connected = set(), set()
        for port in self._ports():
            if port.path is None:
                self._ovs.socket(port).unlink(missing_ok=True)  # the library takes no socket that is there
        settings = [f"{key}={value}" for key, value in self._ovs.environment.items()]
        return ["env", *settings, *self._ovs.daemon()]

    def _ports(self) -> list[OvsPort]:
        found = []
        for name, spec in self._spec.ports.items():
            assert isinstance(spec, VhostPort), "backends.py says that others are not supported"
            found.append(OvsPort(name, self._sockets[name] if spec.role == "client" else None, spec.queues))
        return found

    async def _bring_up(self, process: ManagedProcess, control: Path) -> None:
        ports = self._ports()
        try:
            await self._until(process, self._ovs.control.exists, "daemon")
            if not self._configured:
                await run_tool(self._ovs.vsctl(*self._ovs.bridge(ports)), self._environment)
                self._configured = True
            for port in ports:
                if port.path is None:
                    await self._until(process, self._ovs.socket(port).exists, "daemon")
                    self._link(self._sockets[port.name], self._ovs.socket(port))
        except (RuntimeError, TimeoutError) as error:
            self.failure = f"did not come up: {error}"
        self.up = process is self._process and process.running and not self.failure
        self.world.history.changed()

    @staticmethod
    def _link(path: Path, target: Path) -> None:
        """OVS has its sockets in its own directory, by the port's name; frontends look elsewhere."""
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    async def end(self) -> None:
        if self._process is not None and self._process.running:
            await self._process.end(None, 3.0)
        if self._database is not None and self._database.running:
            await self._database.end(None, 3.0)
        await super().end()
        self._held.close()
