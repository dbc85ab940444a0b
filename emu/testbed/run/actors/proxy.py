"""testbed-proxy: sits on vhost-user sockets of a scenario, between a frontend and a port (docs/protocol.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.run.actors.base import ActorError, World
from testbed.run.actors.program import Program
from testbed.run.process import ManagedProcess
from testbed.scenario.topology import Role

READY_DEADLINE_S = 10.0


@dataclass(frozen=True)
class ProxySide:
    """`role` is the proxy's own: a server listens at `path`, a client connects there."""

    path: Path
    role: Role

    def document(self) -> dict[str, Any]:
        return {"path": str(self.path), "role": self.role}


@dataclass(frozen=True)
class ProxyLeg:
    """The frontend is at the front, the backend at the back."""

    front: ProxySide
    back: ProxySide

    def document(self) -> dict[str, Any]:
        return {"front": self.front.document(), "back": self.back.document()}


def leg_between(front: Path, back: Path, frontend_role: Role) -> ProxyLeg:
    """For a frontend of that role at `front` and a backend of the other role at `back`."""
    if frontend_role == "client":
        return ProxyLeg(ProxySide(front, "server"), ProxySide(back, "client"))
    return ProxyLeg(ProxySide(front, "client"), ProxySide(back, "server"))


class ProxyActor(Program):
    """Its legs are there again when it is restarted; faults are armed for one life."""

    def __init__(self, name: str, program: Path, legs: Mapping[str, ProxyLeg], world: World) -> None:
        super().__init__(name, world)
        self.legs = dict(legs)
        self.sessions: dict[str, int] = {}  # legs whose two peers are connected: the session's number
        self._fired: set[tuple[str, int]] = set()
        self._program = program

    def command(self, control: Path) -> Sequence[str | Path]:
        config = self.world.places.files / f"{self.name}.json"
        legs = {name: leg.document() for name, leg in self.legs.items()}
        config.write_text(json.dumps({"legs": legs}, indent=1) + "\n")
        self.sessions, self._fired = {}, set()
        return [self._program, "--control", control, "--dir", self._directory, "--config", config]

    async def bring_up(self) -> None:
        await self.until_event("proxy.ready", READY_DEADLINE_S)

    def taken(self, event: dict[str, Any]) -> None:
        leg = str(event.get("leg"))
        match event.get("name"):
            case "proxy.up":
                self.sessions[leg] = int(event["session"])
            case "proxy.down" | "proxy.removed":
                self.sessions.pop(leg, None)
            case "proxy.fault":
                self._fired.add((leg, int(event["fault"])))

    async def arm(self, leg: str, kind: str, **fault: Any) -> int:
        """The fault's number on that leg. RpcFailure: refused, with what is wrong."""
        reply = await self.call("proxy.arm", {"leg": leg, "kind": kind, **fault})
        return int(reply["fault"])

    async def heal(self, leg: str | None = None, fault: int | None = None) -> None:
        """One fault, those of a leg, or all. RpcFailure."""
        given = {"leg": leg, "fault": fault}
        await self.call("proxy.heal", {key: value for key, value in given.items() if value is not None})

    async def timeline(self, leg: str) -> list[dict[str, Any]]:
        """The messages of the last two sessions, oldest first. RpcFailure."""
        messages: list[dict[str, Any]] = (await self.call("timeline", {"leg": leg}))["messages"]
        return messages

    async def never_fired(self) -> list[tuple[str, dict[str, Any]]]:
        """Leg and specification of each fault that was armed and did nothing. RpcFailure."""
        legs = (await self.call("proxy.status"))["legs"]
        return [
            (leg, fault["given"])
            for leg, status in legs.items()
            for fault in status["faults"]
            if not fault["fired"]
        ]

    async def until_fired(self, leg: str, fault: int, within_s: float) -> None:
        """ActorError when it has not by then."""
        await self._until(
            lambda: (leg, fault) in self._fired, f"fault {fault} on {leg} did not fire", within_s
        )

    async def until_up(self, leg: str, within_s: float, after_session: int = 0) -> None:
        """Until both peers are connected in a later session than that. ActorError."""
        what = f"no session on {leg}"
        await self._until(lambda: self.sessions.get(leg, 0) > after_session, what, within_s)

    async def _until(self, so: Callable[[], bool], otherwise: str, within_s: float) -> None:
        deadline = time.monotonic_ns() + round(within_s * 1e9)
        await self.world.history.until(lambda: so() or not self.running, deadline)
        if not so():
            raise ActorError(f"{self.name}: {otherwise} within {within_s:g} s")

    def _exited(self, process: ManagedProcess) -> None:
        self.sessions.clear()
        super()._exited(process)
