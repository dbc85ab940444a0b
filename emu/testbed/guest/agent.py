"""The agent's end of the channel: one connection over all boots of a guest.

Each boot is met anew: the first answer to `clock` says that the agent is there, a burst of them how its clock stands to
ours, then its events are subscribed to from the first one on. So every event reaches the history with the host's time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from testbed.check.evidence import Event
from testbed.guest.clock import FlowClock, GuestClock, Reading
from testbed.run.rpc import Document, RpcClient, RpcFailure, RpcTimeout, adopt

CLOCK_READINGS = 24
CLOCK_EVERY_S = 20.0  # drift of a few microseconds a second stays below the error of a reading
# A guest that is still booting (or whose QEMU still waits for its backend) answers when it is there; who is done waiting
# cancels or says that the process died.
PATIENCE_S = 24 * 3600.0


class AgentChannel:
    """`on_event` gets the guest's events, stamped with host time. `on_ready` is called after agent.ready of each boot."""

    def __init__(
        self, name: str, on_event: Callable[[Event], None], on_ready: Callable[[Document], None]
    ) -> None:
        self.name = name
        self.clock = GuestClock()
        self.flow_clock = FlowClock()
        self.followed = asyncio.Event()  # after a move: it answers here, and its flows have the time again
        self._on_event = on_event
        self._on_ready = on_ready
        self._rpc: RpcClient | None = None
        self._meeting: asyncio.Task[None] | None = None

    async def open(self, connected: socket.socket) -> None:
        self._rpc = await adopt(connected, name=self.name, on_event=self._take)
        self._rpc.start()
        self.meet()

    async def resume(self, connected: socket.socket) -> None:
        """The same boot in another process: the agent knows that it is followed. `take_over` begins the talking."""
        self._rpc = await adopt(connected, name=self.name, on_event=self._take)
        self._rpc.start()

    def take_over(self, before: AgentChannel) -> None:
        """The guest runs here now. What was asked of it there will not be answered."""
        self.clock, self.flow_clock = before.clock, before.flow_clock
        if before._meeting is not None:
            before._meeting.cancel()
        if before._rpc is not None:
            before._rpc.abandon("the guest has moved")
        if self._rpc is not None:
            self._meeting = asyncio.create_task(self._follow(self._rpc), name=f"follow {self.name}")

    def meet(self) -> None:
        """A boot begins: whatever was asked of the one before will not be answered."""
        if self._meeting is not None:
            self._meeting.cancel()
        if self._rpc is not None:
            self._rpc.abandon("the guest was reset")
            self._meeting = asyncio.create_task(self._meet(self._rpc), name=f"meet {self.name}")

    async def call(self, method: str, params: Document | None = None, timeout: float = 5.0) -> Any:
        assert self._rpc is not None, "open() comes first"
        return await self._rpc.call(method, params, timeout)

    async def read_clock(self, count: int = CLOCK_READINGS, timeout: float = 5.0) -> Reading:
        """The best of `count` readings. Events are placed by it, and the agent's flows follow."""
        assert self._rpc is not None, "open() comes first"
        clock, flow_clock = self.clock, self.flow_clock
        best = clock.add([await _reading(self._rpc, timeout) for _ in range(count)])
        offset = flow_clock.follow(best)
        if offset is not None:
            await self._rpc.call("clock", {"offset_ns": offset}, timeout)
        return best

    async def close(self) -> None:
        if self._meeting is not None:
            self._meeting.cancel()
            await asyncio.gather(self._meeting, return_exceptions=True)
        if self._rpc is not None:
            await self._rpc.close()

    async def _meet(self, rpc: RpcClient) -> None:
        try:
            await rpc.call("clock", timeout=PATIENCE_S)
            self.clock, self.flow_clock = GuestClock(), FlowClock()
            await self.read_clock(timeout=PATIENCE_S)
            await rpc.call("events.subscribe", {"since": 1}, timeout=PATIENCE_S)
            await self._keep_time()
        except RpcFailure:
            return  # reset again, or gone: whoever watches the process tells

    async def _follow(self, rpc: RpcClient) -> None:
        """The network has to learn where it is. And its clock stood still on the way: its flows get the time at once, and
        then as well as it can be had."""
        with contextlib.suppress(RpcFailure):
            await rpc.call("flow.announce", timeout=PATIENCE_S)
            self.clock = GuestClock()
            await self.read_clock(count=1, timeout=PATIENCE_S)
            self.followed.set()
            await self.read_clock(timeout=PATIENCE_S)
            await self._keep_time()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_EVERY_S)
            with contextlib.suppress(RpcTimeout):  # it may be stopped on purpose
                await self.read_clock(count=CLOCK_READINGS // 3)

    def _take(self, document: Document) -> None:
        if not self.clock.known:
            return  # the end of an earlier boot's last words
        fields = {key: value for key, value in document.items() if key not in ("seq", "t", "name")}
        name = str(document.get("name", ""))
        self._on_event(Event(self.clock.to_host(int(document["t"])), self.name, name, fields))
        if name == "agent.ready":
            self._on_ready(fields)


async def _reading(rpc: RpcClient, timeout: float) -> Reading:
    before = time.monotonic_ns()
    answer = await rpc.call("clock", timeout=timeout)
    return Reading(before, int(answer["t"]), time.monotonic_ns())
