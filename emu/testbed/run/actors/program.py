"""An actor that is one of the C++ programs: a process with a control socket (docs/protocol.md)."""

from __future__ import annotations

import contextlib
import signal
import time
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.run.actors.base import Actor, ActorError, World
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcClient, RpcClosed, RpcFailure, connect

# From exec to a listening control socket, on a machine that does other things too.
CONTROL_DEADLINE_S = 20.0
_LOOK_AGAIN_S = 0.003
_DYING_S = 0.5


class Program(Actor):
    """Every life has a control socket of its own, so that nobody talks to the one before."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world)
        self._process: ManagedProcess | None = None
        self._client: RpcClient | None = None
        self._log = open(world.places.log(name), "ab", buffering=0)  # noqa: SIM115 (as long as the actor)
        self._directory = world.places.directory(name)
        self._control = Path()
        self.milestones: set[str] = set()  # names of the events that this life has emitted

    @abstractmethod
    def command(self, control: Path) -> Sequence[str | Path]: ...

    @abstractmethod
    async def bring_up(self) -> None:
        """After the control socket answers and events flow: until it is usable. RpcFailure, ActorError."""

    def taken(self, event: dict[str, Any]) -> None:
        """An event of this program, before it goes to the history."""

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def start(self) -> None:
        if self.running:
            raise ActorError(f"{self.name} is running already")
        self.lives += 1
        self.up, self.failure, self.stopped = False, "", False
        self.milestones = set()
        control = self.world.places.sockets / f"{self.name}.{self.lives}.ctl"
        command = self.command(control)
        self._control = control
        process = ManagedProcess(self.name, self._exited)
        process.spawn(command, self._log, self.world.environment)
        self._process = process
        self.world.history.note(self.name, "process.spawned", process.spawned_ns, pid=process.pid)
        self.world.background(self._bring_up(process, control), f"bring up {self.name}")

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self.up = False
            await self._process.ended(10.0)

    async def shutdown(self, within_s: float) -> None:
        process = self._process
        if process is None or not process.running:
            return
        process.expected = True
        deadline = time.monotonic() + within_s
        with contextlib.suppress(RpcFailure):
            await self.call("shutdown", {"graceful": True}, within_s)
        if not await process.ended(max(0.0, deadline - time.monotonic())):
            raise ActorError(f"{self.name} was asked to end and had not {within_s:g} s later")

    async def end(self) -> None:
        process = self._process
        if process is not None and process.running:
            hears = self._client is not None and not self._client.closed
            await process.end(self._ask_to_end if hears else None, 3.0)
        if self._client is not None:
            await self._client.close()
        self._log.close()

    async def _ask_to_end(self) -> None:
        with contextlib.suppress(RpcFailure):
            await self.ask("shutdown", {"graceful": True}, 2.0)

    def stop(self) -> None:
        if self._process is not None:
            self.stopped = True
            self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send(signal.SIGCONT)
            self.stopped = False

    async def ask(self, method: str, params: dict[str, Any] | None, timeout: float) -> Any:
        if self._client is None:
            raise RpcClosed(f"{self.name} {self.state}")
        return await self._client.call(method, params, timeout)

    def last_words(self) -> str:
        """The last line of its log, which says why it could not start."""
        try:
            lines = self.world.places.log(self.name).read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""

    async def _bring_up(self, process: ManagedProcess, control: Path) -> None:
        try:
            if self._client is not None:
                await self._client.close()
            self._client = await self._connect(process, control)
            await self.call("events.subscribe", {"since": 1})
            await self.bring_up()
        except (RpcFailure, ActorError) as error:
            # A connection closes a little before its process is gone, and the process says better why.
            died = await process.ended(_DYING_S)
            if process is self._process and not died and not process.expected:
                self.failure = f"did not come up: {error}"
        else:
            if process is self._process and process.running:
                self.up = True
        self.world.history.changed()

    async def _connect(self, process: ManagedProcess, control: Path) -> RpcClient:
        deadline = time.monotonic() + CONTROL_DEADLINE_S
        while process.running:
            try:
                client = await connect(str(control), name=self.name, on_event=self._on_event)
                client.start()
                return client
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise ActorError(f"no control socket within {CONTROL_DEADLINE_S:g} s") from None
            await process.ended(_LOOK_AGAIN_S)
        raise ActorError(f"ended with {process.status}")

    def _on_event(self, document: dict[str, Any]) -> None:
        self.milestones.add(str(document.get("name", "")))
        self.taken(document)
        self.world.history.take(self.name, document)

    def _exited(self, process: ManagedProcess) -> None:
        self.up = False
        if not process.expected:
            said = self.last_words()
            self.failure = f"ended with {process.status}" + (f": {said}" if said else "")
        if process.status != "exit 0":
            self._control.unlink(missing_ok=True)  # nobody else could
        self.note_exit(process)

    async def until_event(self, name: str, within_s: float) -> None:
        """Until this life has emitted `name`."""
        life = self.lives
        deadline = time.monotonic_ns() + round(within_s * 1e9)

        def seen() -> bool:
            return name in self.milestones or self.lives != life or not self.running

        if not await self.world.history.until(seen, deadline):
            raise ActorError(f"no {name} within {within_s:g} s")
        if name not in self.milestones:
            raise ActorError(f"ended before {name}")
