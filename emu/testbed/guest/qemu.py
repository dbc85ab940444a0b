"""A guest: one QEMU process, its monitor, its console and the agent inside, as an asynchronous context manager.

    async with Guest(options, image, directory, on_event=history.add) as guest:
        await guest.ready(deadline_s=20)
        result = await guest.exec("ip link")

Everything that happens to it is an event (docs/protocol.md, "Guests"): guest.started, agent.ready, guest.panicked,
guest.reset, guest.rebooted, guest.died. QEMU waits for its backend before it does anything else, its monitor included; so
starting a guest does not wait for any of them, `ready` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testbed.check.evidence import Event
from testbed.guest import accel
from testbed.guest.agent import AgentChannel
from testbed.guest.clock import FlowClock, Reading
from testbed.guest.command import Accelerator, GuestOptions, Host, QemuMissing, command, qemu_version
from testbed.guest.console import last_words, tail
from testbed.guest.image import Image
from testbed.guest.ladder import Rung, descend, first_of
from testbed.guest.monitor import Monitor, MonitorError
from testbed.guest.spawn import spawn, status_name
from testbed.run.rpc import Document, RpcClosed

RESETS_OF_ONE_S = 0.5


class GuestError(Exception):
    """The guest is not in the state that was asked for. The message ends with what QEMU and the console said last."""


class Guest:
    """`on_reboot` is called when the agent is ready again after a reset: flows must be given to it anew. `accelerator`
    None asks the probe. Files (console, QEMU's own output) go to `directory`. `environment` is QEMU's (None: ours)."""

    def __init__(
        self,
        options: GuestOptions,
        image: Image,
        directory: Path,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        on_reboot: Callable[[], None] = lambda: None,
        accelerator: Accelerator | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.options = options
        self.image = image
        self.console = directory / f"{options.name}.console"
        self.output = directory / f"{options.name}.qemu"
        self.boots = 0
        self.command: list[str] = []
        self.status: str | None = None  # "exit 0", "SIGKILL"... once it ended
        self.expected_to_end = False
        self._accelerator = accelerator
        self._environment = environment
        self._on_event = on_event
        self._on_reboot = on_reboot
        self._process: asyncio.subprocess.Process | None = None
        self._monitor = Monitor(options.name, self._monitor_said)
        self._agent = AgentChannel(options.name, on_event, self._agent_ready)
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._last_reset = 0.0
        self._watcher: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.options.name

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and not self._gone.is_set()

    @property
    def clock(self) -> FlowClock:
        """Of the stamps in this boot's flow reports. Those of events are in host time already."""
        return self._agent.flow_clock

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Returns when QEMU was executed. GuestError when it could not be."""
        accelerator = (
            self._accelerator or (await asyncio.to_thread(accel.probe, self.image.kernel)).accelerator
        )
        try:
            version = await asyncio.to_thread(qemu_version)
        except QemuMissing as error:
            raise GuestError(f"{self.name}: {error}") from None
        monitor, monitor_theirs = socket.socketpair()
        agent, agent_theirs = socket.socketpair()
        with monitor_theirs, agent_theirs:
            fds = (monitor_theirs.fileno(), agent_theirs.fileno())
            host = Host(
                version, accelerator, self.image.kernel.image, self.image.initramfs, self.console, *fds
            )
            self.command = command(self.options, host)
            try:
                self._process = await spawn(self.command, self.output, fds, self._environment)
            except OSError as error:
                monitor.close()
                agent.close()
                raise GuestError(f"{self.name}: {error}") from None
        self._tell("guest.started", pid=self.pid, accelerator=accelerator, qemu=str(version))
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")
        self._monitor.follow(monitor)
        elsewhere = "-incoming" in self.options.extra  # its guest runs in another process
        await (self._agent.resume(agent) if elsewhere else self._agent.open(agent))

    @property
    def heard(self) -> bool:
        """Its monitor is there: it has met its backend."""
        return self._monitor.connected

    async def take_over(self, before: Guest, deadline_s: float) -> None:
        """The guest that ran there runs here now. Until its agent has answered; GuestError."""
        self.boots = before.boots
        self._agent.take_over(before._agent)
        before.expected_to_end = True
        self._ready.set()
        await self._until(self._agent.followed, deadline_s, "did not answer after it had moved")

    async def ready(self, deadline_s: float) -> None:
        """Until the agent of the current boot answers. GuestError with the last words when it dies or takes too long."""
        await self._until(self._ready, deadline_s, "was not ready")

    async def died(self, deadline_s: float) -> str:
        """Until the process has ended; how it did."""
        await first_of([self._gone], deadline_s)
        if not self._gone.is_set():
            raise GuestError(f"{self.name}: still running after {deadline_s:g} s")
        return self.status or ""

    async def call(self, method: str, params: Document | None = None, timeout: float = 5.0) -> Any:
        """A method of the agent. RpcError, RpcTimeout, RpcClosed (the guest died or was reset meanwhile)."""
        return await self._agent.call(method, params, timeout)

    async def exec(self, run: str, timeout: float = 30.0) -> Document:
        """{"status", "stdout", "stderr"} of a shell command in the guest."""
        params = {"command": run, "timeout_ms": round(timeout * 1000)}
        return dict(await self.call("exec", params, timeout + 5))

    async def reload(self, timeout: float = 20.0) -> None:
        """Removes and inserts the network driver; flows go on over the new interface."""
        await self.call("reload", timeout=timeout)

    async def reboot(self) -> None:
        """The guest's own reboot. Returns when it began; `ready` waits for its end."""
        self._ready.clear()
        with contextlib.suppress(RpcClosed):
            await self.call("reboot", timeout=10)

    async def reset(self) -> None:
        """The reset button. `ready` waits for the boot that follows. A guest that was paused by its panic runs again."""
        self._ready.clear()
        await self.qmp("system_reset")
        status = await self.qmp("query-status")
        if status["status"] != "running":
            await self.qmp("cont")

    async def read_clock(self) -> Reading:
        """Looks at the clock now (it is done every CLOCK_EVERY_S anyway). RpcFailure."""
        return await self._agent.read_clock()

    async def qmp(self, execute: str, arguments: Document | None = None, timeout: float = 5.0) -> Any:
        """Any command of QEMU's monitor. GuestError."""
        try:
            return await self._monitor.execute(execute, arguments, timeout)
        except MonitorError as error:
            raise GuestError(str(error)) from None

    def stop(self) -> None:
        """SIGSTOP: every thread of it stands still, nobody inside notices."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self.expected_to_end = True
        self._signal(signal.SIGKILL)

    async def shutdown(self, graceful_s: float = 3.0) -> str:
        """Down the ladder; returns the rung that was enough. Without grace the agent is not asked."""
        self.expected_to_end = True
        self.cont()
        rungs = [Rung("SIGKILL", self._sender(signal.SIGKILL), 10.0)]
        if self._monitor.connected:  # else QEMU still waits for its backend, and hears nothing but SIGKILL
            rungs = [
                Rung("quit", self._ask_quit, 2.0),
                Rung("SIGTERM", self._sender(signal.SIGTERM), 2.0),
                *rungs,
            ]
        if self._ready.is_set() and graceful_s > 0:
            rungs = [Rung("agent", self._ask_agent, graceful_s), *rungs]
        return await descend(self._gone, rungs)

    async def close(self) -> None:
        """Whatever state it is in, afterwards nothing of it is left. Idempotent."""
        if self.running:
            await self.shutdown(graceful_s=0)
        if self._watcher is not None:
            await self._watcher
        await self._agent.close()
        await self._monitor.close()

    def last_words(self) -> str:
        """How it ended (or not), the command line, and the last lines of QEMU's output and of the console."""
        return last_words(self.status, self.command, {"qemu": self.output, "console": self.console})

    async def _until(self, wanted: asyncio.Event, deadline_s: float, lament: str) -> None:
        await first_of((wanted, self._gone), deadline_s)
        if self._gone.is_set():
            raise GuestError(f"{self.name}: ended ({self.status})\n{self.last_words()}")
        if not wanted.is_set():
            raise GuestError(f"{self.name}: {lament} within {deadline_s:g} s\n{self.last_words()}")

    async def _watch(self) -> None:
        assert self._process is not None
        code = await self._process.wait()
        self.status = status_name(code)
        self._gone.set()
        self._ready.clear()
        tails = {"console_tail": tail(self.console), "stderr_tail": tail(self.output)}
        self._tell("guest.died", status=self.status, expected=self.expected_to_end, **tails)

    def _monitor_said(self, event: str, data: Document) -> None:
        by_guest, reason = bool(data.get("guest")), str(data.get("reason", ""))
        match event:
            case "RESET":
                self._was_reset(by_guest, reason)
            case "GUEST_PANICKED" | "GUEST_CRASHLOADED":
                self._ready.clear()
                self._tell("guest.panicked", console_tail=tail(self.console))
            case "SHUTDOWN":
                self._tell("guest.shutdown", by_guest=by_guest, reason=reason)

    def _was_reset(self, by_guest: bool, reason: str) -> None:
        """One reset is several to QEMU: the firmware resets the machine again until its own memory is pristine."""
        now = time.monotonic()
        if not by_guest or now - self._last_reset > RESETS_OF_ONE_S:
            self._tell("guest.reset", by_guest=by_guest, reason=reason)
        self._last_reset = now
        self._ready.clear()
        self._agent.meet()

    def _agent_ready(self, fields: Document) -> None:
        self.boots += 1
        self._ready.set()
        if self.boots > 1:
            self._tell("guest.rebooted", boots=self.boots)
            self._on_reboot()

    def _tell(self, name: str, **fields: Any) -> None:
        self._on_event(Event(time.monotonic_ns(), self.name, name, fields))

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _sender(self, number: signal.Signals) -> Callable[[], Awaitable[bool]]:
        async def send() -> bool:
            self._signal(number)
            return True

        return send

    async def _ask_agent(self) -> bool:
        with contextlib.suppress(RpcClosed):  # it ended before it could say that it would
            await self.call("shutdown", timeout=2)
        return True

    async def _ask_quit(self) -> bool:
        await self.qmp("quit", timeout=2)
        return True
