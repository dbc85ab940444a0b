"""A child process: started at once, watched, and never left behind.

It leads a session of its own, so that a terminal's Ctrl-C reaches the runner only and its whole group can be ended. It
dies with the runner, however the runner dies: setpriv(1) sets PR_SET_PDEATHSIG between fork and exec. (Doing that in
Python's own child costs three times as long, because it forbids vfork.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from testbed.run.binaries import Lacking

WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


def status_text(code: int) -> str:
    """exit 0, SIGKILL"""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class ManagedProcess:
    """`on_exit` is called once, on the event loop. `expected` says whether somebody asked for the end."""

    def __init__(self, name: str, on_exit: Callable[[ManagedProcess], None] = lambda process: None) -> None:
        self.name = name
        self.spawned_ns = 0
        self.ended_ns = 0
        self.status = ""  # empty while it runs
        self.expected = False
        self._on_exit = on_exit
        self._popen: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._gone = asyncio.Event()

    @property
    def pid(self) -> int:
        return self._popen.pid if self._popen else 0

    @property
    def running(self) -> bool:
        return self._popen is not None and not self.status

    def spawn(
        self, command: Sequence[str | Path], log: BinaryIO | int, environment: Mapping[str, str] | None = None
    ) -> None:
        """Returns in a fraction of a millisecond; `log` was opened before."""
        self.spawned_ns = time.monotonic_ns()
        try:
            self._popen = subprocess.Popen(
                [*WITH_PARENT, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=dict(environment) if environment is not None else None,
            )
        except FileNotFoundError:
            raise Lacking("setpriv is missing; mend it with: apt-get install util-linux") from None
        self._pidfd = os.pidfd_open(self._popen.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def send(self, number: signal.Signals) -> None:
        """To the whole group. Nothing when it is gone."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        self.expected = True
        self.send(signal.SIGKILL)

    async def ended(self, timeout: float) -> bool:
        """Whether it has ended, waiting for it so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._gone.wait()
        return not self.running

    async def end(self, ask: Callable[[], Awaitable[None]] | None, each_s: float) -> None:
        """The ladder: asked, SIGTERM, each with its time; SIGKILL always works."""
        self.expected = True
        self.send(signal.SIGCONT)
        if ask is not None:
            await ask()
            if await self.ended(each_s):
                return
        self.send(signal.SIGTERM)
        if not await self.ended(each_s):
            self.kill()
            await self.ended(10.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.kill()
            await self.ended(10.0)

    def _reap(self) -> None:
        assert self._popen is not None
        code = self._popen.poll()
        if code is None:
            return
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.ended_ns = time.monotonic_ns()
        self.status = status_text(code)
        self._gone.set()
        self._on_exit(self)
