"""An actor: a process of the scenario that can be started, killed, stopped and asked, again and again."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from testbed.check.evidence import Call, ProcessExit, ResourceSample
from testbed.run.history import History
from testbed.run.places import Places
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcClosed, RpcFailure, RpcTimeout

CALL_DEADLINE_S = 5.0


class ActorError(Exception):
    """An actor is not in the state that was asked for. One line."""


@dataclass
class World:
    """What all actors of a cell share."""

    history: History
    places: Places
    tasks: asyncio.TaskGroup
    marker: str  # in the environment of every process of this run: leftovers are found by it
    in_fault: Callable[[], bool] = lambda: False
    environment: dict[str, str] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    on_crash: Callable[[str], None] = lambda what: None  # a background task of the runner failed

    def __post_init__(self) -> None:
        self.environment = {**os.environ, "LC_ALL": "C", "TESTBED_RUN": self.marker}

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self.tasks.create_task(self._guarded(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def end_background(self) -> None:
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 (whatever it is, the cell ends in order and says so)
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.on_crash(f"{name}: {type(error).__name__}: {error} ({where.name}, line {where.lineno})")


class Actor(ABC):
    """`up` means: usable by others. `failure` says why it will not come up in this life. `lives` counts starts."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.up = False
        self.failure = ""
        self.lives = 0
        self.stopped = False

    @property
    @abstractmethod
    def pid(self) -> int: ...

    @property
    @abstractmethod
    def running(self) -> bool: ...

    @abstractmethod
    async def start(self) -> None:
        """Returns when the process is spawned; bringing it up goes on in the background."""

    @abstractmethod
    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""

    @abstractmethod
    async def shutdown(self, within_s: float) -> None:
        """Asks for an orderly end. ActorError when the process is still there after `within_s`."""

    @abstractmethod
    async def end(self) -> None:
        """Down the ladder, whatever state it is in. Never fails."""

    @abstractmethod
    def stop(self) -> None:
        """SIGSTOP"""

    @abstractmethod
    def resume(self) -> None:
        """SIGCONT"""

    @abstractmethod
    async def ask(self, method: str, params: dict[str, Any] | None, timeout: float) -> Any:
        """One call, not recorded. RpcFailure."""

    @property
    def answers(self) -> bool:
        return self.up and self.running and not self.stopped

    @property
    def state(self) -> str:
        """For a person who waits for it."""
        if self.failure:
            return self.failure
        if self.stopped:
            return "is stopped"
        if self.up:
            return "is up"
        return "is coming up" if self.running else "is not running"

    async def call(
        self, method: str, params: dict[str, Any] | None = None, timeout: float = CALL_DEADLINE_S
    ) -> Any:
        """One call, on record for the checker `answering`. RpcFailure."""
        start = time.monotonic_ns()
        life, error, end = self.lives, "", None
        try:
            result = await self.ask(method, params, timeout)
            end = time.monotonic_ns()
            return result
        except RpcTimeout as failure:
            error = str(failure)
            raise
        except RpcFailure as failure:
            error, end = str(failure), time.monotonic_ns()
            if isinstance(failure, RpcClosed):
                life = -1  # the process went away: its end is on record, the call says nothing more
            raise
        finally:
            if life == self.lives and (end is not None or error):
                during = self.world.in_fault()
                record = Call(self.name, method, start, end, round(timeout * 1e9), during, error)
                self.world.history.calls.append(record)

    async def sample_resources(self, label: str) -> None:
        try:
            document = await self.call("resources")
        except RpcFailure:
            return  # the checker says that there is no sample
        self.world.history.resources.append(ResourceSample(self.name, self.pid, label, document))

    def note_exit(self, process: ManagedProcess) -> None:
        self.world.history.exits.append(
            ProcessExit(self.name, process.pid, process.ended_ns, process.status, process.expected)
        )
        self.world.history.note(
            self.name, "process.exited", pid=process.pid, status=process.status, expected=process.expected
        )
