"""The actor of testbed-proxy, on the program itself, between two peers of the test's own."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from testbed.run.actors.base import ActorError, World
from testbed.run.actors.proxy import ProxyActor, leg_between
from testbed.run.binaries import Lacking, find_program
from testbed.run.history import History
from testbed.run.places import Places
from testbed.run.rpc import RpcError

SET_OWNER = struct.pack("<III", 3, 1, 0)
DEADLINE_S = 10


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[ProxyActor]:
    try:
        program = find_program("testbed-proxy")
    except Lacking as lacking:
        pytest.skip(str(lacking))
    async with asyncio.TaskGroup() as tasks:
        world = World(History(), Places(tmp_path, tmp_path), tasks, "test")
        leg = leg_between(tmp_path / "f.sock", tmp_path / "b.sock", "client")
        actor = ProxyActor("proxy", program, {"l": leg}, world)
        await actor.start()
        assert await world.history.until(lambda: actor.up or bool(actor.failure), _deadline()), actor.state
        yield actor
        await actor.end()
        await world.end_background()


def _deadline() -> int:
    return time.monotonic_ns() + DEADLINE_S * 10**9


class Peers:
    """A backend that listens and a frontend that connects."""

    def __init__(self, directory: Path) -> None:
        self._front = str(directory / "f.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / "b.sock"))
        self._listener.listen()
        self._listener.setblocking(False)

    async def connect(self) -> tuple[socket.socket, socket.socket]:
        loop = asyncio.get_running_loop()
        front = socket.socket(socket.AF_UNIX)
        front.setblocking(False)
        async with asyncio.timeout(DEADLINE_S):
            await loop.sock_connect(front, self._front)
            back, _ = await loop.sock_accept(self._listener)
        return front, back

    @staticmethod
    async def receive(peer: socket.socket) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.get_running_loop().sock_recv(peer, 4096)


async def test_a_session_comes_up_and_its_messages_are_in_the_timeline(
    proxy: ProxyActor, tmp_path: Path
) -> None:
    front, back = await Peers(tmp_path).connect()
    await proxy.until_up("l", DEADLINE_S)
    front.send(SET_OWNER)
    assert await Peers.receive(back) == SET_OWNER
    assert [message["name"] for message in await proxy.timeline("l")] == ["SET_OWNER"]
    assert any(event.name == "proxy.message" for event in proxy.world.history.events)


async def test_a_fault_is_armed_fires_and_the_next_session_is_waited_for(
    proxy: ProxyActor, tmp_path: Path
) -> None:
    peers = Peers(tmp_path)
    fault = await proxy.arm("l", "cut", after_message=1)
    front, back = await peers.connect()
    front.send(SET_OWNER)
    await proxy.until_fired("l", fault, DEADLINE_S)
    assert await Peers.receive(back) == SET_OWNER
    assert await Peers.receive(back) == b""
    again = await peers.connect()
    await proxy.until_up("l", DEADLINE_S, after_session=1)
    assert again[0].fileno() >= 0


async def test_a_fault_that_did_nothing_is_told_and_can_be_healed(proxy: ProxyActor) -> None:
    fault = await proxy.arm("l", "hold", message="SET_LOG_BASE", bytes=4)
    assert await proxy.never_fired() == [("l", {"kind": "hold", "message": "SET_LOG_BASE", "bytes": 4})]
    with pytest.raises(ActorError, match="did not fire within"):
        await proxy.until_fired("l", fault, 0.05)
    await proxy.heal("l", fault)
    with pytest.raises(RpcError, match="SET_LOGBASE"):
        await proxy.arm("l", "hold", message="SET_LOGBASE")


async def test_a_killed_proxy_has_no_sessions_and_waiting_for_one_ends(
    proxy: ProxyActor, tmp_path: Path
) -> None:
    peers = await Peers(tmp_path).connect()
    await proxy.until_up("l", DEADLINE_S)
    await proxy.kill()
    assert proxy.sessions == {}
    assert await Peers.receive(peers[1]) == b""
    with pytest.raises(ActorError, match="no session on l"):
        await proxy.until_up("l", DEADLINE_S)


def test_the_proxy_takes_the_role_its_peer_has_not(tmp_path: Path) -> None:
    for frontend, front, back in (("client", "server", "client"), ("server", "client", "server")):
        leg = leg_between(tmp_path / "f", tmp_path / "b", frontend)  # type: ignore[arg-type]
        assert (leg.front.role, leg.back.role) == (front, back)
