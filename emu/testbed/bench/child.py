"""A child process of the bench: its output in a file, and never left behind, however the bench ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from testbed.run.process import WITH_PARENT

LOOK_AGAIN_S = 0.01
PRIORITY = -20
EACH_S = 3.0  # for every step down the ladder


def answers(path: Path) -> bool:
    """Does somebody listen there? A socket is a file before it is."""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.connect(str(path))
        return True
    return False


class Child:
    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.is_file() else []
        return lines[-1] if lines else "it said nothing"

    async def write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        await self._process.stdin.drain()

    async def until(self, what: str, there: Callable[[], bool], within_s: float = 20.0) -> None:
        """Polls `there`: files and sockets of foreign programs announce themselves in no other way. RuntimeError."""
        try:
            async with asyncio.timeout(within_s):
                while not there():
                    if not self.running:
                        raise RuntimeError(f"{self.name} ended before {what}: {self.last_words()}")
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            raise RuntimeError(f"{self.name}: no {what} within {within_s:g} s: {self.last_words()}") from None

    async def gone(self, within_s: float = EACH_S) -> None:
        """Until it has ended, or that time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), within_s)

    async def end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.running:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            await self.gone()


@asynccontextmanager
async def child(
    name: str,
    command: Sequence[str | Path],
    directory: Path,
    *,
    stdin: bool = False,
    stdout: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Child]:
    """`stdout`: a descriptor in place of the log."""
    path = directory / f"{name}.log"
    with open(path, "ab") as log:
        process = await asyncio.create_subprocess_exec(
            *WITH_PARENT,
            *map(str, command),
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    _put_first(process.pid)
    running = Child(name, process, path)
    try:
        yield running
    finally:
        await running.end()


def _put_first(pid: int) -> None:
    """What is measured goes before what else runs on the machine, as far as we may say so: within its session, and its
    session before others (with autogroups niceness counts for nothing outside of one: sched(7))."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, PRIORITY)
        Path(f"/proc/{pid}/autogroup").write_text(str(PRIORITY))
