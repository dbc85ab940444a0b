"""testbed-proxy between dpdk-testpmd as front-end and as back-end: traffic flows, cuts in the handshake, traffic again.

virtio_user does not survive every cut: when its handshake breaks it may end, or stay deaf. Then it is started again, as its
user would; the back-end and the proxy live on all the time.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import testpmd
from testbed.run.binaries import Lacking, find_program
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcClient, connect

READY_S = 60
RECOVERY_S = 3

pytestmark = pytest.mark.skipif(shutil.which("dpdk-testpmd") is None, reason="dpdk-testpmd is not installed")


class Proxy:
    """The program and its events."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._client: RpcClient | None = None

    def take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._changed.set()

    async def attach(self, process: ManagedProcess, control: Path) -> None:
        async with asyncio.timeout(READY_S):
            while self._client is None:
                try:
                    self._client = await connect(str(control), name="proxy", on_event=self.take)
                except (FileNotFoundError, ConnectionRefusedError):
                    assert not await process.ended(0.003)
        self._client.start()
        await self.call("events.subscribe", since=1)

    async def detach(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def call(self, method: str, **params: Any) -> Any:
        assert self._client is not None
        return await self._client.call(method, params)

    async def wait(
        self, name: str, after: int = 0, within_s: float = READY_S, **fields: Any
    ) -> dict[str, Any]:
        """The first such event with a number above `after`."""
        async with asyncio.timeout(within_s):
            while True:
                for event in self.events:
                    if event["seq"] > after and event["name"] == name and fields.items() <= event.items():
                        return event
                self._changed.clear()
                await self._changed.wait()

    @property
    def now(self) -> int:
        return int(self.events[-1]["seq"]) if self.events else 0


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    try:
        program = find_program("testbed-proxy")
    except Lacking as lacking:
        pytest.skip(str(lacking))
    legs = {
        "l": {
            "front": {"path": "front.sock", "role": "client"},
            "back": {"path": "back.sock", "role": "server"},
        }
    }
    config, control = tmp_path / "proxy.json", tmp_path / "ctl"
    config.write_text(json.dumps({"legs": legs}))
    made = Proxy(tmp_path)
    async with ManagedProcess("testbed-proxy") as process:
        with (tmp_path / "proxy.log").open("wb") as log:
            process.spawn([program, "--dir", tmp_path, "--config", config, "--control", control], log)
        await made.attach(process, control)
        yield made
        assert process.running
        await made.detach()


def backend(directory: Path) -> testpmd.Testpmd:
    device = f"net_vhost0,iface={directory}/back.sock,client=1"
    forward = ("--forward-mode=rxonly", "--auto-start")
    return testpmd.Testpmd(
        testpmd.TestpmdOptions("proxyback", 0, (device,), forward, memory_mb=96), directory
    )


def frontend(directory: Path, life: int, ring: str = "split") -> testpmd.Testpmd:
    (directory / "front.sock").unlink(missing_ok=True)
    packed = ",packed_vq=1" if ring == "packed" else ""
    device = f"net_virtio_user0,path={directory}/front.sock,server=1,queue_size=256{packed}"
    forward = ("--forward-mode=txonly", "--auto-start")
    cpu = (os.cpu_count() or 1) - 1
    return testpmd.Testpmd(
        testpmd.TestpmdOptions(f"proxyfront{life}", cpu, (device,), forward, memory_mb=96), directory
    )


async def arrives(back: testpmd.Testpmd, within_s: float) -> bool:
    """Whether packets get through to the back-end now."""
    assert back.telemetry is not None
    start = back.telemetry.packets_received(1)
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if back.telemetry.packets_received(1) >= start + 1000:
            return True
        await asyncio.sleep(0.02)  # a counter has no event
    return False


@pytest.mark.parametrize("ring", ["split", "packed"])
async def test_packets_pass_and_the_timeline_tells_the_handshake(
    proxy: Proxy, tmp_path: Path, ring: str
) -> None:
    async with backend(tmp_path) as back, frontend(tmp_path, 1, ring):
        await proxy.wait("proxy.up")
        assert await arrives(back, READY_S)
        timeline = (await proxy.call("timeline", leg="l"))["messages"]
        names = [message["name"] for message in timeline if message["dir"] == "frontend"]
        assert {"SET_OWNER", "GET_FEATURES", "SET_FEATURES", "SET_MEM_TABLE", "SET_VRING_KICK"} <= set(names)
        assert all("reply_to" in message for message in timeline if message["dir"] == "backend")
        table = next(message for message in timeline if message["name"] == "SET_MEM_TABLE")
        assert table["fds"] >= 1
    down = await proxy.wait("proxy.down")
    assert down["reason"] in ("front closed", "back closed")


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "cut", "after_message": n} for n in (1, 3, 8, 16, 21, 27)),
        {"kind": "cut", "before_message": "SET_MEM_TABLE"},
        {"kind": "lose_fd", "message": "SET_MEM_TABLE"},
        {"kind": "hold", "message": "SET_VRING_ADDR", "bytes": 20, "for_ms": 300},
        {"kind": "delay", "ms": 20},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_traffic_flows_again_when_a_fault_in_the_handshake_has_healed(
    proxy: Proxy, tmp_path: Path, fault: dict[str, Any]
) -> None:
    armed = await proxy.call("proxy.arm", leg="l", **fault)
    async with backend(tmp_path) as back:
        try:
            async with frontend(tmp_path, 1):
                await proxy.wait("proxy.fault", fault=armed["fault"])
                recovered = await arrives(back, RECOVERY_S)
        except RuntimeError:  # it ended when its handshake broke
            recovered = False
        if not recovered:
            after = proxy.now
            async with frontend(tmp_path, 2):
                await proxy.wait("proxy.up", after)
                assert await arrives(back, READY_S)
    last = max(event["session"] for event in proxy.events if event["name"] == "proxy.up")
    await proxy.wait("proxy.down", session=last)
    status = (await proxy.call("proxy.status"))["legs"]["l"]
    assert [one["state"] for one in status["faults"]] == ["spent"]
    assert sum(event["name"] == "proxy.fault" for event in proxy.events) == 1
