"""OVS-DPDK, exact match cache off: one flow for each port (looks at the port only), or NORMAL, its learning switch."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from testbed.bench.child import child
from testbed.bench.model import Work
from testbed.bench.subjects.base import SUBJECT_CPU, NotSupported, Subject, Worker
from testbed.run.binaries import Lacking
from testbed.run.hugepages import hugepages
from testbed.run.openvswitch import MEMORY_MB, OpenvSwitch, OvsPort, run_tool, why_not

# `pmd-stats-show` of one polling thread. Processing cycles are those of rounds that moved packets.
STATISTICS = re.compile(
    r"^pmd thread.*?packets received: (\d+).*?processing cycles: (\d+)", re.DOTALL | re.MULTILINE
)


class OvsWorker(Worker):
    def __init__(self, pid: int, ovs: OpenvSwitch) -> None:
        self.pid = pid
        self._ovs = ovs

    async def work(self) -> Work:
        shown = await run_tool(self._ovs.appctl("dpif-netdev/pmd-stats-show"), self._ovs.environment)
        found = STATISTICS.search(shown)
        return Work(packets=int(found[1]), cycles=int(found[2])) if found else Work(0, 0)


class Ovs(Subject):
    def __init__(self, how: str) -> None:
        self.name = f"ovs-{how}"
        what = "one flow for each port, looks at nothing else" if how == "flow" else "NORMAL: learning L2"
        self.about = f"OVS-DPDK, {what}, no exact match cache, its own memory in hugepages"
        self._how = how

    @asynccontextmanager
    async def start(self, directory: Path, sockets: list[Path]) -> AsyncIterator[Worker]:
        if why := why_not():
            raise NotSupported(why)
        try:
            with hugepages(MEMORY_MB):
                ovs = OpenvSwitch(directory / "ovs")
                ovs.directory.mkdir()
                await run_tool(ovs.make_database(), ovs.environment)
                async with child(
                    "ovsdb", ovs.serve_database(), directory, environment=ovs.environment
                ) as database:
                    await database.until("its socket", ovs.database.exists)
                    await run_tool(ovs.vsctl("init", wait=False), ovs.environment)
                    await run_tool(ovs.settings([SUBJECT_CPU]), ovs.environment)
                    async with child(
                        "vswitchd", ovs.daemon(), directory, environment=ovs.environment
                    ) as daemon:
                        await self._configure(ovs, sockets)
                        yield OvsWorker(daemon.pid, ovs)
        except Lacking as lacking:
            raise NotSupported(str(lacking)) from None

    async def _configure(self, ovs: OpenvSwitch, sockets: list[Path]) -> None:
        ports = [OvsPort(path.name) for path in sockets]
        await run_tool(ovs.vsctl(*ovs.bridge(ports)), ovs.environment)
        if self._how == "flow":
            for command in (ovs.ofctl("del-flows"), *ovs.join(1, 2)):
                await run_tool(command, ovs.environment)
        for port, path in zip(ports, sockets, strict=True):
            path.symlink_to(ovs.socket(port))
