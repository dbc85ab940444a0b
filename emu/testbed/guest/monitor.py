"""QEMU's monitor: commands with a deadline, and the few events that say what happened to the machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from qemu.qmp import EventListener, QMPClient, QMPError, Runstate

from testbed.run.rpc import Document

EVENTS = ("SHUTDOWN", "RESET", "GUEST_PANICKED", "GUEST_CRASHLOADED")


class MonitorError(Exception):
    """A command was refused, or QEMU did not answer. One line."""


class Monitor:
    """`on_event` gets an event's name and data. QEMU greets only when its backend has connected, so `follow` runs in the
    background for as long as the guest does."""

    def __init__(self, name: str, on_event: Callable[[str, Document], None]) -> None:
        self._name = name
        self._on_event = on_event
        self._client = QMPClient(name)
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._client.runstate == Runstate.RUNNING

    def follow(self, connected: socket.socket) -> None:
        self._task = asyncio.create_task(self._follow(connected), name=f"monitor {self._name}")

    async def execute(self, command: str, arguments: Document | None = None, timeout: float = 5.0) -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await self._client.execute(command, arguments)
        except TimeoutError:
            raise MonitorError(f"{self._name}: QEMU did not answer {command} within {timeout:g} s") from None
        except QMPError as error:
            raise MonitorError(f"{self._name}: {command}: {error}") from None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(QMPError, EOFError, OSError):
            await self._client.disconnect()

    async def _follow(self, connected: socket.socket) -> None:
        listener = EventListener(names=EVENTS)
        self._client.register_listener(listener)
        try:
            await self._client.connect(connected)
        except QMPError:
            return  # it died before: whoever watches the process tells
        async for message in listener:
            data: Any = message.get("data", {})
            self._on_event(str(message["event"]), data)
