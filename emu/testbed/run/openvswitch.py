"""Open vSwitch with DPDK in a directory of its own: no service manager, no root directory, nothing of the system's own OVS.

Where its parts are and how they are called; who starts and ends them is another's affair.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.run.hugepages import why_none

PACKAGE = "openvswitch-switch-dpdk"
DAEMON = Path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
MEMORY_MB = 512
BRIDGE = "br0"
TOOL_S = 40.0


def why_not() -> str:
    """Why OVS cannot run here, with what would mend it; empty when it can."""
    tools = ("ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-ofctl", "ovs-appctl")
    if not DAEMON.is_file() or not all(map(shutil.which, tools)):
        return f"OVS-DPDK is missing; mend it with: apt-get install {PACKAGE}"
    if os.geteuid() != 0:
        return "OVS-DPDK makes a tap for its bridge, in a network of its own, and needs root"
    return why_none(MEMORY_MB)


async def run_tool(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a tool of OVS prints. RuntimeError, TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
    )
    try:
        async with asyncio.timeout(TOOL_S):
            output, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"{command[0]}: {output.decode(errors='replace').strip()}")
    return output.decode(errors="replace")


@dataclass(frozen=True)
class OvsPort:
    """`path`: where the frontend listens, when the port is the client; else it listens in the directory by its name."""

    name: str
    path: Path | None = None
    queues: int = 1


class OpenvSwitch:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        names = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")
        self.environment = dict.fromkeys(names, str(directory))
        self.database = directory / "db.sock"
        self.control = directory / "ctl"

    def socket(self, port: OvsPort) -> Path:
        return port.path or self.directory / port.name

    def make_database(self) -> list[str]:
        return ["ovsdb-tool", "create", str(self.directory / "conf.db"), str(SCHEMA)]

    def serve_database(self) -> list[str]:
        remote = f"--remote=punix:{self.database}"
        return ["ovsdb-server", str(self.directory / "conf.db"), remote, f"--unixctl={self.directory}/dbctl"]

    def daemon(self) -> list[str]:
        """In a network of its own: the taps that it makes for its bridge end with it, however it ends."""
        return ["unshare", "--net", str(DAEMON), f"unix:{self.database}", f"--unixctl={self.control}"]

    def vsctl(self, *words: str, wait: bool = True) -> list[str]:
        return [
            "ovs-vsctl",
            "--timeout=30",
            f"--db=unix:{self.database}",
            *([] if wait else ["--no-wait"]),
            *words,
        ]

    def appctl(self, *words: str) -> list[str]:
        return ["ovs-appctl", "-t", str(self.control), *words]

    def ofctl(self, command: str, *words: str) -> list[str]:
        return ["ovs-ofctl", command, f"unix:{self.directory}/{BRIDGE}.mgmt", *words]

    def settings(self, cpus: Sequence[int]) -> list[str]:
        """Before the daemon starts: what it reads then. `cpus`: one polling thread on each."""
        mask = sum(1 << cpu for cpu in cpus)
        values = {
            "dpdk-init": "true",
            "dpdk-extra": "--no-pci --no-telemetry",
            "dpdk-socket-mem": str(MEMORY_MB),
            "pmd-cpu-mask": f"{mask:#x}",
            "emc-insert-inv-prob": "0",
        }
        words = [f"other_config:{key}={value}" for key, value in values.items()]
        return self.vsctl("set", "Open_vSwitch", ".", *words, wait=False)

    def bridge(self, ports: Sequence[OvsPort]) -> list[str]:
        """For vsctl(): one bridge, its own forwarding table, these ports on it in this order (1, 2, 3...)."""
        words = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"]
        for number, port in enumerate(ports, 1):
            words += ["--", "add-port", BRIDGE, port.name, "--", "set", "Interface", port.name]
            words += [f"ofport_request={number}", f"options:n_rxq={port.queues}"]
            if port.path is None:
                words.append("type=dpdkvhostuser")
            else:
                words += ["type=dpdkvhostuserclient", f"options:vhost-server-path={port.path}"]
        return words

    def join(self, first: int, second: int) -> list[list[str]]:
        """One flow for each of two ports, to the other: nothing is learnt."""
        return [
            self.ofctl("add-flow", f"in_port={here},actions=output:{there}")
            for here, there in ((first, second), (second, first))
        ]
