"""dpdk-testpmd on the stock library: two net_vhost ports. `io` looks nothing up: the yardstick; `mac` writes addresses."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from testbed.bench.child import Child, child
from testbed.bench.model import Work
from testbed.bench.subjects.base import SUBJECT_CPU, NotSupported, Subject, Worker

MEMORY_MB = 192
ANSWER_S = 5.0
# What `show fwd stats all` ends with when cycles are recorded. Counted for bursts that were not empty.
CYCLES = re.compile(r"CPU cycles/packet=\S+ \(total cycles=(\d+) / total \w+ packets=(\d+)\)")


class Terminal:
    """What testpmd prints. On a pipe it would keep its lines for itself until there are 4 KiB of them."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        os.set_blocking(self._ours, False)
        self._text = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: the other side was closed
            asyncio.get_running_loop().remove_reader(self._ours)
            return
        self._text += data.decode(errors="replace")
        self._more.set()

    def forget(self) -> None:
        self._text = ""

    async def expect(self, pattern: re.Pattern[str], within_s: float) -> re.Match[str]:
        """TimeoutError."""
        async with asyncio.timeout(within_s):
            while not (match := pattern.search(self._text)):
                self._more.clear()
                await self._more.wait()
            return match

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self.theirs)


class TestpmdWorker(Worker):
    __test__ = False

    def __init__(self, process: Child, terminal: Terminal) -> None:
        self.pid = process.pid
        self._process = process
        self._terminal = terminal

    async def work(self) -> Work:
        self._terminal.forget()
        await self._process.write("show fwd stats all\n")
        try:
            found = await self._terminal.expect(CYCLES, ANSWER_S)
        except TimeoutError:
            return Work(0, 0)  # it says nothing about cycles before the first packet
        return Work(packets=int(found[2]), cycles=int(found[1]))


class Testpmd(Subject):
    __test__ = False

    def __init__(self, mode: str) -> None:
        self.name = f"testpmd-{mode}"
        what = "looks nothing up" if mode == "io" else "writes addresses, looks nothing up"
        self.about = f"dpdk-testpmd {mode}, {what}"
        self._mode = mode

    @asynccontextmanager
    async def start(self, directory: Path, sockets: list[Path]) -> AsyncIterator[Worker]:
        binary = shutil.which("dpdk-testpmd")
        if binary is None:
            raise NotSupported("dpdk-testpmd is missing; mend it with: apt-get install dpdk-dev")
        command: list[str] = [binary, "--no-huge", "-m", str(MEMORY_MB), "--no-pci", "--no-telemetry"]
        command += [f"--file-prefix={self.name}", "--lcores", f"0@{SUBJECT_CPU},1@{SUBJECT_CPU}"]
        for number, path in enumerate(sockets):
            command += ["--vdev", f"net_vhost{number},iface={path}"]
        command += ["--", "-i", "--nb-cores=1", "--total-num-mbufs=16384", "--record-core-cycles"]
        command += [f"--forward-mode={self._mode}", "--auto-start"]
        terminal = Terminal()
        environment = {"RUNTIME_DIRECTORY": str(directory)}
        try:
            async with child(
                self.name, command, directory, stdin=True, stdout=terminal.theirs, environment=environment
            ) as process:
                await process.until("its sockets", lambda: all(path.exists() for path in sockets))
                yield TestpmdWorker(process, terminal)
        finally:
            terminal.close()
