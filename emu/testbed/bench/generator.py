"""The load: testbed-circulator on GENERATOR_CPU, the same for every subject."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.bench.child import LOOK_AGAIN_S, answers, child
from testbed.bench.model import Load
from testbed.bench.subjects.base import GENERATOR_CPU
from testbed.run.binaries import find_program
from testbed.run.hugepages import hugepages
from testbed.run.rpc import RpcClient, connect

CONNECT_S = 20.0
MOST_MEMORY_MB = 192  # of packets


@dataclass(frozen=True)
class Turns:
    """What the generator has counted."""

    packets: int
    tsc: int
    tsc_hz: int
    busy_cycles: int
    refills: int


class Generator:
    def __init__(self, pid: int, client: RpcClient) -> None:
        self.pid = pid
        self._client = client

    async def turns(self) -> Turns:
        counts = await self._client.call("circulate.counts")
        return Turns(**{key: counts[key] for key in Turns.__dataclass_fields__})

    async def moving(self, within_s: float) -> None:
        """Until frames have come back. RuntimeError."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    if (await self.turns()).packets:
                        return
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            raise RuntimeError(f"no frame came back within {within_s:g} s") from None

    async def stop(self) -> int:
        """How many frames never came back."""
        return int((await self._client.call("circulate.stop"))["lost"])


def frontend(load: Load, number: int, path: Path) -> dict[str, Any]:
    """As of frontend.add (docs/protocol.md). The driver's vector paths have conditions (emu/load/frontend_options)."""
    return {
        "name": f"f{number}",
        "path": str(path),
        "role": "client",
        "ring": "packed" if load.packed else "split",
        "queue_size": load.queue_size,
        "vectorized": load.vectorized,
        "in_order": load.packed or not load.vectorized,
        "mergeable": not load.vectorized,
        "mac": f"02:00:00:{number:02x}:00:01",
        "max_frame": max(load.size, 1518),
    }


@asynccontextmanager
async def circulating(load: Load, directory: Path, sockets: list[Path]) -> AsyncIterator[Generator]:
    """Frames go round between the sockets, as fast as they come back. Lacking, RpcFailure, RuntimeError."""
    control = directory / "circulator.ctl"
    command: list[str | Path] = [find_program("testbed-circulator"), "--control", control, "--dir", directory]
    memory_mb = MOST_MEMORY_MB if load.size > 2048 else 96
    command += ["--cpu", str(GENERATOR_CPU), "--memory-mb", str(memory_mb)]
    with contextlib.ExitStack() as taken:
        if not load.small_pages:
            taken.enter_context(hugepages(memory_mb))
            command.append("--hugepages")
        async with _circulator(command, load, directory, sockets) as generator:
            yield generator


@asynccontextmanager
async def _circulator(
    command: list[str | Path], load: Load, directory: Path, sockets: list[Path]
) -> AsyncIterator[Generator]:
    control = directory / "circulator.ctl"
    async with child("circulator", command, directory) as process:
        await process.until("its control socket", lambda: answers(control))
        async with await connect(str(control), name="circulator") as client:
            order = {
                "frontends": [frontend(load, number, path) for number, path in enumerate(sockets)],
                "size": load.size,
                "macs": load.macs,
                "both_ways": load.both_ways,
                "touch": load.touched,
            }
            await client.call("circulate.start", order, timeout=CONNECT_S)
            yield Generator(process.pid, client)
