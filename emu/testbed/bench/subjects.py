"""What is measured: a backend with two server sockets that passes frames from one to the other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.bench.testpmd import Testpmd, TestpmdOptions, vhost_devices

Subject = Callable[[Path, list[Path]], AbstractAsyncContextManager[None]]

SUBJECT_CPU, GENERATOR_CPU = 0, 1


@dataclass(frozen=True)
class NamedSubject:
    name: str
    about: str
    start: Subject


@asynccontextmanager
async def testpmd_io(directory: Path, sockets: list[Path]) -> AsyncIterator[None]:
    """dpdk-testpmd, two net_vhost ports, forwarding mode io: looks nothing up. The yardstick."""
    options = TestpmdOptions("subject", SUBJECT_CPU, vhost_devices(sockets), ("--forward-mode=io",))
    async with Testpmd(options, directory) as testpmd:
        await testpmd.command("start")
        yield


@asynccontextmanager
async def switch(directory: Path, sockets: list[Path]) -> AsyncIterator[None]:
    """testbed-switch: two ports on a learning switch brick, all counters on, one worker."""
    config = {
        "workers": 1,
        "cpus": [SUBJECT_CPU],
        "bricks": {"lan": {"type": "switch"}},
        "ports": {
            f"p{i}": {"type": "vhost", "role": "server", "path": str(path), "queues": 1, "to": "lan"}
            for i, path in enumerate(sockets)
        },
    }
    binary = Path(os.environ.get("TESTBED_BUILD", "build/release")) / "core" / "testbed-switch"
    with open(directory / "switch.log", "wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary), "--control", str(directory / "switch.sock"), "--dir", str(directory), "--config", "-",
            stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(config).encode())
        process.stdin.close()
        async with asyncio.timeout(10):
            while not all(path.exists() for path in sockets):
                if process.returncode is not None:
                    raise RuntimeError(f"testbed-switch ended at once; see {directory}/switch.log")
                await asyncio.sleep(0.01)  # the sockets are the event
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                print("bench: testbed-switch did not end on SIGTERM; killed", file=sys.stderr)
                process.kill()
                await process.wait()


SUBJECTS = {
    "switch": NamedSubject("switch", "testbed-switch, learning L2, all counters", switch),
    "testpmd-io": NamedSubject("testpmd-io", "dpdk-testpmd io, looks nothing up", testpmd_io),
}
