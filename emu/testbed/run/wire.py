"""Faults on sockets, from the moment they are armed: which of them happened, and when what they broke works again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from testbed.check.evidence import Event
from testbed.run.actors.proxy import ProxyActor
from testbed.run.faults import OpenFault, Works
from testbed.run.history import RUNNER
from testbed.run.rpc import RpcFailure
from testbed.run.steps.context import StepFailed

if TYPE_CHECKING:
    from testbed.run.cell import Cell

_LASTING = ("hold", "delay", "slow")
# After a message was lost, doubled or changed, the session may end or not: what shows only later belongs to it, too.
_AFTERMATH_NS = 100 * 10**6


class Wire:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._open: dict[tuple[str, int], OpenFault] = {}  # lasting ones, by leg and number
        cell.history.on_event.append(self._follow)

    @property
    def _proxy(self) -> ProxyActor:
        proxy = self._cell.cast.proxy
        assert proxy is not None, "a file with a fault on a socket has one"
        return proxy

    async def arm(self, port: str, kind: str, fault: dict[str, Any]) -> None:
        await self._cell.before_fault()
        try:
            number = await self._proxy.arm(port, kind, **fault)
        except RpcFailure as error:
            raise StepFailed(f"{kind}: {error}") from None
        self._cell.history.note(RUNNER, "fault.armed", port=port, kind=kind, fault=number)

    async def heal(self, port: str) -> None:
        try:
            await self._proxy.heal(port)
        except RpcFailure as error:
            raise StepFailed(f"heal: {error}") from None
        self._cell.history.note(RUNNER, "fault.disarmed", port=port)

    def _follow(self, event: Event) -> None:
        if event.name not in ("proxy.fault", "proxy.healed", "proxy.down"):
            return
        port = str(event.fields["leg"])
        match event.name:
            case "proxy.fault":
                self._begun(port, str(event.fields["kind"]), int(event.fields["fault"]))
            case "proxy.healed":
                self._over((port, int(event.fields["fault"])))
            case "proxy.down":
                for key in [key for key in self._open if key[0] == port]:
                    self._over(key)

    def _begun(self, port: str, kind: str, number: int) -> None:
        faults = self._cell.faults
        switch, name = self._cell.scenario.split_port(port)
        if kind in _LASTING:
            self._open[port, number] = faults.begin(kind, (), (name,), self._cell.recovery.of_session(port))
            return
        works = self._new_session(switch, name, port) if kind == "cut" else self._settled(port)
        faults.heal(faults.begin(kind, (), (name,), works))

    def _new_session(self, switch: str, name: str, port: str) -> Works:
        """The session that was cut may look alive for a moment: another one has to come."""
        history = self._cell.history
        first, works = len(history.events), self._cell.recovery.of_session(port)

        def renewed(healed: int) -> bool:
            came = (event for event in history.since(first) if event.name == "session.up")
            return any(e.actor == switch and e.fields.get("port") == name for e in came) and works(healed)

        return renewed

    def _settled(self, port: str) -> Works:
        works = self._cell.recovery.of_session(port)

        def settled(healed: int) -> bool:
            since = healed + _AFTERMATH_NS
            return time.monotonic_ns() > since and works(since)

        return settled

    def _over(self, key: tuple[str, int]) -> None:
        if fault := self._open.pop(key, None):
            self._cell.faults.heal(fault)
