"""dpdk-testpmd as a process: the yardstick (two net_vhost ports, `io`) and the generator (two virtio_user ports)."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from testpmd_telemetry import Telemetry


@dataclass(frozen=True)
class TestpmdOptions:
    name: str
    cpu: int
    devices: tuple[str, ...]  # --vdev arguments
    forward: tuple[str, ...]  # arguments after the --
    memory_mb: int = 192


def vhost_devices(sockets: list[Path]) -> tuple[str, ...]:
    """net_vhost as server on each socket."""
    return tuple(f"net_vhost{i},iface={path}" for i, path in enumerate(sockets))


def virtio_user_devices(sockets: list[Path], ring: str, queue_size: int = 1024) -> tuple[str, ...]:
    """virtio_user as client of each socket. `ring`: split or packed."""
    packed = ",packed_vq=1" if ring == "packed" else ""
    return tuple(
        f"net_virtio_user{i},path={path},queue_size={queue_size},mac={mac(i)}{packed}"
        for i, path in enumerate(sockets)
    )


def mac(port: int) -> str:
    return f"02:00:00:00:01:{port:02x}"


class Testpmd:
    """`async with Testpmd(options, dir)`: started and forwarding inside the block; quit, then killed, at its end."""

    def __init__(self, options: TestpmdOptions, directory: Path) -> None:
        self._options = options
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self.telemetry: Telemetry | None = None

    async def __aenter__(self) -> Self:
        binary = shutil.which("dpdk-testpmd")
        if binary is None:
            raise FileNotFoundError("dpdk-testpmd is not installed: apt-get install dpdk-dev")
        options = self._options
        arguments = [
            binary,
            "--no-huge",
            "-m",
            str(options.memory_mb),
            "--no-pci",
            f"--file-prefix={options.name}",
        ]
        arguments += ["--lcores", f"0@{options.cpu},1@{options.cpu}"]
        for device in options.devices:
            arguments += ["--vdev", device]
        arguments += ["--", "-i", "--nb-cores=1", "--total-num-mbufs=16384", *options.forward]
        log = open(self._directory / f"{options.name}.log", "wb")  # noqa: SIM115 - the child keeps it
        with log:
            self._process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "RUNTIME_DIRECTORY": str(self._directory)},
            )
        self.telemetry = await self._connect()
        return self

    async def _connect(self) -> Telemetry:
        assert self._process is not None
        async with asyncio.timeout(20):
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"{self._options.name} ended at once; see {self._options.name}.log")
                try:
                    return Telemetry(self._directory, self._options.name)
                except OSError:
                    await asyncio.sleep(0.02)  # its socket is the event; there is no other to wait for

    async def command(self, line: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.telemetry is not None:
            self.telemetry.close()
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            await self.command("quit")
            async with asyncio.timeout(3):
                await process.wait()
        except (TimeoutError, OSError):
            process.kill()
            await process.wait()
