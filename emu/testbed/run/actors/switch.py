"""testbed-switch: started with the configuration in force, followed through its events, sampled while it lives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.check.evidence import SwitchEvidence
from testbed.run.actors.base import World
from testbed.run.actors.program import Program
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcFailure
from testbed.scenario.topology import LinkPort, Switch, VhostPort

if TYPE_CHECKING:
    from testbed.run.steps.change import SwitchChange

READY_DEADLINE_S = 30.0
_EMPTY = {
    "ports": {},
    "bricks": {},
    "totals": {"received": 0, "replicated": 0, "sent": 0, "dropped": 0},
}


def switch_document(switch: Switch, port_path: dict[str, Path], name: str = "switch") -> dict[str, Any]:
    """The configuration of docs/protocol.md; `name` is the switch's, by which others refer to its ports."""
    document: dict[str, Any] = {"workers": switch.workers, "datapath": switch.datapath}
    optional = {
        "memory_mb": switch.memory,
        "mbufs": switch.mbufs,
        "hugepages": switch.hugepages,
        "cpus": switch.cpus,
        "assignment": switch.assignment,
        "rebalance_ms": None if switch.rebalance is None else switch.rebalance // 10**6,
    }
    document |= {key: value for key, value in optional.items() if value is not None}
    document["bricks"] = {name: brick.document() for name, brick in switch.bricks.items()}
    document["ports"] = {
        port: port_document(spec, port_path.get(port), f"{name}.{port}")
        for port, spec in switch.ports.items()
    }
    document["edges"] = [list(edge) for edge in switch.edges]
    return document


def port_document(port: Any, path: Path | None, reference: str) -> dict[str, Any]:
    """`reference`: a.p0, also where there is one switch only."""
    if isinstance(port, LinkPort):
        return port.document(reference) | {"path": str(path)}
    document: dict[str, Any] = port.plain()
    if isinstance(port, VhostPort):
        document["path"] = port.path or str(path)
        if port.deadline is not None:
            document["deadline_ms"] = document.pop("deadline") // 10**6
    return document


def change_document(change: SwitchChange, paths: Mapping[str, Path | None], name: str) -> dict[str, Any]:
    """What SwitchActor.apply merges; `name` is the switch's."""
    ports = {port: port_document(spec, paths[port], f"{name}.{port}") for port, spec in change.ports.items()}
    bricks = {brick: spec.document() for brick, spec in change.bricks.items()}
    return {"ports": ports, "bricks": bricks, **change.plain_parts()}


class SwitchActor(Program):
    """`desired` is the configuration in force; changes of it are applied live and survive a restart."""

    controlled = True  # has a control socket, and counters behind it

    def __init__(
        self,
        name: str,
        program: Path,
        document: dict[str, Any],
        world: World,
        arguments: Sequence[str] = (),
    ) -> None:
        super().__init__(name, world)
        self.desired = document
        self.sessions: set[str] = set()  # ports whose session is up
        self.connected: set[str] = set()  # ports that somebody is connected to, up or not
        self.counters: dict[str, Any] = {}
        self.final = False
        self._program = program
        self._arguments = arguments
        self._recorded = False

    def command(self, control: Path) -> Sequence[str | Path]:
        config = self.world.places.files / f"{self.name}.json"
        config.write_text(json.dumps(self.desired, indent=1) + "\n")
        self.sessions, self.connected, self.counters = set(), set(), {}
        self.final, self._recorded = False, False
        return [
            self._program,
            "--control",
            control,
            "--dir",
            self._directory,
            "--config",
            config,
            *self._arguments,
        ]

    async def bring_up(self) -> None:
        await self.until_event("switch.ready", READY_DEADLINE_S)

    def taken(self, event: dict[str, Any]) -> None:
        match event.get("name"):
            case "session.connected":
                self.connected.add(str(event.get("port")))
            case "session.up":
                self.sessions.add(str(event.get("port")))
            case "session.down" | "port.removed":
                self.sessions.discard(str(event.get("port")))
                self.connected.discard(str(event.get("port")))

    async def sample(self) -> None:
        """The counters now. RpcFailure."""
        counters = await self.call("counters")
        # One that ends answers until it has gone, and its ports go first: what they counted is not to be forgotten.
        if counters["ports"] or not self.counters.get("ports"):
            self.counters = counters

    async def take_final(self) -> None:
        """At a quiet moment, when all flows have stopped."""
        try:
            await self.sample()
            self.final = True
        except RpcFailure:
            return
        self.record_life()

    async def apply(self, change: dict[str, Any], remove: Sequence[str]) -> None:
        """Merged into what is in force. RpcFailure: refused, and nothing was changed."""
        wanted = {**self.desired}
        for section in ("ports", "bricks"):
            kept = {name: spec for name, spec in wanted[section].items() if name not in remove}
            wanted[section] = kept | change.get(section, {})
        wanted["edges"] = change.get("edges", wanted["edges"])
        for port, workers in change.get("workers", {}).items():
            if port in wanted["ports"]:
                wanted["ports"][port] = wanted["ports"][port] | {"workers": workers}
        if "assignment" in change:
            wanted["assignment"] = change["assignment"]
        await self.call("apply", wanted, 10.0)
        self.desired = wanted

    def record_life(self) -> None:
        """Once for each life: what it counted, as far as it is known."""
        if self._recorded:
            return
        self._recorded = True
        start = self._process.spawned_ns if self._process else 0
        counters = self.counters or {"t": start, **_EMPTY}
        self.world.history.switches.append(SwitchEvidence(self.name, self.pid, counters, self.final))

    def _exited(self, process: ManagedProcess) -> None:
        self.sessions.clear()
        self.record_life()
        super()._exited(process)
